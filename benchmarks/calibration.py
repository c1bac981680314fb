"""What class weights and calibration do to fresh data of unequal classes: log loss, calibration errors, macro-F1.

    python benchmarks/calibration.py [--seeds 6] [--images 300 1000 3000] [--data FOLDER]

Six classes with 70, 10, 8, 6, 4 and 2 % of the images, simulated embeddings of 300 numbers; or a labelled data set,
embedded by the classic backbone and judged twice by three folds that keep groups together. "none" is the plain softmax,
"T" a temperature alone, "T + b" the product's temperature and offsets. ECE is of the likeliest class, cwECE the mean
over the classes of each one's. Everything is measured on images that took no part, in the natural mixture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.heads import calibration
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.linear import ClassWeight
from tellapart.heads.selection import fit_selected
from tellapart.records import Task

Array = NDArray[Any]
SHARES = np.array([0.70, 0.10, 0.08, 0.06, 0.04, 0.02])
BINS = 15
COLUMNS = ("log loss", "ECE", "cwECE", "macro-F1", "accuracy", "bal. acc.")


@dataclass(frozen=True, slots=True)
class Case:
    """Embeddings, columns and folds to fit on; embeddings and columns to judge on."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    folds: NDArray[np.int64]
    fresh_x: NDArray[np.float32]
    fresh_y: NDArray[np.int64]
    k: int


def simulate(n: int, separation: float, seed: int, d: int = 300, n_fresh: int = 8000) -> Case:
    """n embeddings of correlated features of falling spread; 3 % of the labels are wrong."""
    rng = np.random.default_rng(seed)
    rank, k, total = d // 2, len(SHARES), n + n_fresh
    means, mixing = separation * rng.standard_normal((k, rank)), rng.standard_normal((rank, d))
    y = rng.choice(k, total, p=SHARES)
    x = ((rng.standard_normal((total, rank)) + means[y]) * np.arange(1, rank + 1) ** -0.7) @ mixing
    embeddings = np.maximum(x + 0.3 * rng.standard_normal((total, d)), -0.5).astype(np.float32)
    wrong = rng.random(total) < 0.03
    y[wrong] = rng.choice(k, int(wrong.sum()), p=SHARES)
    return Case(embeddings[:n], y[:n], np.arange(n) % 5, embeddings[n:], y[n:], k)


def real(path: Path) -> Iterable[Case]:
    """Twice three folds of a data set, groups kept together."""
    from tellapart.backbones.registry import load_backbone
    from tellapart.data.dataset import Dataset
    from tellapart.image.preprocess import PreprocessSpec
    from tellapart.workflows.embedding import Embedder, embed_dataset
    from tellapart.workflows.partition import partition

    network, dataset = load_backbone("classic"), Dataset.read(path)
    images = embed_dataset(
        dataset.subset(dataset.labelled), Embedder(PreprocessSpec.parse(network.default_spec), network)
    )
    if dataset.schema is None:
        raise SystemExit(f"{path}: no labels")
    labels = images.dataset.label_matrix(dataset.schema)
    groups = partition(images, dataset.schema, how="grouped", earlier=None, seed=0).groups
    x, y = images.embeddings, labels.argmax(axis=1).astype(np.int64)
    for seed in range(2):
        outer = group_folds(labels, groups, 3, seed)
        for fold in range(3):
            fit, judge = outer != fold, outer == fold
            inner = group_folds(labels[fit], groups[fit], 5, seed)
            yield Case(x[fit], y[fit], inner, x[judge], y[judge], labels.shape[1])


def calibrations(logits: Array, targets: Array) -> dict[str, Calibration]:
    """The three ways, fitted on held-out logits."""
    usual = calibration._OFFSET_PRIOR
    calibration._OFFSET_PRIOR = 1e12
    temperature = fit_calibration(logits, targets, task=Task.MULTICLASS)
    calibration._OFFSET_PRIOR = usual
    return {
        "none": Calibration.identity(Task.MULTICLASS, logits.shape[1]),
        "T": temperature,
        "T + b": fit_calibration(logits, targets, task=Task.MULTICLASS),
    }


def judge(case: Case, class_weight: ClassWeight) -> dict[str, Array]:
    """The six measures of each way."""
    found, head = fit_selected(
        case.x, case.y, case.folds, task=Task.MULTICLASS, n_classes=case.k, class_weight=class_weight
    )
    ways = calibrations(found.logits[found.usable], case.y[found.usable])
    logits = head.logits(case.fresh_x)
    return {name: measures(way.apply(logits).astype(np.float64), case.fresh_y) for name, way in ways.items()}


def measures(p: Array, y: Array) -> Array:
    """The six numbers of `COLUMNS`."""
    answer, k = p.argmax(axis=1), p.shape[1]
    right = answer == y
    hits = np.bincount(y[right], minlength=k)
    actual, answered = np.bincount(y, minlength=k), np.bincount(answer, minlength=k)
    seen = actual > 0
    f1 = 2 * hits[seen] / (actual + answered)[seen]
    loss = -np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)).mean()
    per_class = np.mean([calibration_error(p[:, c], y == c) for c in range(k)])
    recall = (hits[seen] / actual[seen]).mean()
    return np.array([loss, calibration_error(p.max(axis=1), right), per_class, f1.mean(), right.mean(), recall])


def calibration_error(confidence: Array, right: Array) -> float:
    """Mean distance of confidence and rate in 15 equal bins."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(place, right - confidence, minlength=BINS)).sum() / len(right))


def show(title: str, cases: Iterable[Case]) -> None:
    """Print the means over the cases."""
    held = list(cases)
    print(f"{title} ({len(held)} runs)\n| weights | calibration | {' | '.join(COLUMNS)} |")
    weights: tuple[ClassWeight, ClassWeight] = (None, "balanced")
    for class_weight in weights:
        results = [judge(case, class_weight) for case in held]
        for name in results[0]:
            values = np.mean([result[name] for result in results], axis=0)
            print(f"| {class_weight or 'none'} | {name} | {' | '.join(f'{v:.3f}' for v in values)} |", flush=True)


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--images", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    if options.data:
        show(str(options.data), real(options.data))
        return
    for n in options.images:
        for separation in (0.35, 0.7):
            cases = [simulate(n, separation, seed) for seed in range(options.seeds)]
            show(f"simulated, n={n}, separation {separation}", cases)


if __name__ == "__main__":
    main()
