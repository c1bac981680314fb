"""What became of a model in int8: its loss, its speed, its size, for people and for machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tellapart.backbones.quantize import Figures
from tellapart.classifier.classifier import Classifier
from tellapart.evaluation.compare import Comparison
from tellapart.evaluation.wording import metric_name
from tellapart.workflows.timing import BATCH, Timing

MAX_LOSS = 0.005
"""Half a point of accuracy or macro F1."""


@dataclass(frozen=True, slots=True)
class Int8Model:
    """The int8 `classifier` beside its parent: `comparisons` of accuracy and macro F1 (int8 minus float, on the same held-back
    images), `timings` of float and int8, and what was done to the backbone. `n_left_out` images the parent does not know,
    `n_relabelled` of those that fitted it have other labels by now.
    """

    classifier: Classifier
    parent_id: str
    figures: Figures
    comparisons: tuple[Comparison, ...]
    timings: tuple[Timing, Timing]
    max_loss: float = MAX_LOSS
    n_left_out: int = 0
    n_relabelled: int = 0

    @property
    def loss(self) -> float:
        """The larger of the losses of accuracy and macro F1; below 0 when int8 is better in both."""
        return max(-found.difference.value for found in self.comparisons if found.difference.value is not None)

    def summary(self) -> tuple[str, ...]:
        """Lines for a terminal."""
        done, (before, after) = self.figures, self.timings
        lines = [
            f"model       {self.classifier.card.model_id}, in int8, from {self.parent_id}",
            f"calibrated  {done.method} of {done.n_images:,} training images; {done.n_int8_layers} layers in int8, "
            f"{done.n_float_layers} in float; embeddings alike to a cosine of {done.similarity:.4f}",
            *(f"{metric_name(found.metric):11} {in_words(found)}" for found in self.comparisons),
            f"speed       {before.single_ms:.2f} → {after.single_ms:.2f} ms for one image alone, {before.batch_ms:.2f} → "
            f"{after.batch_ms:.2f} ms for one of {BATCH} (one thread, network only)",
            f"size        {done.float_bytes / 1e6:.2f} → {done.int8_bytes / 1e6:.2f} MB",
        ]
        if self.n_left_out:
            lines.append(f"left out    {self.n_left_out:,} images that the model was not trained or judged with")
        return (*lines, *(f"warning     {text}" for text in self.warnings()))

    @property
    def relabelled(self) -> tuple[str, ...]:
        """The warning about changed labels, if any."""
        if not self.n_relabelled:
            return ()
        return (
            f"{self.n_relabelled:,} of the images that fitted the float model have other labels by now, and the int8 model "
            "learned from these: the difference is not that of int8 alone; train the float model again for a fair one",
        )

    def warnings(self) -> tuple[str, ...]:
        """What speaks against using it."""
        before, after = self.timings
        found = [*self.relabelled]
        if after.single_ms > before.single_ms or after.batch_ms > before.batch_ms:
            found.append(
                "int8 is slower than float on this machine; keep the float model here, unless the smaller file counts"
            )
        lows = [one.difference.low for one in self.comparisons if one.difference.low is not None]
        if lows and -min(lows) > self.max_loss:
            found.append(
                f"{self.comparisons[0].difference.n:,} images cannot exclude a loss of {-min(lows):.3f}, more than the "
                f"{self.max_loss:g} allowed; judge on more images to be sure"
            )
        if any(timing.disturbed for timing in self.timings):
            found.append("other programs used the processor while the speed was measured")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "model_id": self.classifier.card.model_id,
            "parent": self.parent_id,
            "path": self.classifier.location,
            **facts(self.figures, self.comparisons, self.timings),
            "left_out": self.n_left_out,
            "relabelled": self.n_relabelled,
            "warnings": list(self.warnings()),
        }


def facts(figures: Figures, comparisons: tuple[Comparison, ...], timings: tuple[Timing, Timing]) -> dict[str, Any]:
    """The figures as JSON."""
    return {
        **asdict(figures),
        "metrics": {
            found.metric: {
                "float": found.first,
                "int8": found.second,
                "difference": found.difference.value,
                "low": found.difference.low,
                "high": found.difference.high,
                "n": found.difference.n,
            }
            for found in comparisons
        },
        "milliseconds": {
            form: {"single": timing.single_ms, "batch": timing.batch_ms}
            for form, timing in zip(("float", "int8"), timings, strict=True)
        },
    }


def in_words(found: Comparison) -> str:
    """`0.912 float, 0.910 int8, difference -0.002 (95 % interval -0.010 to +0.006, n = 240)`."""
    if found.first is None or found.second is None or found.difference.value is None:
        return "not measurable here"
    difference = found.difference
    numbers = f"{found.first:.4f} float, {found.second:.4f} int8, difference {difference.value:+.4f}"
    if difference.low is None or difference.high is None:
        return f"{numbers} (no interval, n = {difference.n:,})"
    return f"{numbers} (95 % interval {difference.low:+.4f} to {difference.high:+.4f}, n = {difference.n:,})"
