"""What is known of labelled and unlabelled images before anyone chooses: which are alike, and what a head says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.groups import combine_groups
from tellapart.errors import TrainingError
from tellapart.heads.acceptance import Acceptance
from tellapart.records import LabelSchema
from tellapart.workflows.embedding import EmbeddedDataset
from tellapart.workflows.fitting import without_empty_labels
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.progress import Progress
from tellapart.workflows.suggest_answers import Answers

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which of the n images get their proposed label without a person, bool (n,), and by which promise."""

    rows: Bools
    by: Acceptance | None


@dataclass(frozen=True, slots=True)
class Known:
    """n images: `things` int64 (n,) are equal for near-duplicates, `groups` also for what was declared to belong together.

    `schema` has the labels that are there, None without any. `answers` is None where no head could be fitted, and
    `why_not` then a sentence.
    """

    images: EmbeddedDataset
    schema: LabelSchema | None
    things: Ints
    groups: Ints
    answers: Answers | None
    why_not: str = ""

    @property
    def labelled(self) -> Bools:
        """bool (n,)."""
        return self.images.dataset.labelled

    @property
    def n_labelled_things(self) -> int:
        """Labelled images, near-duplicates counted once."""
        return len(np.unique(self.things[self.labelled]))

    def twins(self) -> dict[int, int]:
        """For each thing that has a label, the first labelled row that shows it."""
        rows = np.flatnonzero(self.labelled)[::-1]
        return dict(zip(self.things[rows].tolist(), rows.tolist(), strict=True))

    def accepted(self, precision: float | None) -> Accepted:
        """What may be accepted: sure enough, like the labelled images, and at odds with no labelled near-duplicate."""
        nothing = np.zeros(len(self.things), bool)
        if precision is None:
            return Accepted(nothing, None)
        if self.answers is None:
            return Accepted(nothing, Acceptance(precision, float("inf"), float("nan"), 0, self.why_not))
        by = self.answers.acceptance(precision)
        sure = ~self.labelled & ~self.answers.unlike & (self.answers.confidences >= by.threshold)
        return Accepted(sure & ~self._at_odds(np.flatnonzero(sure)), by)

    def _at_odds(self, rows: Ints) -> Bools:
        """bool (n,): of these rows those whose proposal is not what a labelled near-duplicate was given."""
        assert self.answers is not None
        given: dict[int, set[tuple[str, ...]]] = {}
        samples = self.images.dataset.samples
        for row in np.flatnonzero(self.labelled).tolist():
            given.setdefault(int(self.things[row]), set()).add(samples[row].labels or ())
        odd = np.zeros(len(self.things), bool)
        for row in rows.tolist():
            told = given.get(int(self.things[row]))
            odd[row] = told is not None and told != {tuple(sorted(self.answers.labels(row)))}
        return odd


def find_out(images: EmbeddedDataset, *, seed: int, cache_dir: Path | None, progress: Progress) -> Known:
    """Compare all images by their looks, and fit a head on the labelled ones as far as they suffice."""
    progress("finding near-duplicates", 0, 0)
    dataset = images.dataset
    things = _things(images, cache_dir)
    groups = combine_groups(things, dataset.ids, dataset.groups)
    if dataset.schema is None or not dataset.labelled.any():
        return Known(images, None, things, groups, None, "no image has a label yet")
    progress("fitting a head on the labelled images", 0, 0)
    known = images.subset(dataset.labelled)
    schema, _ = without_empty_labels(dataset.schema, known.dataset, known)
    try:
        return Known(images, schema, things, groups, Answers.fit(images, groups, schema, seed))
    except TrainingError as error:
        return Known(images, schema, things, groups, None, str(error))


def _things(images: EmbeddedDataset, cache_dir: Path | None) -> Ints:
    """Near-duplicates; regions of one file are different things, though they are no independent evidence."""
    dataset = images.dataset
    regions = dataset.table["roi"].to_list()
    apart = [f"{id_}{roi or ''}" for id_, roi in zip(dataset.ids, regions, strict=True)]
    looks = look_alikes(images.with_dataset(dataset.with_ids(apart)), cache_dir)
    return combine_groups(looks.groups, apart)
