"""How good are frozen features? A linear head on each backbone, on images no part of the training has seen.

    python benchmarks/backbones.py --cifar DATA --tiles DATA/magnetic-tile --backbone builtin --backbone classic

`--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet; `--backbone` may be a file, such as the random
network that `tools/pretrain/export.py random.onnx` writes. Few-shot: the mean over ten draws of 5, 10 and 20 images per class
(whole groups of the training split), tested on the whole test split, with the interval of that mean over the draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.metrics import f1_score

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.evaluation.evaluation import spoken
from tellapart.heads.aims import Aim
from tellapart.training.linear_probe import ProbeOptions, linear_probe, targets_of
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.partition import Partition, partition

SHOTS = (5, 10, 20)
DRAWS = 10


@dataclass(frozen=True)
class Task:
    """One data set and the metric that is quoted for it."""

    name: str
    dataset: Dataset
    metric: str


def main() -> None:
    """Print a table row for each backbone and task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--backbone", action="append", required=True)
    parser.add_argument("--preprocess", help="instead of the default")
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    parser.add_argument("--no-few-shot", action="store_true")
    options = parser.parse_args()
    shots = "" if options.no_few_shot else " | ".join(f"{k} per class" for k in SHOTS) + " |"
    print(f"| backbone | task | all training images | {shots}\n| --- | --- | --- | {'--- | ' * (shots.count('|'))}")
    for backbone in options.backbone:
        for task in tasks(options.cifar, options.tiles):
            aim = "argmax" if task.metric == "accuracy" else "best_f1"  # the latter may answer "unknown"
            options_of = {"backbone": backbone, "preprocess": options.preprocess, "cache_dir": options.cache}
            model = ta.train(task.dataset, aim=aim, golden=0, **options_of)
            cells = [model.backbone.name, f"{task.name}, {task.metric}", spoken(model.evaluation.metrics[task.metric])]
            if not options.no_few_shot:
                cells += few_shot(model, task, options.cache)
            print(f"| {' | '.join(cells)} |", flush=True)


def tasks(cifar: Path | None, tiles: Path | None) -> Iterator[Task]:
    """The data sets that are there."""
    if cifar is not None:
        parts = {name: Dataset.read(cifar / f"cifar10-{name}.parquet") for name in ("train", "test")}
        samples = [
            replace(sample, uri=str((part.root or cifar) / sample.uri), split=name)
            for name, part in parts.items()
            for sample in part.samples
        ]
        yield Task("CIFAR-10", Dataset.from_samples(samples), "accuracy")
    if tiles is not None:
        yield Task("magnetic tiles", Dataset.read(tiles), "f1_macro")


def few_shot(model: ta.Classifier, task: Task, cache: Path | None) -> list[str]:
    """The quoted metric for each number of images per class, as mean and interval over draws."""
    images = embed_dataset(task.dataset, Embedder(model.spec, model.backbone, cache))
    parted = partition(images, model.schema, how="grouped", seed=0, cache_dir=cache)
    scores = [[one_draw(model, task.metric, images, parted, k, seed) for seed in range(DRAWS)] for k in SHOTS]
    return [in_words(np.array(each)) for each in scores]


def one_draw(model: ta.Classifier, metric: str, images: EmbeddedDataset, parted: Partition, k: int, seed: int) -> float:
    """The metric on the test split after training on k images of each class."""
    labels = images.dataset.label_matrix(model.schema)
    rows = drawn(labels, parted, k, np.random.default_rng(seed))
    probe = linear_probe(
        images.embeddings[rows], labels[rows], parted.groups[rows], model.schema, ProbeOptions(Aim.parse("argmax"))
    )
    test = parted.rows("test")
    found = probe.head.probabilities(images.embeddings[test]).argmax(axis=1)
    actual = targets_of(labels[test], model.schema.task)
    return float((found == actual).mean() if metric == "accuracy" else f1_score(actual, found, average="macro"))


def drawn(labels: NDArray[np.uint8], parted: Partition, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k rows per class from the training split (fewer where a class has fewer), no two of one group where that is possible."""
    train = np.flatnonzero(parted.rows("train"))
    chosen = []
    for column in range(labels.shape[1]):
        rows = rng.permutation(train[labels[train, column] == 1])
        _, first = np.unique(parted.groups[rows], return_index=True)
        order = np.concatenate([np.sort(first), np.setdiff1d(np.arange(len(rows)), first)])
        chosen.append(rows[order[:k]])
    return np.concatenate(chosen)


def in_words(values: NDArray[np.float64]) -> str:
    """Mean and the 95 % interval of the mean over draws."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.3f} (±{half:.3f})"


if __name__ == "__main__":
    main()
