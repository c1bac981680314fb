"""Whether more labels still pay: the learning curve of the labels at hand, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from tellapart.data.hygiene.wording import count
from tellapart.errors import TrainingError
from tellapart.training.learning_curve import LearningCurves, learning_curves
from tellapart.workflows.suggest_known import Known

# Less than a point for as many labels again is no longer worth a person's time, unless it may well be two.
WORTH, MAY_BE = 0.01, 0.02
# The curve of so many images shows what that of more shows, in seconds.
_MOST_IMAGES = 3_000


@dataclass(frozen=True, slots=True)
class Advice:
    """`stop` True: more labels no longer pay. False: they do. None: it cannot be told. `sentence` says why."""

    stop: bool | None
    sentence: str


def advise(known: Known, n_open: int, *, seed: int = 0) -> Advice:
    """From the labelled images among those known; `n_open` images could still be labelled."""
    if not n_open:
        return Advice(True, "nothing is left to label: the rest is accepted, or near-duplicates of labelled images")
    if known.schema is None:
        return Advice(None, f"whether more labels pay cannot be told: {known.why_not}")
    rows = known.labelled
    labels = known.images.dataset.subset(rows).label_matrix(known.schema)
    try:
        curves = learning_curves(
            known.images.embeddings[rows], labels, known.groups[rows], known.schema, seed=seed, max_images=_MOST_IMAGES
        )
    except TrainingError as error:
        return Advice(None, f"whether more labels pay cannot be told: {error}")
    return _advice(curves, len(labels), n_open)


def _advice(curves: LearningCurves, n: int, n_open: int) -> Advice:
    growth, more = curves.overall, min(n, n_open)
    if growth.cannot_tell:
        return Advice(None, f"whether more labels pay cannot be told: {growth.cannot_tell}")
    gain = growth.gain(more)
    told = (
        f"{count(more, 'more label')} would raise the mean {curves.score} by about {_points(gain.value)} "
        f"({gain.low * 100:.1f} to {gain.high * 100:.1f})"
    )
    stop = gain.value < WORTH and gain.high < MAY_BE
    return Advice(stop, f"stop labelling: {told}" if stop else f"go on: {told}")


def _points(gain: float) -> str:
    """`1.2 points`."""
    return f"{gain * 100:.1f} point{'' if f'{gain * 100:.1f}' == '1.0' else 's'}"
