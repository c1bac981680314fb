"""Is it worth it to train the network? Frozen probe, fine-tuned, from scratch and classic methods on the same images.

    python -m benchmarks.finetune --cifar DATA --tiles DATA/magnetic-tile --n-cifar 5000 --cache FOLDER

`--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet; `--n-cifar` takes an even share of its training
images and, with at most 2,000, of its test images. `--set` changes the fine-tuning as in `tellapart train`. All methods are
judged on the same images, groups kept together; the last column is the paired difference to the frozen probe with its interval.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.backbones import Task, tasks

import tellapart as ta
from tellapart.evaluation.evaluation import spoken
from tellapart.settings.recipe_file import read_recipe

MOST_TEST = 2_000


@dataclass(frozen=True)
class Way:
    """A way to train: its name in the table and the changes that make its recipe."""

    name: str
    changes: tuple[str, ...]


WAYS = {
    "probe": Way("frozen `builtin`", ("method=probe",)),
    "finetune": Way("`builtin` fine-tuned", ("method=finetune",)),
    "scratch": Way("`builtin` from scratch", ("method=finetune", "start=scratch")),
    "lenet": Way("LeNet from scratch", ("method=finetune", "start=scratch", "backbone=lenet")),
    "hog": Way("HOG and SVM", ("method=hog", "head=svm")),
    "sift": Way("SIFT words and SVM", ("method=sift", "head=svm")),
}


def main() -> None:
    """Print a table row for each task and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--n-cifar", type=int, default=5_000)
    parser.add_argument("--way", action="append", choices=WAYS, help="default: all")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes")
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    parser.add_argument("--split", default="grouped", choices=["grouped", "random"])
    options = parser.parse_args()
    print(
        "| task | way | score | minutes | network MB | against the frozen probe |\n| --- | --- | --- | --- | --- | --- |"
    )
    for task in tasks(options.cifar, options.tiles):
        smaller = share(task, options.n_cifar)
        for key in options.way or WAYS:
            print(row(smaller, WAYS[key], options), flush=True)


def share(task: Task, n: int) -> Task:
    """Fewer images of a data set with a split of its own; others as they are."""
    splits = np.array([split or "" for split in task.dataset.splits])
    if not (splits == "train").any():
        return task
    rng = np.random.default_rng(0)
    rows = list(_drawn(splits, n, rng))
    return Task(f"{task.name} ({n:,})", task.dataset.subset(sorted(rows)), task.metric)


def _drawn(splits: np.ndarray, n: int, rng: np.random.Generator) -> Iterator[int]:
    for name, most in (("train", n), ("test", MOST_TEST)):
        yield from rng.permutation(np.flatnonzero(splits == name))[:most].tolist()


def row(task: Task, way: Way, options: argparse.Namespace) -> str:
    """Train and judge one way."""
    changes = [*way.changes, *(options.changes if "method=finetune" in way.changes else ())]
    aim = "argmax" if task.metric == "accuracy" else "best_f1"  # the latter may answer "unknown"
    started = time.perf_counter()
    model = ta.train(
        task.dataset,
        recipe=read_recipe(changes=[*changes, f"aim={aim}"]),
        golden=0,
        split=options.split,
        cache_dir=options.cache,
    )
    minutes = (time.perf_counter() - started) / 60
    size = len(model.backbone.onnx_bytes()) / 1e6
    metric = spoken(model.evaluation.metrics[task.metric])
    cells = [f"{task.name}, {task.metric}", way.name, metric, f"{minutes:.1f}", f"{size:.1f}", against(model)]
    return f"| {' | '.join(cells)} |"


def against(model: ta.Classifier) -> str:
    """The paired difference, where the training made one."""
    found = model.card.training.get("comparison")
    if not found:
        return ""
    difference = found["difference"]
    return f"{found['metric']} {difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"


if __name__ == "__main__":
    main()
