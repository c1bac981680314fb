"""Proposed classes as values, as a list that a person edits, as JSON and as lines."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.wording import count
from tellapart.data.repair.fixes import guarded
from tellapart.errors import DataError, Reason
from tellapart.files import replacing
from tellapart.workflows.embedding import Embedder

LOOSE = 1.5
"""Tightness above which a proposal spreads clearly wider than the known classes."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Images that may be a new class: `rows` of the data set, the most typical first.

    `n_different` counts near-duplicates as one. `tightness` is how far its images lie from their middle, in such distances
    of the known classes: 1 is as tight as they are, more is looser; NaN where the model remembers too little to compare.
    `nearest` is the known class beside it and the distance of its mean in the same unit, None where none is remembered.
    """

    name: str
    rows: tuple[int, ...]
    n_different: int
    tightness: float
    nearest: tuple[str, float] | None

    def named(self, name: str) -> Proposal:
        """The same under another name."""
        return replace(self, name=name)

    @property
    def size(self) -> int:
        """Images, near-duplicates and all."""
        return len(self.rows)

    @property
    def told(self) -> str:
        """Size, tightness and neighbour in words."""
        parts = [count(self.size, "image")]
        if self.n_different < self.size:
            parts.append(f"{self.n_different:,} of them different")
        if self.tightness == self.tightness:
            spread = (
                "looser than"
                if self.tightness > LOOSE
                else "about as tight as"
                if self.tightness > 0.8
                else "tighter than"
            )
            parts.append(f"{spread} the known classes ({self.tightness:.2f})")
        if self.nearest is not None:
            parts.append(f"nearest to {self.nearest[0]!r}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Proposed:
    """Proposals of new classes from the images of `dataset` (those that could be read), the largest first.

    `collected` are the rows that were put together, the strangest first: those that score `score` or more, and with
    `unsure` those without an answer.
    """

    dataset: Dataset
    proposals: tuple[Proposal, ...]
    collected: tuple[int, ...]
    score: float
    unsure: bool
    min_images: int
    embedder: Embedder
    seconds: float

    @property
    def alone(self) -> tuple[int, ...]:
        """Collected rows in no proposal, the strangest first."""
        placed = {row for one in self.proposals for row in one.rows}
        return tuple(row for row in self.collected if row not in placed)

    @property
    def verdict(self) -> str:
        """What came out, in a sentence."""
        n = len(self.collected)
        if not n:
            return "Nothing to propose: the model knows all of these images."
        if not self.proposals:
            told = "is unknown and too few" if n == 1 else "are unknown, and no"
            more = "" if n == 1 else f" {self.min_images} of them are alike enough"
            return f"Nothing to propose: {count(n, 'image')} {told}{more} to make a class."
        placed = n - len(self.alone)
        classes = "1 new class" if len(self.proposals) == 1 else f"{len(self.proposals)} new classes"
        return f"{classes} proposed from {placed:,} of {count(n, 'unknown image')}."

    def lines(self) -> list[str]:
        """A short report for a terminal."""
        n, refused = len(self.dataset), len(self.dataset.refusals)
        return [
            f"data       {n + refused:,} images seen: {len(self.collected):,} unknown, {refused:,} refused",
            f"proposals  {self.verdict}",
            *(f"           {one.name}: {one.told}" for one in self.proposals),
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures; `nearest` is null and `tightness` null where nothing is remembered."""
        uris = self.dataset.uris
        return {
            "images": len(self.dataset) + len(self.dataset.refusals),
            "refused": [refusal.to_json() for refusal in self.dataset.refusals],
            "collected": len(self.collected),
            "score": self.score,
            "proposals": [
                {
                    "name": one.name,
                    "images": [uris[row] for row in one.rows],
                    "different": one.n_different,
                    "tightness": round(one.tightness, 3) if one.tightness == one.tightness else None,
                    "nearest": None
                    if one.nearest is None
                    else {"label": one.nearest[0], "distance": round(one.nearest[1], 3)},
                }
                for one in self.proposals
            ],
            "alone": [uris[row] for row in self.alone],
            "seconds": round(self.seconds, 2),
        }

    def write_csv(self, path: str | Path) -> Path:
        """Write `file_name,label` with a row for each proposed image; returns the folder that file names start from.

        A person names the classes there, empties what is left out, and gives it to `classes add`. UTF-8 with the mark by
        which Excel knows it; a name that a spreadsheet would take for a formula begins with "./".

        Raises:
            DataError: `write_failed`.
        """
        path = Path(path)
        root = self.root_of(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(["file_name", "label"])
                rows.writerows([self._listed(row, root), one.name] for one in self.proposals for row in one.rows)
        except OSError as exc:
            raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc
        return root

    def root_of(self, path: Path) -> Path:
        """Where file names of a list at `path` start: beside it if all images lie there, else in their own folder."""
        places = [self._absolute(row) for one in self.proposals for row in one.rows]
        beside = path.absolute().parent
        if all(place.is_relative_to(beside) for place in places):
            return beside
        return Path(os.path.commonpath([place.parent for place in places]))

    def _listed(self, row: int, root: Path) -> str:
        name = os.path.relpath(self._absolute(row), root)
        return name if guarded(name) == name else os.path.join(os.curdir, name)

    def _absolute(self, row: int) -> Path:
        uri, root = self.dataset.uris[row], self.dataset.root
        return Path(os.path.abspath(uri if root is None else root / uri))
