"""Indexes of pictures: built, added to, thinned out. Searching them is `index_search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.backbones.registry import Announce
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.index.index import Index
from tellapart.index.manifest import Manifest
from tellapart.index.vectors import Vectors
from tellapart.workflows.index_queries import (
    Making,
    absolute_rows,
    check_fits,
    images_of,
    is_vectors,
    remembered,
    vectors_of,
)
from tellapart.workflows.index_result import Changed
from tellapart.workflows.index_search import find_duplicates, search
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.projecting import LearnedProjection

if TYPE_CHECKING:
    from tellapart.index.change import Change

__all__ = ["add", "build_index", "describe", "find_duplicates", "remove", "search", "verify_index"]


def build_index(
    path: str | Path,
    data: Vectors | Dataset | str | Path,
    *,
    source: Classifier | str | Path | None = None,
    kind: str = "auto",
    recall: float = 0.95,
    overwrite: bool = False,
    size: int | None = None,
    preprocess: str | None = None,
    projection: LearnedProjection | str | Path | None = None,
    store: Store | None = None,
    announce: Announce | None = None,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Changed:
    """Make an index folder of vectors (`Vectors` or their file), or of images, which `source` then makes vectors of.

    `kind`: "flat" compares with every vector, "hnsw" and "ivfpq" with few; "auto" is flat up to 100,000 vectors, then hnsw,
    above 5,000,000 ivfpq. Of an approximate kind the search is made as thorough as `recall` of the ten nearest demands,
    measured on 300 of the vectors. `source`, `size`, `preprocess` and `projection` are those of `embed`; vectors that went
    through a projection already need it for searching by image.

    Raises:
        DataError: `output_exists` unless `overwrite`, `index_in_use`, `write_failed`, `dataset_empty` …
        SettingsError: `bad_setting`, `unknown_name`.
    """
    from tellapart.index.change import creating
    from tellapart.index.folder import refuse_others
    from tellapart.index.kinds import check_kind

    check_kind(kind)
    if not 0 < recall <= 1:
        raise SettingsError(Reason.BAD_SETTING, f"recall is a share above 0, at most 1, got {recall:g}")
    path = Path(path)
    refuse_others(path, overwrite)  # before hours of embedding
    learned = LearnedProjection.read(projection) if isinstance(projection, str | Path) else projection
    making = Making(size, preprocess, store, announce, workers, provider, cache_dir, limits, progress, learned)
    vectors = _given(data, source, making)
    if learned is not None:
        learned.target(normalised=True).check_same(replace(vectors.space, normalised=True), "the vectors")
    known = remembered(path, vectors, source)
    with creating(path, vectors.space, kind=kind, recall=recall, source=known, overwrite=overwrite) as change:
        if learned is not None:
            change.keep_projection(learned.write)
        return _added(path, change, vectors, progress)


def add(
    path: str | Path,
    data: Vectors | Dataset | str | Path,
    *,
    source: Classifier | str | Path | None = None,
    store: Store | None = None,
    announce: Announce | None = None,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Changed:
    """Add vectors, or images by what the index was made with (`source` says where that lies if not where it was).

    A row with the id, uri and region of one that is there takes its place; rows that are there as they are stay.

    Raises:
        DataError: `foreign_vectors` for vectors of another origin, `index_not_found`, `index_in_use`, `bad_row` …
    """
    from tellapart.index.change import changing

    path = Path(path)
    index = Index.open(path)
    making = Making(None, None, store, announce, workers, provider, cache_dir, limits, progress)
    if _are_vectors(data):
        vectors, what = vectors_of(data), "the vectors" if isinstance(data, Vectors) else str(data)
        check_fits(index, vectors, what)
    else:
        vectors = images_of(index, _dataset(data), source, making)
    with changing(path) as change:
        return _added(path, change, vectors, progress)


def remove(
    path: str | Path,
    names: Sequence[str] = (),
    *,
    where: Sequence[str] = (),
    missing_ok: bool = False,
    progress: Progress = silent,
) -> Changed:
    """Take rows away: those with one of these ids or uris, and those for which all conditions `where` hold.

    Raises:
        SettingsError: `unknown_name` for a name that no row has (unless `missing_ok`), a column or a label; `bad_setting`.
        DataError: `index_not_found`, `index_in_use`, `write_failed` …
    """
    from tellapart.index.change import changing
    from tellapart.index.keys import rows_named

    if not names and not where:
        raise SettingsError(Reason.BAD_SETTING, "say which rows are to go: ids, uris or conditions")
    path = Path(path)
    with changing(path) as change:
        index = _opened(change)
        rows = rows_named(index, names, missing_ok=missing_ok) if names else np.empty(0, np.int64)
        if where:
            rows = np.union1d(rows, np.flatnonzero(index.where(where)))
        if not len(rows):
            return Changed(str(path), index.manifest)
        progress("writing the index", 0, 0)
        change.remove(rows)
        change.compact()
        return Changed(str(path), change.commit(), n_removed=len(rows))


def describe(path: str | Path) -> dict[str, Any]:
    """What an index says of itself, for `show`: its description, its size on the disk and its columns."""
    index = Index.open(path)
    manifest = index.manifest
    return {
        "index": str(path),
        "rows": manifest.n,
        "removed": manifest.removed,
        "generation": manifest.generation,
        "kind": manifest.kind,
        "recall": manifest.recall,
        "space": manifest.space.to_json(),
        "source": dict(manifest.source),
        "columns": {name: str(dtype) for name, dtype in index.scan().collect_schema().items()},
        "segments": [_segment(one) for one in manifest.segments],
        "bytes": sum(record.bytes for record in manifest.files().values()),
    }


def verify_index(path: str | Path, *, progress: Progress = silent) -> int:
    """Read every byte of an index and compare it with its checksum; returns how many files there are.

    Raises:
        DataError: `index_not_found`, `index_damaged` …
    """
    from tellapart.index.verify import verify

    return verify(path, told=lambda done, total: progress("reading the index", done, total))


def _segment(segment: Any) -> dict[str, Any]:
    size = sum(record.bytes for record in segment.files.values())
    return {"name": segment.name, "kind": segment.kind, "rows": segment.n, "bytes": size, **segment.parameters}


def _given(data: Vectors | Dataset | str | Path, source: Classifier | str | Path | None, making: Making) -> Vectors:
    if source is None and _are_vectors(data):
        return vectors_of(data)
    if source is None:
        named = "the data set" if isinstance(data, Dataset) else data
        message = (
            f"{named} holds no vectors; say what makes vectors of its images: a model or a backbone, such as 'builtin'"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    if isinstance(data, Vectors):
        raise SettingsError(Reason.BAD_SETTING, "vectors are made already: leave out the model or backbone")
    return making.embedded(source, _dataset(data))


def _are_vectors(data: Vectors | Dataset | str | Path) -> bool:
    return isinstance(data, Vectors) or (not isinstance(data, Dataset) and is_vectors(Path(data)))


def _dataset(data: Any) -> Dataset:
    return data if isinstance(data, Dataset) else Dataset.read(data)


def _opened(change: Change) -> Index:
    if change.index is None:
        raise RuntimeError("a new index has no rows to take away")
    return change.index


def _added(path: Path, change: Change, vectors: Vectors, progress: Progress) -> Changed:
    """Write the rows that are new or differ."""
    from tellapart.index.change import rows_of
    from tellapart.index.exact import unit
    from tellapart.index.keys import arrivals, distinct

    progress("writing the index", 0, 0)
    values = unit(vectors.vectors)
    table = absolute_rows(path, vectors, change.source)
    refusals = vectors.refusals
    if change.index is None:
        chosen = distinct(table)
        change.add(_part(values, chosen), table[chosen] if len(chosen) < len(table) else table)
        done = Changed(str(path), change.commit(), n_added=len(chosen), n_repeated=len(table) - len(chosen))
        return replace(done, refusals=refusals)
    table = rows_of(table, change.index.scan().collect_schema())
    by_place = vectors.root is not None and vectors.space.known
    found = arrivals(change.index, values, table, by_place=by_place)
    told = Changed(str(path), change.index.manifest, 0, 0, 0, found.n_unchanged, found.n_repeated, refusals)
    if not len(found.chosen) and not len(found.gone):
        return told
    change.remove(found.gone)
    if len(found.chosen):
        change.add(_part(values, found.chosen), table[found.chosen])
    change.compact()
    manifest: Manifest = change.commit()
    n_replaced, n_gone = found.n_replacing, len(found.gone)
    return replace(
        told,
        manifest=manifest,
        n_added=len(found.chosen) - n_replaced,
        n_replaced=n_replaced,
        n_removed=max(0, n_gone - n_replaced),
    )


def _part(values: Any, chosen: Any) -> Any:
    """Without a copy when all are chosen: a million vectors are a gigabyte."""
    return values if len(chosen) == len(values) else values[chosen]
