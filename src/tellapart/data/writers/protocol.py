"""What every writer is: a data set to files that its reader reads back, or a clear statement of what is lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tellapart.data.dataset import Dataset
from tellapart.records import Refusal


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write. `copy` puts the images beside the annotation file (in `images/`), else they are referred to.

    `overwrite` allows to replace files of the same name; nothing else in the folder is touched.
    """

    copy: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What was written: the path, how many samples, fields the format has no place for, and files that were refused."""

    path: Path
    n_written: int
    lost: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()


class Writer(Protocol):
    """One format. `carries` names what survives: multilabel, unlabelled, empty (nothing present), group, split, roi,
    captured_at, metadata. A data set with several labels per image is refused where `multilabel` is missing."""

    name: str
    carries: frozenset[str]

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """Write; each file appears whole or not at all. DataError output_exists or write_failed."""
        ...
