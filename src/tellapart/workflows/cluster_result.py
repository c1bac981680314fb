"""What clustering found: as lines for a terminal, as JSON, and as a list of images."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.clusters.agreement import Agreement
from tellapart.clusters.find import Clusters
from tellapart.clusters.layout import Map
from tellapart.clusters.naming import Name
from tellapart.clusters.typical import typical, unusual
from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.wording import count
from tellapart.data.labels import format_labels
from tellapart.data.repair.fixes import guarded
from tellapart.data.table import atomic_path
from tellapart.workflows.cluster_answers import Told, told
from tellapart.workflows.cluster_source import Pool

CSV_COLUMNS = (
    "uri",
    "id",
    "label",
    "split",
    "cluster",
    "cluster_name",
    "distance",
    "predicted",
    "confidence",
    "x",
    "y",
)
_SHOWN, _EXAMPLES = 20, 5


def label_names(dataset: Dataset) -> list[str | None]:
    """The label of each image as one text, several as `a|b`, none of them as "(none)"; None where nobody said."""
    return [
        None if labels is None else format_labels(tuple(labels)) if labels else "(none)"
        for labels in dataset.table["labels"].to_list()
    ]


@dataclass(frozen=True)
class Clustered:
    """n images in clusters, in the order of `pool.dataset`.

    `clusters.of` int64 (n,) is the cluster of each, from 0, -1 for none; people and files count from 1. `names` has one entry
    per cluster, `far` float32 (n,) is the distance from the centre of the cluster (1: the median of the cluster).
    `agreement` compares with labels, None without; `map` is None where none was asked for.
    """

    pool: Pool
    clusters: Clusters
    names: tuple[Name, ...]
    far: NDArray[np.float32]
    agreement: Agreement | None
    map: Map | None
    seed: int
    seconds: float

    @property
    def dataset(self) -> Dataset:
        """The images."""
        return self.pool.dataset

    @cached_property
    def labels(self) -> list[str | None]:
        """The label of each image as one text, None where unlabelled."""
        return label_names(self.dataset)

    @cached_property
    def told(self) -> Told | None:
        """The model's answer for each image, None without a model."""
        return told(self.pool)

    @property
    def n_none(self) -> int:
        """Images in no cluster."""
        return int((self.clusters.of < 0).sum())

    def typical(self, cluster: int, n: int = _EXAMPLES) -> list[int]:
        """Rows that show best what a cluster is, no two of them near-duplicates."""
        return [int(row) for row in typical(self.clusters, self.far, cluster, n)]

    def unusual(self, cluster: int, n: int = _EXAMPLES) -> list[int]:
        """Rows that fit a cluster least, the farthest first."""
        return [int(row) for row in unusual(self.clusters, self.far, cluster, n)]

    def lines(self) -> list[str]:
        """A short report for a terminal."""
        n, refusals = len(self.dataset), self.dataset.refusals
        labelled = sum(label is not None for label in self.labels)
        return [
            f"data      {n + len(refusals):,} images seen: {n:,} used, {labelled:,} of them labelled, "
            f"{len(refusals):,} refused",
            *(f"refused   {refusal.sentence}" for refusal in refusals[:_SHOWN]),
            f"clusters  {self.clusters.n_clusters:,}, by {self.clusters.how}",
            *self._clusters(),
            *([f"none      {count(self.n_none, 'image')} in no cluster"] if self.n_none else []),
            *([f"labels    {self.agreed}"] if self.agreement is not None else []),
            *([f"answers   {self.told.sentence}"] if self.told is not None else []),
            *([f"map       {self.map.how}"] if self.map is not None else []),
        ]

    @property
    def agreed(self) -> str:
        """How well the clusters agree with the labels, "" where too few images have both."""
        one = self.agreement
        if one is None:
            return ""
        rest = f"; {one.n_none:,} more are in no cluster" if one.n_none else ""
        return (
            f"purity {one.purity:.2f} (all in one cluster: {one.chance:.2f}), adjusted Rand index {one.adjusted_rand:.2f}, "
            f"normalised mutual information {one.mutual_information:.2f}, on {count(one.n, 'labelled image')}{rest}"
        )

    def _clusters(self) -> list[str]:
        sizes = self.clusters.sizes.tolist()
        lines = [
            f"          {i:>3}  {count(size, 'image')}  {name.text}"
            for i, (size, name) in enumerate(zip(sizes, self.names, strict=True), 1)
        ]
        more = len(lines) - _SHOWN
        return lines if more <= 0 else [*lines[:_SHOWN], f"          … and {more:,} more"]

    def to_json(self) -> dict[str, Any]:
        """Plain values; clusters count from 1, images that are in none have null."""
        return {
            "images": [self._image(row) for row in range(len(self.dataset))],
            "refused": [refusal.to_json() for refusal in self.dataset.refusals],
            **self.clusters.facts,
            "how": self.clusters.how,
            "clusters": [self._cluster(number) for number in range(self.clusters.n_clusters)],
            "none": self.n_none,
            "agreement": None if self.agreement is None else self.agreement.to_json(),
            "answers": None if self.told is None else self.told.counts(),
            "map": None if self.map is None else {"layout": self.map.kind, "how": self.map.how},
            "space": self.pool.space.to_json(),
            "seed": self.seed,
            "seconds": round(self.seconds, 2),
        }

    def _cluster(self, number: int) -> dict[str, Any]:
        name, uris = self.names[number], self.dataset.uris
        members = self.clusters.of == number
        return {
            "cluster": number + 1,
            "name": name.text,
            "images": int(members.sum()),
            "different_images": len(np.unique(self.clusters.stands_for[members])),
            "label": name.label,
            "share": None if name.share is None else round(name.share, 4),
            "by_neighbours": name.near,
            "typical": [uris[row] for row in self.typical(number)],
            "unusual": [uris[row] for row in self.unusual(number)],
        }

    def _image(self, row: int) -> dict[str, Any]:
        of, far = int(self.clusters.of[row]), float(self.far[row])
        value: dict[str, Any] = {
            "uri": self.dataset.uris[row],
            "id": self.dataset.ids[row],
            "label": self.labels[row],
            "split": self.dataset.splits[row],
            "cluster": of + 1 if of >= 0 else None,
            "cluster_name": self.names[of].text if of >= 0 else None,
            "distance": None if np.isnan(far) else round(far, 4),
        }
        if self.told is not None:
            value |= {"predicted": self.told.names[row], "confidence": round(float(self.told.confidence[row]), 4)}
        if self.map is not None:
            x, y = self.map.xy[row].tolist()
            value |= {"x": round(x, 4), "y": round(y, 4)}
        return value

    def write_csv(self, path: str | Path) -> None:
        """A line per image with `CSV_COLUMNS`; empty where nothing is known. UTF-8 with the mark by which Excel knows it.

        Raises:
            DataError: `write_failed`.
        """
        with atomic_path(Path(path)) as temporary, open(temporary, "w", encoding="utf-8-sig", newline="") as file:
            out = csv.writer(file)
            out.writerow(CSV_COLUMNS)
            for row in range(len(self.dataset)):
                out.writerow(_cells(self._image(row), CSV_COLUMNS))


def _cells(image: dict[str, Any], columns: Sequence[str]) -> list[Any]:
    """Numbers as they are, text so that no spreadsheet takes it for a formula."""
    values = [image.get(name) for name in columns]
    return ["" if value is None else guarded(value) if isinstance(value, str) else value for value in values]
