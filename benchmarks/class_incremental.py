"""Classes that come one after another: what a dynamic head reaches, what a step costs, and how it grows.

    python benchmarks/class_incremental.py --cifar DATA [--cache FOLDER] [--per-class 2000] [--seeds 3]
    python benchmarks/class_incremental.py --cifar DATA [--cache FOLDER] --shrinkage

CIFAR-10 by the features of `builtin`: first two classes at a time beside the linear probe on the same images and the nearest
mean; then every class in turn added with 20 images to a model of the other nine. The answer is the likeliest class. Times
are seconds on the clock. `--shrinkage` compares fixed shrinkages with the one that the statistics give.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.heads.aims import Aim
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.heads.lda import WithinCovariance, lda_head, nearest_mean_head
from tellapart.heads.protocol import Head
from tellapart.image.types import DecodeLimits
from tellapart.records import Label, LabelSchema, Task
from tellapart.training.dynamic import Remembered, refit
from tellapart.training.linear_probe import ProbeOptions, linear_probe
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.reference import remembered_rows

OPTIONS = ProbeOptions(Aim.parse("best_f1"))
FEW = 20
AT_ONCE = 2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Images:
    """Embeddings float32 (n, d), columns int64 (n,), ids, and the names of the classes."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    ids: tuple[str, ...]
    names: tuple[str, ...]

    def take(self, rows: NDArray[np.integer[Any]]) -> Images:
        """Some of them."""
        return Images(self.x[rows], self.y[rows], tuple(np.array(self.ids, object)[rows]), self.names)

    def few(self, per_class: int, seed: int = 0) -> Images:
        """At most so many of each class."""
        rng = np.random.default_rng(seed)
        return self.take(
            np.concatenate([rng.permutation(np.flatnonzero(self.y == c))[:per_class] for c in range(len(self.names))])
        )


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cifar", type=Path, required=True, help="folder of cifar10-train.parquet and cifar10-test.parquet"
    )
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    parser.add_argument("--per-class", type=int, default=2_000, help="training images of a class")
    parser.add_argument("--seeds", type=int, default=3, help="draws of the 20 images of a new class")
    parser.add_argument(
        "--no-probe", action="store_true", help="leave out the linear probe, which takes most of the time"
    )
    parser.add_argument(
        "--shrinkage", action="store_true", help="fixed shrinkages beside the one the statistics give, alone"
    )
    options = parser.parse_args()
    train, test = (embedded(options.cifar / f"cifar10-{name}.parquet", options.cache) for name in ("train", "test"))
    if options.shrinkage:
        shrinkages(train, test)
        return
    train = train.few(options.per_class)
    two_at_a_time(train, test, probe=not options.no_probe)
    one_new_class(train, test, options.seeds)


def embedded(data: Path, cache: Path | None) -> Images:
    """A data set as the built-in network sees it."""
    dataset, network = Dataset.read(data), load_backbone("builtin")
    images = embed_dataset(dataset, Embedder(own_spec(network, dataset, DecodeLimits()), network, cache))
    schema = schema_of(images.dataset)
    columns = images.dataset.label_matrix(schema).argmax(axis=1)
    return Images(images.embeddings, columns, tuple(images.dataset.ids), schema.names)


def two_at_a_time(train: Images, test: Images, *, probe: bool) -> None:
    """Five steps of two classes, and what they end in beside one fit of everything."""
    print(f"\nCIFAR-10, {AT_ONCE} classes at a time, {len(train.y):,} training and {len(test.y):,} test images\n")
    print("| classes | dynamic | linear probe | nearest mean | s update | s head | s finished model | s linear probe |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    statistics, n = ClassStatistics.empty(train.x.shape[1]), len(train.names)
    for seen in range(AT_ONCE, n + 1, AT_ONCE):
        new, known, judge = (part.take(np.flatnonzero(rows)) for part, rows in _step(train, test, seen))
        statistics, updating = timed(partial(statistics.adding, new.x, new.y))
        head, heading = timed(partial(lda_head, statistics, range(seen), task=Task.MULTICLASS))
        finished, finishing = timed(partial(finish, statistics, known, seen))
        nearest = nearest_mean_head(statistics, range(seen), task=Task.MULTICLASS)
        figures: list[float | str] = [
            accuracy(head, judge),
            "-",
            accuracy(nearest, judge),
            updating,
            heading,
            finishing,
            "-",
        ]
        if probe:
            joint, probing = timed(partial(linear, known, seen))
            figures[1], figures[6] = accuracy(joint, judge), probing
        print(f"| {seen} | {' | '.join(_shown(figures))} |", flush=True)
    _batch(statistics, finished, train, test)


def _step(train: Images, test: Images, seen: int) -> Iterator[tuple[Images, NDArray[np.bool_]]]:
    """The images of the step, of all classes so far, and those that judge."""
    return iter(
        [
            (train, (train.y >= seen - AT_ONCE) & (train.y < seen)),
            (train, train.y < seen),
            (test, test.y < seen),
        ]
    )


def _shown(figures: list[float | str]) -> list[str]:
    return [
        one if isinstance(one, str) else f"{one:.3f}" if place < 3 else f"{one:.2f}"
        for place, one in enumerate(figures)
    ]


def _batch(grown: ClassStatistics, finished: Head, train: Images, test: Images) -> None:
    """Largest differences between what grew and one fit of all images in another order."""
    order = np.random.default_rng(1).permutation(len(train.y))
    once, seconds = timed(lambda: ClassStatistics.of(train.x[order], train.y[order]))
    apart = np.abs(grown.scatter - once.scatter).max() / np.abs(once.scatter).max()
    other = finish(once, train, len(train.names))
    answers = [head.probabilities(test.x) for head in (finished, other)]
    print(
        f"\nincremental against one fit ({seconds:.2f} s): scatter differs by {apart:.1e} of its largest number, "
        f"probabilities by {np.abs(answers[0] - answers[1]).max():.1e}; shrinkage and all else follow from these"
    )


def finish(statistics: ClassStatistics, known: Images, seen: int) -> Head:
    """Calibrated, with thresholds and rejection, by the images that a model remembers."""
    rows = remembered_rows(known.ids, [(str(c),) for c in known.y], known.x.shape[1])
    kept = known.take(np.flatnonzero(rows))
    images = Remembered(kept.x, kept.y, np.arange(len(kept.y)), ("train",) * len(kept.y))
    return refit(statistics, images, schema(known.names[:seen]), OPTIONS).head


def linear(known: Images, seen: int) -> Head:
    """The plain probe on all images at once."""
    labels = np.eye(seen, dtype=np.uint8)[known.y]
    return linear_probe(known.x, labels, np.arange(len(known.y)), schema(known.names[:seen]), OPTIONS).head


def schema(names: tuple[str, ...]) -> LabelSchema:
    """Ids are the columns."""
    return LabelSchema(Task.MULTICLASS, tuple(Label(i, name) for i, name in enumerate(names)))


def one_new_class(train: Images, test: Images, n_seeds: int) -> None:
    """Every class as the new one: what it reaches with 20 images, and what the others lose by it."""
    k = len(train.names)
    whole = ClassStatistics.of(train.x, train.y)
    full = recalls(lda_head(whole, range(k), task=Task.MULTICLASS), test)
    print(f"\nA class of {FEW} images added to {k - 1} classes, {n_seeds} draws; recall on the test images\n")
    print(f"| new class | recall of {FEW} | with all images | others before | others after | s |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = np.array([_as_new(c, whole, train, test, n_seeds) for c in range(k)])
    for name, all_images, (recall, before, after, seconds) in zip(train.names, full, found, strict=True):
        print(f"| {name} | {recall:.3f} | {all_images:.3f} | {before:.3f} | {after:.3f} | {seconds:.2f} |")
    print(
        f"| mean (95 % over classes) | {_interval(found[:, 0])} | {_interval(full)} | {_interval(found[:, 1])} | "
        f"{_interval(found[:, 2])} | {found[:, 3].mean():.2f} |"
    )
    print(f"\nloss of the others: {_interval(found[:, 1] - found[:, 2])}")


def _as_new(c: int, whole: ClassStatistics, train: Images, test: Images, n_seeds: int) -> tuple[float, ...]:
    """Recall of the new class, of the others before and after, and seconds for the finished model."""
    own, k = np.flatnonzero(train.y == c), len(train.names)
    others = [i for i in range(k) if i != c]
    nine = whole.removing(train.x[own], train.y[own])
    before = recalls(lda_head(nine, range(k), task=Task.MULTICLASS), test)[others].mean()
    draws = [np.random.default_rng(seed).permutation(own)[:FEW] for seed in range(n_seeds)]
    after, seconds = zip(*(timed(partial(_added, nine, train, rows, c)) for rows in draws), strict=True)
    mean = np.mean([recalls(head, test) for head in after], axis=0)
    return float(mean[c]), float(before), float(mean[others].mean()), float(np.mean(seconds))


def _added(nine: ClassStatistics, train: Images, rows: NDArray[np.integer[Any]], c: int) -> Head:
    """The finished head of nine classes and these images of another."""
    known = train.take(np.concatenate([np.flatnonzero(train.y != c), rows]))
    return finish(nine.adding(train.x[rows], train.y[rows]), known, len(train.names))


def shrinkages(train: Images, test: Images) -> None:
    """Accuracy by fixed shrinkages and by the own one, from few images to all, of all features and of a fifth of them."""
    shares = (0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9)
    print(f"\n| features | images per class | own shrinkage | own | {' | '.join(f'{one:g}' for one in shares)} |")
    print("| --- " * (4 + len(shares)) + "|")
    for columns in (np.arange(train.x.shape[1]), np.random.default_rng(0).permutation(train.x.shape[1])[:384]):
        for per_class in (5, 20, 50, 200, 2_000):
            few = train.few(per_class)
            statistics = ClassStatistics.of(few.x[:, columns], few.y)
            own = WithinCovariance.of(statistics)
            found = [_shrunk_accuracy(statistics, own, one, test, columns) for one in (own.shrinkage, *shares)]
            scores = " | ".join(f"{one:.3f}" for one in found)
            print(f"| {len(columns):,} | {per_class:,} | {own.shrinkage:.3f} | {scores} |", flush=True)


def _shrunk_accuracy(
    statistics: ClassStatistics, own: WithinCovariance, share: float, test: Images, columns: NDArray[np.int64]
) -> float:
    correlations = own.correlations * (1 - share) / (1 - own.shrinkage)
    np.fill_diagonal(correlations, 1.0)
    within = WithinCovariance(own.deviation, correlations, share)
    head = lda_head(statistics, range(len(test.names)), task=Task.MULTICLASS, within=within)
    return accuracy(head, Images(test.x[:, columns], test.y, test.ids, test.names))


def accuracy(head: Head, images: Images) -> float:
    """Share of images whose likeliest class is theirs."""
    return float((head.logits(images.x).argmax(axis=1) == images.y).mean())


def recalls(head: Head, images: Images) -> NDArray[np.float64]:
    """By class (k,)."""
    right = head.probabilities(images.x).argmax(axis=1) == images.y
    return np.array([right[images.y == c].mean() for c in range(len(images.names))])


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Its result and its seconds on the clock."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _interval(values: NDArray[np.float64]) -> str:
    """Mean with its 95 % interval by Student's t: over classes, of which there are few."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.3f} ({values.mean() - half:.3f} to {values.mean() + half:.3f})"


if __name__ == "__main__":
    main()
