"""One image of a stream with what a model said about it: what decisions are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tellapart.records.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen at one instant by one input of a policy.

    `at_s` is the time of capture in seconds of any clock that does not jump; `input` the name that the policy gives to a
    region or a model. `id` names the image: the same image has the same id in a replay. `confidences` are by label name.
    `predicted` is what the model's thresholds made of them, () where it did not answer. `quality` is 0–1, None where nobody
    judged it; `view` names the side of the piece, `trigger` what a machine said at that instant ("part in place").
    """

    at_s: float
    input: str
    id: str
    confidences: Mapping[str, float]
    predicted: tuple[str, ...]
    unknown: bool = False
    ood_score: float = 0.0
    quality: float | None = None
    view: str | None = None
    trigger: str | None = None
    uri: str = ""
    model_id: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, prediction: Prediction, *, at_s: float, input: str, id: str, **facts: Any) -> Observation:
        """From a model's answer; `facts` are further fields by name."""
        pairs = zip(prediction.labels, prediction.probabilities.tolist(), strict=True)
        return cls(
            at_s=at_s,
            input=input,
            id=id,
            confidences=dict(pairs),
            predicted=prediction.predicted,
            unknown=prediction.unknown,
            ood_score=prediction.ood_score,
            uri=prediction.uri,
            model_id=prediction.model_id,
            **facts,
        )

    @property
    def abstains(self) -> bool:
        """True when the model did not answer."""
        return self.unknown or not self.predicted

    @property
    def order(self) -> tuple[float, str, str]:
        """What sorts observations: time, then names, so that nothing depends on which arrived first."""
        return self.at_s, self.input, self.id
