"""What every reader is: a function from a path to samples and refusals, and a cheap test whether a path is its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypedDict

from tellapart.records import Refusal, Sample


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read. `images`: the folder file names are relative to (default: where the annotation file lies).

    `allow_outside` accepts files outside that folder. `regions` makes one sample of every annotated box or polygon.
    `multilabel` True merges rows that name the same image, False refuses them as conflicts, None decides by the data.
    """

    images: Path | None = None
    allow_outside: bool = False
    regions: bool = False
    multilabel: bool | None = None


class ReadKeywords(TypedDict, total=False):
    """`ReadOptions` as keyword arguments of `Dataset.read`."""

    images: str | Path | None
    allow_outside: bool
    regions: bool
    multilabel: bool | None


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a reader saw: `len(samples) + len(refusals)` is the number of files or rows; `root` is where uris start.

    `has_labels` is False where the rows have no label column at all, as against empty cells in one.
    """

    root: Path
    samples: tuple[Sample, ...]
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    has_labels: bool = True


class Reader(Protocol):
    """One format. `accepts` looks at names and at most the first kilobytes; `read` raises DataError only when nothing
    of the whole can be read, everything smaller is a refusal."""

    name: str
    summary: str

    def accepts(self, path: Path) -> bool:
        """Whether `path` is of this format, judged quickly."""
        ...

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """All samples below or inside `path`, sorted by uri."""
        ...
