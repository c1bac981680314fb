"""Ids of images that nobody has read yet: sha256 of their bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from tellapart.data.containers import content_id, read_bytes
from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError
from tellapart.image.types import DecodeLimits

_WORKERS = 4


def identify(
    dataset: Dataset,
    *,
    again: Collection[int] = (),
    limits: DecodeLimits = DecodeLimits(),
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set with the ids that are missing, and those of the rows `again` read anew: files may have changed.

    An image that cannot be read has the id "".
    """
    anew = set(again)
    rows = [row for row, id_ in enumerate(dataset.ids) if not id_ or row in anew]
    uris = list(dict.fromkeys(dataset.uris[row] for row in rows))

    def id_of(uri: str) -> str:
        try:
            return content_id(read_bytes(uri, root=dataset.root, limits=limits))
        except ImageError:
            return ""

    found: dict[str, str] = {}
    with ThreadPoolExecutor(_WORKERS) as pool:
        for uri, id_ in zip(uris, pool.map(id_of, uris), strict=True):
            found[uri] = id_
            if progress is not None:
                progress(len(found), len(uris))
    ids = list(dataset.ids)
    for row in rows:
        ids[row] = found[dataset.uris[row]]
    return dataset.with_ids(ids)
