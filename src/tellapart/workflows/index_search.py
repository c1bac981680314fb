"""Searches in an index: by image, by vector, by a row that is in it; and rows that are nearly alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import Announce
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.index.exact import Hits
from tellapart.index.index import Index
from tellapart.index.vectors import Vectors
from tellapart.records import Refusal
from tellapart.workflows.index_queries import Making, check_fits, dataset_of, images_of, vectors_of
from tellapart.workflows.index_result import Alike, Answered, Found, Group, Hit
from tellapart.workflows.progress import Progress, silent


class _Queries(NamedTuple):
    """q queries: vectors float32 (q, d), what each is called, and its id."""

    vectors: NDArray[np.float32]
    names: list[str]
    ids: list[str]
    refusals: tuple[Refusal, ...] = ()


def search(
    index: Index | str | Path,
    images: Dataset | Sequence[str | Path] | str | Path | None = None,
    *,
    vectors: Vectors | str | Path | None = None,
    like: Sequence[str] = (),
    k: int = 10,
    where: Sequence[str] = (),
    not_itself: bool = False,
    model: Classifier | str | Path | None = None,
    store: Store | None = None,
    announce: Announce | None = None,
    workers: int = 0,
    provider: str = "cpu",
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Found:
    """The `k` rows of an index that are most similar to each query, by cosine: 1 the same, 0 nothing in common.

    Queries are `images` (files, folders, a data set), which the model or backbone of the index makes vectors of (`model`
    says where that lies if not where it was), then `vectors` and rows of the index that are `like` these ids or uris. Only rows
    for which all conditions `where` hold are found; with `not_itself` none of the query's own id.

    Raises:
        SettingsError: `bad_setting` without a query or for k below 1; `unknown_name`.
        DataError: `foreign_vectors`, `index_not_found`, `dataset_not_found` …
    """
    opened = index if isinstance(index, Index) else Index.open(index)
    allowed = opened.where(where) if where else None
    making = Making(
        store=store, announce=announce, workers=workers, provider=provider, limits=limits, progress=progress
    )
    asked = [
        *_by_images(opened, images, model, making),
        *_by_vectors(opened, vectors),
        *_by_rows(opened, like),
    ]
    if not asked:
        raise SettingsError(Reason.BAD_SETTING, "name what to look for: images, vectors or rows of the index")
    queries = np.concatenate([one.vectors for one in asked])
    names, ids = [name for one in asked for name in one.names], [an_id for one in asked for an_id in one.ids]
    progress("searching", 0, 0)
    without = _own_rows(opened, ids) if not_itself else None
    # There are no more rows than there are: places for k would be filled with nothing.
    found = opened.search(queries, min(k, max(1, len(opened))), allowed=allowed, without=without)
    return Found(_answers(opened, names, found), tuple(refusal for one in asked for refusal in one.refusals))


def find_duplicates(
    index: Index | str | Path, above: float = 0.98, *, where: Sequence[str] = (), progress: Progress = silent
) -> Alike:
    """Rows that are nearly alike: all pairs with a similarity of `above` or more, as groups that hang together.

    Raises:
        SettingsError: `bad_setting`, `unknown_name`. DataError: `index_not_found` …
    """
    from tellapart.index.duplicates import duplicates

    opened = index if isinstance(index, Index) else Index.open(index)
    allowed = opened.where(where) if where else None
    pairs = duplicates(opened, above, allowed=allowed, told=lambda done, total: progress("comparing rows", done, total))
    groups = pairs.groups()
    nearest: dict[int, float] = {}
    for (first, second), similarity in zip(pairs.pairs.tolist(), pairs.similarities.tolist(), strict=True):
        nearest[first] = max(nearest.get(first, 0.0), similarity)
        nearest[second] = max(nearest.get(second, 0.0), similarity)
    rows = [row for group in groups for row in group]
    hits = iter(_hits(opened, rows, [nearest[row] for row in rows]))
    return Alike(above, len(pairs.pairs), tuple(Group(tuple(next(hits) for _ in group)) for group in groups))


def _by_images(
    index: Index,
    images: Dataset | Sequence[str | Path] | str | Path | None,
    model: Classifier | str | Path | None,
    making: Making,
) -> list[_Queries]:
    if images is None or (not isinstance(images, Dataset | str | Path) and not images):
        return []
    paths = [images] if isinstance(images, str | Path) else images
    dataset = paths if isinstance(paths, Dataset) else dataset_of(paths)
    made = images_of(index, dataset, model, making)
    return [_Queries(made.vectors, _names(made), list(made.ids), made.refusals)]


def _by_vectors(index: Index, vectors: Vectors | str | Path | None) -> list[_Queries]:
    if vectors is None:
        return []
    read = vectors_of(vectors)
    check_fits(index, read, "the queries" if isinstance(vectors, Vectors) else str(vectors))
    return [_Queries(read.vectors, _names(read), list(read.ids))]


def _by_rows(index: Index, names: Sequence[str]) -> list[_Queries]:
    if not names:
        return []
    from tellapart.index.keys import rows_named

    rows = rows_named(index, names)
    table = index.rows(rows, ["id", "uri"])
    called = [uri or an_id for an_id, uri in table.iter_rows()]
    return [_Queries(index.vectors(rows), called, table["id"].to_list())]


def _names(vectors: Vectors) -> list[str]:
    return [uri or an_id for an_id, uri in vectors.table.select("id", "uri").iter_rows()]


def _own_rows(index: Index, ids: Sequence[str]) -> list[list[int]]:
    """Rows of the index that have the id of each query."""
    import polars as pl

    from tellapart.index.index import collected

    wanted = list(dict.fromkeys(ids))
    table = index.scan(["id"]).with_row_index("#").filter(pl.col("id").is_in(wanted))
    rows: dict[str, list[int]] = {}
    for row, an_id in collected(index.path, table).iter_rows():
        rows.setdefault(an_id, []).append(row)
    return [rows.get(an_id, []) for an_id in ids]


def _answers(index: Index, names: Sequence[str], found: Hits) -> tuple[Answered, ...]:
    there = found.rows >= 0
    hits = iter(_hits(index, found.rows[there].tolist(), found.similarities[there].tolist()))
    return tuple(
        Answered(name, tuple(next(hits) for _ in range(n)))
        for name, n in zip(names, there.sum(axis=1).tolist(), strict=True)
    )


def _hits(index: Index, rows: Sequence[int], similarities: Sequence[float]) -> list[Hit]:
    if not rows:
        return []
    facts = index.rows(rows).iter_rows(named=True)
    return [Hit(row, similarity, fact) for row, similarity, fact in zip(rows, similarities, facts, strict=True)]
