"""What a check looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.prospects import Prospects
from tellapart.data.hygiene.variants import Variants
from tellapart.records import LabelSchema, Task

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Part = Literal["embeddings", "probabilities", "look_alikes", "prospects", "variants"]
Action = Literal["drop", "relabel", "merge", "group", "move"]


class Severity(IntEnum):
    """How much a finding matters: the exit code of `check` follows the worst."""

    NOTE = 0
    """Worth knowing."""
    WARNING = 1
    """A model from this data is worse than it could be."""
    ERROR = 2
    """A model from this data, or its figures, cannot be trusted."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One repair that a person may accept: `row` is a sample's, `value` the new label, group or split ("" for drop).

    `was` is the label that a merge replaces, "" for other actions. What does not follow from the files alone is not `sure`,
    and waits for a person to accept it.
    """

    row: int
    action: Action
    value: str = ""
    was: str = ""
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, once for each thing that is wrong.

    `rows` are the samples concerned, worst first, with `scores` (higher is worse) where the check ranks them. `clusters`
    are rows that must be seen side by side. `figures` are the numbers in the sentence.
    """

    check: str
    severity: Severity
    sentence: str
    remedy: str
    rows: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    clusters: tuple[tuple[int, ...], ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything checks may look at, about the n images that could be read and carry labels.

    `dataset` lists them and what was refused. `labels` uint8 (n, k) in schema order, `statistics` float32 (n, m) as
    `image.quality.FIELDS`, `thumbnails` uint8 (n, s, s), grey. The rest costs more and may be missing: `embeddings` float32
    (n, d); `probabilities` float32 (n, k), calibrated and out of fold, nan where a row could not be judged; `look_alikes`
    int64 (n,), groups by looks; `prospects`, what more images would buy; `variants`, what
    is recognised of augmented images.
    """

    dataset: Dataset
    schema: LabelSchema
    labels: NDArray[np.uint8]
    statistics: Float32
    thumbnails: NDArray[np.uint8]
    embeddings: Float32 | None = None
    probabilities: Float32 | None = None
    look_alikes: Int64 | None = None
    prospects: Prospects | None = None
    variants: Variants | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def has(self, part: Part) -> bool:
        """Whether a costly part is there."""
        return getattr(self, part) is not None

    @property
    def exclusive(self) -> bool:
        """Whether each image has one label."""
        return self.schema.task is not Task.MULTILABEL

    @property
    def classes(self) -> Int64:
        """The label's column of each image, int64 (n,); of the first label for several."""
        return np.asarray(self.labels.argmax(axis=1), dtype=np.int64)

    def label_of(self, row: int) -> str:
        """The label names of an image, as one text."""
        names = [self.schema.names[column] for column in np.flatnonzero(self.labels[row])]
        return " + ".join(names) or "(none)"


@dataclass(frozen=True, slots=True)
class Check:
    """A named check. `needs` are the costly parts without which it cannot look; one without needs always runs in `train`."""

    name: str
    title: str
    run: Callable[[Evidence], Sequence[Finding]]
    needs: tuple[Part, ...] = ()
