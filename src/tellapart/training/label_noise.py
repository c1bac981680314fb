"""How much each label is to be believed in a fit, by a model that has not seen the image and by the image's neighbours.

`drop` leaves out the labels that are more probably wrong than right, and only where there is evidence of wrong labels at
all (`data.hygiene.label_errors`). `downweight` needs no evidence: a label counts as the root of what the model gives it over
what it gives the best one, so a label that the model agrees with counts fully. What this buys is measured by
`benchmarks/label_noise.py` (docs/training.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.label_errors import Doubts, doubts
from tellapart.data.hygiene.label_quality import cell_quality, label_quality
from tellapart.data.hygiene.second_opinion import opinion
from tellapart.errors import Reason, SettingsError
from tellapart.records import Task

LabelNoise = Literal["keep", "drop", "downweight"]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
# A class that is mostly dropped would be unlearned: then the model fails on it, not whoever labelled it.
_MOST_DROPPED = 0.5
_NEVER_ZERO = 1e-6


@dataclass(frozen=True, slots=True)
class Doubted:
    """What a fit of n images does about labels that are probably wrong.

    `weights` in 0–1 are what labels count, float64 (n,), or (n, k) for several labels per image. `wrong` bool (n,) are the
    images of which a label is more probably wrong than right, a share `rate` of all labels; both are empty without evidence.
    """

    how: LabelNoise
    weights: Doubles
    wrong: NDArray[np.bool_]
    rate: float

    @property
    def by_image(self) -> Doubles:
        """The weight of the least believed label of each image, float64 (n,)."""
        return self.weights if self.weights.ndim == 1 else np.asarray(self.weights.min(axis=1))


def label_noise(text: str) -> LabelNoise:
    """The setting of that name.

    Raises:
        SettingsError: `bad_setting`.
    """
    for known in get_args(LabelNoise):
        if text == known:
            return known  # type: ignore[no-any-return]
    raise SettingsError(Reason.BAD_SETTING, f"label noise is to 'keep', 'drop' or 'downweight', got {text!r}")


def doubted(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    probabilities: Floats,
    groups: NDArray[np.int64],
    task: Task,
    how: LabelNoise,
) -> Doubted:
    """Of embeddings (n, d), labels 0/1 (n, k) and out-of-fold probabilities (n, k), nan where an image was not judged.

    `groups` (n,) number images that belong together: they do not vouch for one another.
    """
    seen = opinion(embeddings, probabilities, labels, groups, task)
    found = doubts(labels, seen, groups, task)
    wrong = np.zeros(len(labels), bool)
    if found is not None:
        wrong[found.rows] = True
    weights = _without(labels, found, task) if how == "drop" else _believed(labels, seen, task)
    return Doubted(how, weights, wrong, found.rate if found else 0.0)


def _without(labels: NDArray[np.uint8], found: Doubts | None, task: Task) -> Doubles:
    """0 for labels that are probably wrong, unless that would leave little of a class."""
    several = task is Task.MULTILABEL
    dropped = np.zeros(labels.shape, bool)
    if found is not None:
        dropped[found.rows, found.columns if several else labels[found.rows].argmax(axis=1)] = True
    of_class = (labels != 0) & dropped
    unlearned = of_class.sum(axis=0) > _MOST_DROPPED * labels.sum(axis=0)
    dropped &= ~((labels != 0) & unlearned)
    return np.asarray(~dropped if several else ~dropped.any(axis=1), np.float64)


def _believed(labels: NDArray[np.uint8], seen: Floats, task: Task) -> Doubles:
    """The root of the share of the label over that of the best one; 1 where nobody could judge."""
    if task is Task.MULTILABEL:
        quality, best = cell_quality(labels, seen), np.maximum(seen, 1 - seen)
    else:
        quality, best = label_quality(labels, seen, task), seen.max(axis=1)
    best = np.where(np.isfinite(best), best, 1)
    return np.asarray(np.sqrt(np.clip(quality / np.maximum(best, _NEVER_ZERO), 0, 1)), np.float64)
