"""What a classifier says about one image (or one region of it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason


@dataclass(frozen=True, slots=True)
class Prediction:
    """Calibrated answer for one image.

    `probabilities` is float (n_labels,) in the order of `labels`; it sums to 1 except for multi-label tasks.
    `predicted` is what the thresholds make of it: one name, several for multi-label, or () for "I don't know".
    `ood_score` grows with the distance from the training images; `unknown` is True when it passes the model's threshold.
    """

    uri: str
    labels: tuple[str, ...]
    probabilities: NDArray[np.floating[Any]]
    predicted: tuple[str, ...]
    ood_score: float
    unknown: bool
    model_id: str
    roi: str | None = None
    embedding: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.probabilities.shape != (len(self.labels),):
            raise DataError(
                Reason.LABEL_CONFLICT,
                f"a prediction has one probability per label: {len(self.labels)} labels, got shape {self.probabilities.shape}",
            )

    def to_json(self) -> dict[str, Any]:
        """`classifierResults` sorted by falling confidence (ties by name), other keys beside it."""
        pairs = sorted(zip(self.labels, self.probabilities.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
        value: dict[str, Any] = {"uri": self.uri}
        if self.roi is not None:
            value["roi"] = self.roi
        value["classifierResults"] = [{"label": name, "confidence": round(p, 8)} for name, p in pairs]
        value |= {"predicted": list(self.predicted), "unknown": self.unknown, "oodScore": round(self.ood_score, 6)}
        value["modelId"] = self.model_id
        if self.embedding is not None:
            value["embedding"] = [round(float(x), 7) for x in self.embedding]
        return value
