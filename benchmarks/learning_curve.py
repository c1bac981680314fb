"""How far learning curves can be believed: what they promise at twice and four times the data, and what is reached there.

    python benchmarks/learning_curve.py --cifar DATA --tiles DATA/magnetic-tile --cache FOLDER [--seeds 10] [--head trained]

A part of the data is given to the curves, in which the classes have unequal sizes. Then heads are fitted on twice and four
times of it (of all classes, and of one class alone) and judged on images that took no part: for CIFAR-10 the 10,000 test
images, for the tiles two fifths of the groups. The head is the curves' own kind, or with `--head trained` one fitted as
`train` fits it, on all dimensions with a regularisation of its own. Printed: how often the 95 % interval holds what is
reached, the mean error and its size, and the same for the promised gain.

What is reached is itself measured on few tiles: where a class has 20 images to judge it, that alone moves it by 0.1.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.data.groups import combine_groups
from tellapart.data.splits import group_folds
from tellapart.heads.linear import example_weights, solve
from tellapart.heads.selection import fit_selected
from tellapart.heads.solver import Design
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema, Task
from tellapart.training.growth import Growth
from tellapart.training.learning_curve import RANK, learning_curves
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.image_size import own_spec

Rows = NDArray[np.int64]


def main() -> None:
    """Print a table per data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--head", choices=("curve", "trained"), default="curve")
    options = parser.parse_args()
    if options.cifar:
        train, test = (Data.of(options.cifar / f"cifar10-{part}.parquet", options.cache) for part in ("train", "test"))
        for most in (60, 250):
            runs = [cifar_run(train, test, most, seed) for seed in range(options.seeds)]
            table(f"CIFAR-10, {most // 4} to {most} images a class", runs, options.head)
    if options.tiles:
        tiles = Data.of(options.tiles, options.cache)
        for name, data in (("tiles kept together", tiles), ("every image for itself", tiles.apart())):
            runs = [tiles_run(data, seed) for seed in range(options.seeds)]
            table(f"magnetic-tile, {name}, half of the images that do not judge", runs, options.head)


@dataclass(frozen=True)
class Data:
    """Embedded images: (n, d), classes (n,), groups (n,)."""

    embeddings: NDArray[np.float32]
    classes: NDArray[np.int64]
    groups: NDArray[np.int64]
    schema: LabelSchema

    @classmethod
    def of(cls, path: Path, cache: Path) -> Data:
        """Images of a data set, embedded with `builtin`."""
        dataset, network = Dataset.read(path), load_backbone("builtin")
        limits = DecodeLimits()
        images = embed_dataset(dataset, Embedder(own_spec(network, dataset, limits), network, cache, limits, 2))
        schema = schema_of(images.dataset)
        looks = look_alikes(images, cache).groups
        groups = combine_groups(images.dataset.ids, images.dataset.groups, looks)
        return cls(images.embeddings, images.dataset.label_matrix(schema).argmax(axis=1), groups, schema)

    def joined(self, other: Data) -> Data:
        """Both, with groups apart."""
        return Data(
            np.concatenate([self.embeddings, other.embeddings]),
            np.concatenate([self.classes, other.classes]),
            np.concatenate([self.groups, other.groups + self.groups.max() + 1]),
            self.schema,
        )

    def apart(self) -> Data:
        """Every image a group of its own."""
        return replace(self, groups=np.arange(len(self.groups)))

    @property
    def labels(self) -> NDArray[np.uint8]:
        """0/1 (n, k)."""
        return np.eye(len(self.schema.labels), dtype=np.uint8)[self.classes]


@dataclass(frozen=True)
class Run:
    """`pools[c]` are rows of class c in the order in which they are collected, of which `starts[c]` are at hand."""

    data: Data
    pools: list[Rows]
    starts: list[int]
    judged: Rows
    factors: tuple[int, ...] = (1, 2, 4)

    def rows(self, factors: Sequence[float]) -> Rows:
        """The images at hand times a factor for each class."""
        pairs = zip(self.pools, self.starts, factors, strict=True)
        return np.concatenate([pool[: round(n * factor)] for pool, n, factor in pairs])

    def outcomes(self, head: str) -> Iterator[tuple[str, int, Growth, float, float]]:
        """What grows, by which factor, what was promised, what is reached, and what was reached before."""
        rows, k = self.rows([1] * len(self.pools)), len(self.pools)
        data = self.data
        found = learning_curves(data.embeddings[rows], data.labels[rows], data.groups[rows], data.schema)
        before = self.recalls([1] * k, head)
        for factor in self.factors:
            reached = self.recalls([factor] * k, head) if factor > 1 else before
            yield "all classes", factor, found.overall, mean_of(reached, found.judged), mean_of(before, found.judged)
            for column in range(k):
                factors = [factor if column == other else 1 for other in range(k)]
                alone = self.recalls(factors, head) if factor > 1 else before
                yield "one class", factor, found.classes[column], float(alone[column]), float(before[column])

    def recalls(self, factors: Sequence[float], head: str) -> NDArray[np.float64]:
        """Recall of each class (k,) on the images that judge."""
        rows, k = self.rows(factors), len(self.pools)
        x, y = self.data.embeddings[rows], self.data.classes[rows]
        fitted = trained(x, y, self.data.groups[rows], k) if head == "trained" else quick(x, y, k)
        answers = fitted.logits(self.data.embeddings[self.judged]).argmax(axis=1)
        actual = self.data.classes[self.judged]
        return np.array([(answers[actual == c] == c).mean() for c in range(k)])


def mean_of(recalls: NDArray[np.float64], judged: Sequence[int]) -> float:
    """The mean over the classes that the overall curve is about."""
    return float(recalls[list(judged)].mean()) if judged else float("nan")


def quick(x: NDArray[np.float32], y: Rows, k: int) -> Any:
    """A head as the curves fit it."""
    weights = 0.01 * example_weights(y, task=Task.MULTICLASS, n_classes=k, class_weight="balanced")
    return solve(Design.leading(x, RANK), y, weights, task=Task.MULTICLASS, n_classes=k)


def trained(x: NDArray[np.float32], y: Rows, groups: Rows, k: int) -> Any:
    """A head as `train` fits it, before thresholds."""
    folds = group_folds(np.eye(k, dtype=np.uint8)[y], groups, 5)
    return fit_selected(x, y, folds, task=Task.MULTICLASS, n_classes=k, class_weight="balanced")[1]


def cifar_run(train: Data, test: Data, most: int, seed: int) -> Run:
    """Class c has from a quarter of `most` images to `most`, another one each seed."""
    rng = np.random.default_rng(seed)
    pools = [rng.permutation(np.flatnonzero(train.classes == c)) for c in range(len(train.schema.labels))]
    starts = rng.permutation(np.linspace(most / 4, most, len(pools)).round().astype(int)).tolist()
    judged = np.arange(len(train.classes), len(train.classes) + len(test.classes))
    return Run(train.joined(test), pools, starts, judged)


def tiles_run(tiles: Data, seed: int) -> Run:
    """Two fifths of the groups judge; of the other images half are at hand."""
    fold = group_folds(tiles.labels, tiles.groups, 5, seed)
    rng = np.random.default_rng(seed)
    pools = []
    for c in range(len(tiles.schema.labels)):
        rows = np.flatnonzero((fold >= 2) & (tiles.classes == c))
        ticket = rng.permutation(int(tiles.groups.max()) + 1)[tiles.groups[rows]]
        pools.append(rows[np.argsort(ticket, kind="stable")])
    return Run(tiles, pools, [round(len(pool) / 2) for pool in pools], np.flatnonzero(fold < 2), (1, 2))


def table(title: str, runs: Sequence[Run], head: str) -> None:
    """A line per kind of growth and factor."""
    found: dict[tuple[str, int], list[tuple[Growth, float, float]]] = defaultdict(list)
    for run in runs:
        for kind, factor, growth, reached, before in run.outcomes(head):
            found[kind, factor].append((growth, reached, before))
    print(f"\n{title}; {len(runs)} seeds, head: {head}\n")
    print(
        "| grows | times | curves | told | score held | error | size of error | width | gain | gain promised | gain held |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for (kind, factor), outcomes in found.items():
        print(line(kind, factor, outcomes))


def line(kind: str, factor: int, outcomes: Sequence[tuple[Growth, float, float]]) -> str:
    """Figures over all curves that told something."""
    told = [(g, reached, before) for g, reached, before in outcomes if not g.cannot_tell]
    start = f"| {kind} | {factor} | {len(outcomes)} | {len(told)} |"
    if not told:
        return f"{start} |  |  |  |  |  |  |"
    more = [(factor - 1) * g.n_now for g, _, _ in told]
    scores = [g.after(n) for (g, _, _), n in zip(told, more, strict=True)]
    gains = [g.gain(n) for (g, _, _), n in zip(told, more, strict=True)]
    reached = np.array([r for _, r, _ in told])
    gained = reached - np.array([b for _, _, b in told])
    off = np.array([s.value for s in scores]) - reached
    width = np.mean([s.high - s.low for s in scores])
    held = np.mean([s.low <= r <= s.high for s, r in zip(scores, reached, strict=True)])
    gain_held = np.mean([g.low - 1e-9 <= r <= g.high + 1e-9 for g, r in zip(gains, gained, strict=True)])
    promised = np.mean([g.value for g in gains])
    return (
        f"{start} {held:.2f} | {off.mean():+.3f} | {np.abs(off).mean():.3f} | {width:.3f} | {gained.mean():+.3f} | "
        f"{promised:+.3f} | {gain_held:.2f} |"
    )


if __name__ == "__main__":
    main()
