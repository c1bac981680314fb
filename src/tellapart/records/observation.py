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

    def to_json(self) -> dict[str, Any]:
        """One line of a recording: as `Prediction.to_json`, with `at`, `input` and `id`; what is not known is left out.

        Figures are written in full, so that a replay decides on the very same ones.
        """
        pairs = sorted(self.confidences.items(), key=lambda pair: (-pair[1], pair[0]))
        value: dict[str, Any] = {"at": self.at_s, "input": self.input, "id": self.id, "uri": self.uri}
        value["classifierResults"] = [{"label": name, "confidence": float(p)} for name, p in pairs]
        value |= {"predicted": list(self.predicted), "unknown": self.unknown, "oodScore": float(self.ood_score)}
        value["modelId"] = self.model_id
        further = {"quality": self.quality, "view": self.view, "trigger": self.trigger}
        return value | {name: known for name, known in further.items() if known is not None} | dict(self.more)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Observation:
        """Inverse of `to_json`; keys that are not its own are kept in `more`.

        Raises:
            KeyError, TypeError, ValueError: it is no line of a recording.
        """
        confidences = {str(one["label"]): float(one["confidence"]) for one in value["classifierResults"]}
        known = {name: value[name] for name in ("quality", "view", "trigger") if value.get(name) is not None}
        return cls(
            at_s=float(value["at"]),
            input=str(value["input"]),
            id=str(value["id"]),
            confidences=confidences,
            predicted=tuple(map(str, value["predicted"])),
            unknown=bool(value.get("unknown", False)),
            ood_score=float(value.get("oodScore", 0.0)),
            uri=str(value.get("uri", "")),
            model_id=str(value.get("modelId", "")),
            more={name: one for name, one in value.items() if name not in _KEYS},
            **known,
        )


_KEYS = frozenset(
    {
        *("at", "input", "id", "uri", "classifierResults", "predicted", "unknown", "oodScore", "modelId"),
        *("quality", "view", "trigger"),
    }
)
