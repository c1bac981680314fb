"""The anomaly head: how strange an image's strangest patch is, as a probability and as a score with its threshold at 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason
from tellapart.heads.anomaly_scores import Scorer, image_scores, restore_scorer
from tellapart.heads.calibration import Calibration
from tellapart.heads.objectives import Floats
from tellapart.heads.targets import check_embeddings
from tellapart.records import Task

_FACTS = ("positive", "tail", "typical")


@dataclass(frozen=True, slots=True)
class AnomalyHead:
    """A binary head made of good images alone.

    The score of an image is 1 at the threshold. Its logit is (score - 1) / `tail`: with no calibration the odds of
    "anomalous" say how many times fewer good images reach this score than reach the threshold. `positive` is the column of
    "anomalous"; `typical` the median score of good images, where heatmaps begin to glow.
    """

    kind: ClassVar[str] = "anomaly"

    scorer: Scorer
    positive: int
    tail: float
    typical: float
    calibration: Calibration

    @property
    def task(self) -> Task:
        """Always binary."""
        return Task.BINARY

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads: all patches of an image, row by row."""
        return self.scorer.n_features

    @property
    def n_classes(self) -> int:
        """Good and anomalous."""
        return 2

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches; (1, 1) where the image is judged as a whole."""
        return self.scorer.grid

    def patch_scores(self, embeddings: Floats) -> Floats:
        """Scores float32 (n, rows, columns) of embeddings (n, d); an image is anomalous where one of its patches has 1."""
        check_embeddings(embeddings, n_features=self.n_features)
        if not len(embeddings):
            return np.zeros((0, *self.grid), np.float32)
        return self.scorer.patch_scores(embeddings)

    def scores(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) ≥ 0 of embeddings (n, d); 1 and above is anomalous."""
        return image_scores(self.patch_scores(embeddings))

    def logits(self, embeddings: Floats) -> Floats:
        """Uncalibrated scores float32 (n, 2) of embeddings (n, d): of opposite sign, 0 at the threshold."""
        return self.logits_of(self.scores(embeddings))

    def logits_of(self, scores: Floats) -> Floats:
        """Logits float32 (n, 2) of scores (n,)."""
        half = ((scores - 1) / (2 * self.tail)).astype(np.float32)
        return np.stack([half, -half] if self.positive == 0 else [-half, half], axis=1)

    def probabilities(self, embeddings: Floats) -> Floats:
        """Calibrated probabilities float32 (n, 2); rows sum to 1."""
        return self.probabilities_of(self.scores(embeddings))

    def probabilities_of(self, scores: Floats) -> Floats:
        """Probabilities float32 (n, 2) of scores (n,)."""
        return self.calibration.apply(self.logits_of(scores))

    def calibrated(self, calibration: Calibration) -> AnomalyHead:
        """The same head with another calibration."""
        return replace(self, calibration=calibration)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those of its scorer, `positive`, `tail`, `typical` float32 (1,), and `temperature`, `offset` float32 (2,)."""
        facts = {name: np.array([getattr(self, name)], np.float32) for name in _FACTS}
        return {**self.scorer.arrays(), **facts, **self.calibration.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, task: Task = Task.BINARY) -> AnomalyHead:
        """Inverse of `arrays`; other names are ignored.

        Raises:
            ModelError: `model_damaged` when an array is missing or has the wrong shape.
        """
        scorer = restore_scorer(arrays)
        try:
            positive, tail, typical = (float(np.asarray(arrays[name]).item()) for name in _FACTS)
            calibration = Calibration.from_arrays(arrays, task=Task.BINARY)
        except (KeyError, ValueError) as exc:
            raise ModelError(Reason.MODEL_DAMAGED, f"an anomaly head cannot be read: {exc}") from exc
        if task is not Task.BINARY or positive not in (0, 1) or not tail > 0 or calibration.temperature.shape != (2,):
            facts = (
                f"task {task.value}, positive {positive:g}, tail {tail:g}, temperature {calibration.temperature.shape}"
            )
            raise ModelError(Reason.MODEL_DAMAGED, f"an anomaly head is binary with a tail above 0; got {facts}")
        return cls(scorer, int(positive), tail, typical, calibration)


@dataclass(frozen=True, slots=True)
class AnomalyScore:
    """The head's score as the model's `ood_score`. It turns no answer into "unknown": strange is what "anomalous" means."""

    kind: ClassVar[str] = "anomaly"
    rejects: ClassVar[bool] = False

    head: AnomalyHead

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads."""
        return self.head.n_features

    def score(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) of embeddings (n, d); 1 or more is anomalous."""
        return self.head.scores(embeddings)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """None of its own: it reads the head's."""
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> AnomalyScore:
        """From the arrays of the head file.

        Raises:
            ModelError: `model_damaged`.
        """
        return cls(AnomalyHead.from_arrays(arrays))
