"""Which rows of an index are meant: by what an image is called and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.index.index import Index, collected
from tellapart.index.where import near

# A row is the region of an image at one place; copies of an image share its id, and each is a row of its own.
KEY = ("id", "uri", "roi")
# Vectors of one image from two runs differ by rounding.
_SAME = 1e-5


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What becomes of m rows that arrive: the `chosen` int64 are stored, `gone` are rows of the index that they, or others that
    stay, stand for; `n_replacing` of the chosen stand for any.

    `n_unchanged` are in the index as they are; `n_repeated` were named again by a later row of the same arrival.
    """

    chosen: NDArray[np.int64]
    gone: NDArray[np.int64]
    n_replacing: int
    n_unchanged: int
    n_repeated: int


def arrivals(index: Index, vectors: NDArray[np.float32], table: pl.DataFrame, *, by_place: bool = False) -> Arrivals:
    """Compare unit vectors (m, d) and their rows with an index.

    `by_place`: an uri names one file, and an id what is in it. Then rows of the index that have the uri and region of one that
    arrives, and an id that does not, are of a file that was changed since.
    """
    last = _keyed(table).with_row_index("new").unique("key", keep="last", maintain_order=True)
    there = _candidates(index, table, by_place=by_place)
    both = last.join(there.unique("key", keep="last"), on="key", how="inner", maintain_order="left")
    new, old = both["new"].to_numpy().astype(np.int64), both["old"].to_numpy().astype(np.int64)
    same = _unchanged(index, vectors, table, new, old)
    chosen = np.setdiff1d(last["new"].to_numpy().astype(np.int64), new[same])
    changed, stale = _stale(last, there) if by_place else (new[:0], old[:0])
    gone = np.union1d(old[~same], stale)
    n_replacing = int(np.isin(chosen, np.concatenate([new[~same], changed])).sum())
    return Arrivals(chosen, gone, n_replacing, int(same.sum()), len(table) - len(last))


def distinct(table: pl.DataFrame) -> NDArray[np.int64]:
    """Rows int64 of a table in which no key comes twice: of each the last."""
    last = _keyed(table).with_row_index("new").unique("key", keep="last", maintain_order=True)
    return last["new"].to_numpy().astype(np.int64)


def rows_named(index: Index, names: Sequence[str], *, missing_ok: bool = False) -> NDArray[np.int64]:
    """Live rows whose id or uri is among `names`.

    Raises:
        SettingsError: `unknown_name` when no row has one of the names, unless `missing_ok`.
    """
    table = collected(index.path, index.scan(["id", "uri"])).with_row_index("#").filter(pl.Series(index.live))
    wanted = list(dict.fromkeys(names))
    found = table.filter(pl.col("id").is_in(wanted) | pl.col("uri").is_in(wanted))
    known = {*found["id"].to_list(), *found["uri"].to_list()}
    unknown = [name for name in wanted if name not in known]
    if unknown and not missing_ok:
        some = [name for name in table["uri"].head(10_000).to_list() if name is not None]
        more = f" and {len(unknown) - 1:,} more names" if len(unknown) > 1 else ""
        hint = near(unknown[0], some).split(" (known")[0]
        message = f"no row of the index {index.path} has the id or uri {unknown[0]!r}{more}{hint}; nothing was done"
        raise SettingsError(Reason.UNKNOWN_NAME, message)
    return found["#"].to_numpy().astype(np.int64)


def _stale(last: pl.DataFrame, there: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that arrive, and rows of the index at the same place that do not: what a file holds and what it held."""
    place = pl.struct(pl.col("key").struct.field("uri"), pl.col("key").struct.field("roi")).alias("place")
    named = pl.col("key").struct.field("uri").is_not_null()
    left = there.join(last, on="key", how="anti").filter(named).with_columns(place)
    both = last.with_columns(place).join(left, on="place", how="inner")
    return both["new"].to_numpy().astype(np.int64), both["old"].unique().to_numpy().astype(np.int64)


def _candidates(index: Index, table: pl.DataFrame, *, by_place: bool) -> pl.DataFrame:
    """Row numbers `old` and keys of the live rows with one of the ids, or uris: of a million rows these alone are compared."""
    names = [name for name in index.scan().collect_schema().names() if name in KEY]
    alike = pl.col("id").is_in(table["id"].unique().to_list())
    if by_place:
        alike |= pl.col("uri").is_in(table["uri"].drop_nulls().unique().to_list())
    rows = index.scan(names).with_row_index("old").filter(alike)
    found = collected(index.path, rows)
    found = found.filter(pl.Series(index.live[found["old"].to_numpy()], dtype=pl.Boolean))
    return _keyed(found).with_columns(found["old"])


def _keyed(table: pl.DataFrame) -> pl.DataFrame:
    """One column `key`; a column that is not there says as much as one without value."""
    parts = [pl.col(name).cast(pl.String) if name in table.columns else pl.lit(None, pl.String) for name in KEY]
    return table.select(pl.struct([part.alias(name) for name, part in zip(KEY, parts, strict=True)]).alias("key"))


def _unchanged(
    index: Index, vectors: NDArray[np.float32], table: pl.DataFrame, new: NDArray[np.int64], old: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """bool (m,): rows `new` that say what rows `old` of the index say, vector and all."""
    if not len(new):
        return np.zeros(0, bool)
    close = np.abs(index.vectors(old) - vectors[new]).max(axis=1) <= _SAME
    before, after = index.rows(old), table[new]
    both = pl.concat([before, after], how="diagonal_relaxed")
    first, second = both[: len(new)], both[len(new) :]
    alike = [_equal(first[name], second[name]) for name in both.columns]
    return np.asarray(np.logical_and.reduce([close, *alike]), bool)


def _equal(first: pl.Series, second: pl.Series) -> NDArray[np.bool_]:
    return np.asarray(first.eq_missing(second).to_numpy(), bool)
