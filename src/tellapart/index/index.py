"""An index of vectors: what `Index.open` gives, and the searches it answers."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.index.exact import Hits, dropped, joined, nothing, rescored, shifted, unit
from tellapart.index.kinds import Searcher
from tellapart.index.manifest import ROWS, Manifest, SegmentRecord, damaged, read_manifest
from tellapart.index.segments import open_segment, read_removed
from tellapart.index.space import Space
from tellapart.index.where import mask_expression

if TYPE_CHECKING:
    import polars as pl

# Opening takes milliseconds and meets a change now and then; so many in a row it does not.
_ATTEMPTS = 10
_ONE = np.float32(1)
# A column that no table has.
_NUMBER = "\0row"


class Index:
    """An index folder, opened and memory-mapped: one generation of it, whatever others change meanwhile.

    Rows are counted over all segments in the order in which they were added, removed ones included (`live` says which are
    there). Safe to use from several threads.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        segments: Sequence[Searcher],
        rows: Sequence[BinaryIO],
        gone: NDArray[np.bool_] | None,
    ):
        self.path, self.manifest = path, manifest
        self._segments, self._rows, self._gone = tuple(segments), tuple(rows), gone
        # A file that is open can be read when a change has removed it since.
        weakref.finalize(self, _close, self._rows)
        self._starts = np.cumsum([0, *(segment.n for segment in manifest.segments)])

    @classmethod
    def open(cls, path: str | Path) -> Index:
        """Open an index in milliseconds, whatever its size.

        Sizes are checked, checksums are not: `verify` reads every byte.

        Raises:
            DataError: `index_not_found`, `index_damaged`, `index_too_new`, `index_in_use`, `read_failed`.
        """
        folder = Path(path)
        for _ in range(_ATTEMPTS):
            manifest = read_manifest(folder)
            try:
                return cls._opened(folder, manifest)
            except FileNotFoundError as exc:
                if read_manifest(folder).generation == manifest.generation:
                    raise damaged(folder, f"its file {exc.filename} is missing") from exc
            except OSError as exc:
                raise DataError(Reason.READ_FAILED, f"{folder} could not be read: {exc.strerror or exc}") from exc
        raise changed(folder)

    @classmethod
    def _opened(cls, folder: Path, manifest: Manifest) -> Index:
        with contextlib.ExitStack() as stack:
            segments = [open_segment(folder, segment) for segment in manifest.segments]
            rows = [stack.enter_context((folder / one.name / ROWS).open("rb")) for one in manifest.segments]
            index = cls(folder, manifest, segments, rows, read_removed(folder, manifest))
            stack.pop_all()
        return index

    def __len__(self) -> int:
        return self.manifest.n

    @property
    def space(self) -> Space:
        """Where the vectors come from; they have length 1 here whatever they had before."""
        return self.manifest.space

    @property
    def n_stored(self) -> int:
        """Rows of all segments, removed ones included."""
        return int(self._starts[-1])

    @property
    def live(self) -> NDArray[np.bool_]:
        """bool (n_stored,): True where a row was not removed."""
        return np.ones(self.n_stored, bool) if self._gone is None else ~self._gone

    def search(
        self,
        queries: NDArray[np.floating],
        k: int = 10,
        *,
        allowed: NDArray[np.bool_] | None = None,
        without: Sequence[Sequence[int]] | None = None,
    ) -> Hits:
        """The `k` most similar rows of each of the queries (q, d) of any length, by cosine: 1 the same, 0 nothing in common.

        `allowed` bool (n_stored,) restricts to some rows, `without` names for each query rows that must not be found. Where
        fewer than k rows are there, the last places have row -1 and similarity -inf. Equal ones come by row.

        Raises:
            DataError: `foreign_vectors` for vectors of another size, `dataset_format` for values that are no numbers.
            SettingsError: `bad_setting` for k below 1.
        """
        if k < 1:
            raise SettingsError(Reason.BAD_SETTING, f"k must be 1 or more, got {k}")
        asked = self._checked(queries)
        if without is None:
            return self._found(asked, k, self._mask(allowed))
        most = max((len(rows) for rows in without), default=0)
        return dropped(self._found(asked, k + most, self._mask(allowed)), without, k)

    def rows(self, rows: NDArray[np.integer] | Sequence[int], columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The table's rows at these numbers, in that order: id, uri, labels, group, split, and what else was given."""
        import polars as pl

        wanted = np.asarray(rows, np.int64)
        unique, back = np.unique(wanted, return_inverse=True)
        table = self.scan(columns)
        found = collected(self.path, table.with_row_index(_NUMBER).filter(pl.col(_NUMBER).is_in(unique.tolist())))
        if found.height != len(unique):
            raise IndexError(f"the index {self.path} has {self.n_stored} rows, asked for {unique[-1]}")
        return found.drop(_NUMBER)[back]

    def scan(self, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """All n_stored rows, not read yet."""
        import polars as pl

        parts = [pl.scan_parquet(file) for file in self._rows]
        if not parts:
            return pl.LazyFrame(schema={"id": pl.String, "uri": pl.String, "labels": pl.List(pl.String)})
        table = pl.concat(parts, how="diagonal_relaxed") if len(parts) > 1 else parts[0]
        return table if columns is None else table.select(columns)

    def where(self, conditions: Sequence[str]) -> NDArray[np.bool_]:
        """bool (n_stored,): live rows for which all conditions hold, such as "split=train", "label=frog", "width>=100".

        Raises:
            SettingsError: `bad_setting`, `unknown_name`.
        """
        table = self.scan()
        schema = collected(self.path, table.head(0)).schema
        expression = mask_expression(conditions, schema, lambda name: collected(self.path, table.select(name))[name])
        found = collected(self.path, table.select(expression.alias("#")))["#"].fill_null(False).to_numpy()
        return np.asarray(found, bool) & self.live

    def vectors(self, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.float32]:
        """The unit vectors float32 (m, d) at these row numbers."""
        wanted = np.asarray(rows, np.int64)
        out = np.empty((len(wanted), self.space.dim), np.float32)
        for start, segment in zip(self._starts[:-1].tolist(), self._segments, strict=True):
            here = (wanted >= start) & (wanted < start + len(segment.vectors))
            out[here] = segment.vectors[wanted[here] - start]
        return out

    def parts(self) -> list[tuple[SegmentRecord, NDArray[np.float32], NDArray[np.bool_]]]:
        """Record, vectors (mapped) and live rows of each segment."""
        live = np.split(self.live, self._starts[1:-1]) if self._segments else []
        return [
            (record, segment.vectors, mask)
            for record, segment, mask in zip(self.manifest.segments, self._segments, live, strict=True)
        ]

    def _checked(self, queries: NDArray[np.floating]) -> NDArray[np.float32]:
        values = np.asarray(queries)
        if values.ndim != 2 or values.shape[1] != self.space.dim:
            message = f"the queries must be numbers of shape (q, {self.space.dim}), got {values.dtype} {values.shape}"
            raise DataError(Reason.FOREIGN_VECTORS, message)
        ready = unit(values)
        if ready is not values and not np.isfinite(ready.sum()):  # what has length 1 is finite
            raise DataError(Reason.DATASET_FORMAT, "the queries: a value is no finite number; embed them again")
        return ready

    def _mask(self, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        if allowed is not None and allowed.shape != (self.n_stored,):
            raise ValueError(f"allowed must have shape ({self.n_stored},), got {allowed.shape}")
        if self._gone is None:
            return None if allowed is None or allowed.all() else allowed
        return ~self._gone if allowed is None else allowed & ~self._gone

    def _found(self, queries: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None) -> Hits:
        if mask is None and len(self._segments) == 1 and k <= self.n_stored:
            best = self._segments[0].search(queries, k, None)
        else:
            parts = [shifted(part, start, k) for start, part in self._parts_found(queries, k, mask)]
            best = joined(parts, k) if parts else nothing(len(queries), k)
        return Hits(np.minimum(best.similarities, _ONE), best.rows)  # rounding

    def _parts_found(
        self, queries: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None
    ) -> list[tuple[int, Hits]]:
        found = []
        for start, segment in zip(self._starts.tolist(), self._segments, strict=False):
            here = None if mask is None else mask[start : start + len(segment.vectors)]
            if here is None or here.any():
                allowed = None if here is None or here.all() else here
                found.append((start, segment, segment.search(queries, min(k, len(segment.vectors)), allowed)))
        if len(found) == 1:
            return [(start, hits) for start, _, hits in found]
        # Between segments, too, exact sums decide, where those of faiss differ in the last digit.
        return [(start, rescored(queries, segment.vectors, hits)) for start, segment, hits in found]


def _close(files: Sequence[BinaryIO]) -> None:
    for file in files:
        file.close()


def changed(folder: Path) -> DataError:
    """The error for a reader whom a change overtook."""
    message = f"the index {folder} was changed while it was being read; run the command again"
    return DataError(Reason.INDEX_IN_USE, message)


def collected(folder: Path, table: pl.LazyFrame) -> pl.DataFrame:
    """Read rows.

    Raises:
        DataError: `index_in_use` when another process replaced them meanwhile, `index_damaged`.
    """
    import polars as pl

    try:
        return table.collect()
    except FileNotFoundError as exc:
        raise changed(folder) from exc
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError, pl.exceptions.PanicException, OSError) as exc:
        said = str(exc).split("\n", 1)[0][:200]
        raise damaged(folder, f"its rows cannot be read ({said})") from exc
