"""Changes of an index: under a lock, as a new generation, with `index.json` replaced as the last step.

A kill at any moment leaves the old generation or the new one; files that no generation names are cleared by the next change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason
from tellapart.files import replacing
from tellapart.index.folder import alone, clear, last_generation, refuse_others, translated
from tellapart.index.index import Index, collected
from tellapart.index.kinds import check_kind, kind_for
from tellapart.index.manifest import MANIFEST, Manifest, SegmentRecord
from tellapart.index.plan import Part, Written, after_adding, after_removing
from tellapart.index.segments import recorded, sync, write_removed, write_segment
from tellapart.index.space import Space

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment of the next generation: one that is there, or one just written, and which of its rows are gone."""

    record: SegmentRecord
    gone: NDArray[np.bool_]

    @property
    def part(self) -> Part:
        """What a plan needs of it."""
        return Part(self.record.kind, self.record.n, int(np.count_nonzero(~self.gone)))


class Change:
    """One change: what is there, and what the next generation will consist of."""

    def __init__(self, folder: Path, manifest: Manifest, index: Index | None) -> None:
        self.folder, self._manifest, self.index = folder, manifest, index
        self._pieces = [] if index is None else [Piece(record, ~live) for record, _, live in index.parts()]
        self._written = 0

    @property
    def source(self) -> Mapping[str, str]:
        """Where images and model lie."""
        return self._manifest.source

    def keep_projection(self, write: Callable[[Path], None]) -> None:
        """Have the projection that the vectors went through in the index too; `write` writes it to a path."""
        path = self.folder / f"projection-{self._manifest.generation:06d}.safetensors"
        write(path)
        self._manifest = replace(self._manifest, projection={path.name: recorded(path)})

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Take rows away."""
        gone = np.concatenate([piece.gone for piece in self._pieces] or [np.zeros(0, bool)])
        gone[rows] = True
        ends = np.cumsum([piece.record.n for piece in self._pieces])[:-1]
        parts = np.split(gone, ends) if self._pieces else []
        self._pieces = [replace(piece, gone=part) for piece, part in zip(self._pieces, parts, strict=True)]

    def compact(self) -> None:
        """Write segments anew of which too much is gone: after what was added, whose segment is whole."""
        sparse = after_removing([piece.part for piece in self._pieces])
        kept = []
        for number, piece in enumerate(self._pieces):
            if number not in sparse:
                kept.append(piece)
            elif piece.part.live:
                vectors, table = self._live([number])
                kind = "flat" if piece.record.kind == "flat" else kind_for(self._manifest.kind, len(vectors))
                kept.append(self._new(kind, vectors, table))
        self._pieces = kept

    def add(self, vectors: NDArray[np.float32], table: pl.DataFrame) -> None:
        """Append unit vectors (m, d) and their rows."""
        written = after_adding(self._manifest.kind, [piece.part for piece in self._pieces], len(vectors))
        whole, rows = self._live(range(written.first, len(self._pieces)), vectors, table)
        if written.base:
            self._grow(written, whole, rows)
            return
        self._pieces = [*self._pieces[: written.first], self._new(written.kind, whole, rows)]

    def _grow(self, written: Written, vectors: NDArray[np.float32], table: pl.DataFrame) -> None:
        """The large segment with all its rows, and more behind them."""
        base = self._pieces[0]
        before, rows = self._stored(0)
        piece = self._new(
            written.kind, np.concatenate([before, vectors]), _stacked([rows, table]), self.folder / base.record.name
        )
        self._pieces = [replace(piece, gone=np.concatenate([base.gone, np.zeros(len(vectors), bool)]))]

    def _live(
        self, numbers: Sequence[int], vectors: NDArray[np.float32] | None = None, table: pl.DataFrame | None = None
    ) -> tuple[NDArray[np.float32], pl.DataFrame]:
        """Vectors and rows that are left of some segments, and more behind them."""
        found, tables = [], []
        for number in numbers:
            there, rows = self._stored(number)
            live = ~self._pieces[number].gone
            found.append(there[live])
            tables.append(rows.filter(live))
        if vectors is not None and table is not None:
            found, tables = [*found, vectors], [*tables, table]
        return (found[0] if len(found) == 1 else np.concatenate(found)), _stacked(tables)

    def _stored(self, number: int) -> tuple[NDArray[np.float32], pl.DataFrame]:
        """All vectors and rows of a segment that is there."""
        if self.index is None:
            raise RuntimeError("a new index has no segments")
        name = self._pieces[number].record.name
        at = [record.name for record in self.index.manifest.segments].index(name)
        start = sum(record.n for record in self.index.manifest.segments[:at])
        record, vectors, _ = self.index.parts()[at]
        return vectors, collected(self.folder, self.index.scan().slice(start, record.n))

    def _new(self, kind: str, vectors: NDArray[np.float32], table: pl.DataFrame, base: Path | None = None) -> Piece:
        self._written += 1
        name = f"s{self._manifest.generation:06d}" + (f"-{self._written}" if self._written > 1 else "")
        record = write_segment(self.folder, name, kind, vectors, table, recall=self._manifest.recall, base=base)
        return Piece(record, np.zeros(len(vectors), bool))

    def commit(self) -> Manifest:
        """Make the new generation the one that is there."""
        gone = np.concatenate([piece.gone for piece in self._pieces] or [np.zeros(0, bool)])
        rows = np.flatnonzero(gone).astype(np.int64)
        manifest = replace(
            self._manifest,
            n=len(gone) - len(rows),
            segments=tuple(piece.record for piece in self._pieces),
            removed=len(rows),
            removed_file=write_removed(self.folder, f"removed-{self._manifest.generation:06d}.npy", rows),
        )
        sync(self.folder)
        with replacing(self.folder / MANIFEST) as temporary:
            temporary.write_bytes(manifest.to_bytes())
        sync(self.folder)
        clear(self.folder, manifest)
        return manifest


@contextmanager
def creating(
    path: Path, space: Space, *, kind: str, recall: float, source: dict[str, str], overwrite: bool
) -> Iterator[Change]:
    """A change that makes a new index at `path`, or one in the place of another (`overwrite`).

    Raises:
        DataError: `output_exists`, `index_in_use`, `write_failed`.
        SettingsError: `unknown_name` for the kind.
    """
    check_kind(kind)
    refuse_others(path, overwrite)
    with translated(path), alone(path, make=True):
        refuse_others(path, overwrite)
        generation = last_generation(path) + 1
        yield Change(path, Manifest(replace(space, normalised=True), kind, recall, generation, source=source), None)


@contextmanager
def changing(path: Path) -> Iterator[Change]:
    """A change of the index at `path`; the block calls `commit`.

    Raises:
        DataError: `index_not_found`, `index_damaged`, `index_in_use`, `write_failed` …
    """
    Index.open(path)  # where there is no index, this is what is to be told, and no lock is left
    with translated(path), alone(path, make=False):
        index = Index.open(path)
        yield Change(path, replace(index.manifest, generation=index.manifest.generation + 1), index)


def rows_of(table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The table in the types that the index's columns have; where one holds nothing yet, the type is the table's.

    Raises:
        DataError: `bad_row` when a value cannot become one, or would lose something.
    """
    import polars as pl

    there = {name: dtype for name, dtype in schema.items() if name in table.columns and dtype != pl.Null}
    wanted = {name: dtype for name, dtype in there.items() if table.schema[name] != dtype}
    try:
        cast = table.cast(dict(wanted)) if wanted else table  # type: ignore[arg-type]
        _check_kept(table, cast, wanted)
        return cast
    except pl.exceptions.PolarsError as exc:
        kinds = ", ".join(f"{name} {dtype}" for name, dtype in wanted.items())
        said = str(exc).split("\n", 1)[0][:200]
        message = f"the rows do not fit those of the index, which has the columns {kinds}: {said}"
        raise DataError(Reason.BAD_ROW, message) from exc


def _check_kept(before: pl.DataFrame, after: pl.DataFrame, names: Iterable[str]) -> None:
    """1.5 is no whole number, and a day has no hour: polars makes 1 and the day of them without a word."""
    import polars as pl

    for name in names:
        old, new = before[name], after[name]
        if not (old.dtype.is_numeric() or old.dtype.is_temporal()):
            continue
        rounded = old.dtype.is_float() and new.dtype.is_float()  # half the digits are meant
        lost = new.is_infinite() & old.is_finite() if rounded else ~new.cast(old.dtype).eq_missing(old)
        if lost.any():
            message = f"{name} {old.filter(lost)[0]} cannot be kept as {new.dtype}"
            raise pl.exceptions.InvalidOperationError(message)


def _stacked(tables: list[pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    return pl.concat(tables, how="diagonal_relaxed") if len(tables) > 1 else tables[0]
