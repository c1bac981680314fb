"""A labelled data set and a pool of unlabelled images as one data set."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from tellapart.data import table as tables
from tellapart.data.dataset import Dataset
from tellapart.records import Sample


def joined(data: Dataset | str | Path, pool: Dataset | str | Path | None) -> Dataset:
    """The data set, read where it is a path, with the pool's images where there is a pool; raises what reading raises."""
    dataset, beside = (d if isinstance(d, Dataset) or d is None else Dataset.read(d) for d in (data, pool))
    assert dataset is not None
    return dataset if beside is None else with_pool(dataset, beside)


def with_pool(dataset: Dataset, pool: Dataset) -> Dataset:
    """The data set with every image of the pool behind its own, unlabelled and in no split.

    Pool images get absolute uris, since the two may lie anywhere. The trap: labels of the pool count for nothing (a folder
    of a camera is read as a class). Images that the data set holds already are left out, by whatever path to their folder.
    """
    real = cache(os.path.realpath)

    def key(sample: Sample, root: Path | None) -> tuple[object, ...]:
        folder, name = os.path.split(_absolute(sample.uri, root))
        return real(folder), name, sample.roi

    known = {key(sample, dataset.root) for sample in dataset.samples}
    added = [
        replace(sample, uri=_absolute(sample.uri, pool.root), labels=None, split=None)
        for sample in pool.samples
        if key(sample, pool.root) not in known
    ]
    table = tables.from_samples([*dataset.samples, *added])
    return replace(dataset, table=table, refusals=(*dataset.refusals, *pool.refusals))


def _absolute(uri: str, root: Path | None) -> str:
    """Where an image lies, whatever the working directory; links are kept."""
    return Path(os.path.abspath(uri if root is None else root / uri)).as_posix()
