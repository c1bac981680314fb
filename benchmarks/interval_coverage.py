"""How often do the 95 % intervals contain the truth?

Draws many test sets from a known world (three classes, 60 : 30 : 10), evaluates each, and counts. Beside it the same
count for plain bootstrap percentiles. Also the time of one whole `evaluate` and `write_report`.

Usage: python benchmarks/interval_coverage.py [--draws 400]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from typing import Any

import numpy as np

from tellapart.evaluation import evaluate, score, write_report
from tellapart.evaluation.intervals import bootstrap, estimate_all
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.units import units_of
from tellapart.records import LabelSchema, Task

SCHEMA = LabelSchema.from_names(["a", "b", "c"], task=Task.MULTICLASS)
METRICS = ("accuracy", "f1_macro", "roc_auc_macro", "average_precision_macro", "log_loss")
IMAGES_PER_GROUP = 5


def draw(rng: np.random.Generator, n: int, lift: float, grouped: bool) -> tuple[Any, Any, Any]:
    """Probabilities, truth and groups; images of a group share their label and half of their noise."""
    n_groups = max(2, n // IMAGES_PER_GROUP) if grouped else n
    group = np.arange(n) % n_groups
    targets = rng.choice(3, size=n_groups, p=[0.6, 0.3, 0.1])[group]
    logits = rng.normal(size=(n, 3))
    if grouped:
        logits = (logits + rng.normal(size=(n_groups, 3))[group]) / np.sqrt(2)
    logits[np.arange(n), targets] += lift
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), targets, [str(g) for g in group] if grouped else None


def coverage(n: int, lift: float, draws: int, *, grouped: bool = False) -> dict[str, tuple[float, float]]:
    """Share of draws whose interval contains the truth: (ours, percentiles) per metric."""
    rng = np.random.default_rng(7)
    p, y, _ = draw(rng, 300_000, lift, False)
    truth = Measurer.of(score(p, y, SCHEMA)).point().overall
    ours, plain = dict.fromkeys(METRICS, 0), dict.fromkeys(METRICS, 0)
    for seed in range(draws):
        p, y, groups = draw(rng, n, lift, grouped)
        measurer = Measurer.of(score(p, y, SCHEMA), unit=units_of(groups, n))
        found = estimate_all(measurer, seed=seed, n_resamples=300).overall
        replicates = bootstrap(measurer, seed=seed, n_resamples=300).overall
        for name in METRICS:
            low, high = found[name].low, found[name].high
            ours[name] += low is not None and high is not None and low <= truth[name][0] <= high
            low, high = np.nanquantile(replicates[name], [0.025, 0.975])
            plain[name] += low <= truth[name][0] <= high
    return {name: (ours[name] / draws, plain[name] / draws) for name in METRICS}


def speed(n: int, k: int, task: Task) -> tuple[float, float]:
    """Median seconds of `evaluate` and of `write_report`, with groups and two metadata columns."""
    rng = np.random.default_rng(3)
    schema = LabelSchema.from_names([f"c{i:03}" for i in range(k)], task=task)
    logits = rng.normal(size=(n, k))
    targets = rng.integers(0, k, n)
    logits[np.arange(n), targets] += 2
    p = 1 / (1 + np.exp(-logits))
    if task is Task.MULTICLASS:
        p /= p.sum(axis=1, keepdims=True)
    truth = targets if task is Task.MULTICLASS else (p + rng.normal(scale=0.3, size=p.shape) > 0.7).astype(np.uint8)
    metadata = {"camera": [str(i % 4) for i in range(n)], "day": [str(i % 10) for i in range(n)]}
    groups = [str(i // 5) for i in range(n)]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        evaluation = evaluate(p, truth, schema, groups=groups, metadata=metadata)
        middle = time.perf_counter()
        write_report(evaluation, title="speed", card={})
        times.append((middle - start, time.perf_counter() - middle))
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    draws = parser.parse_args().draws
    print(f"numpy {np.__version__}, Python {platform.python_version()}, {platform.machine()}, {draws} draws each")
    print(
        f"\ncoverage of the 95 % interval: ours / bootstrap percentiles\n{'':34}" + "".join(f"{m:>26}" for m in METRICS)
    )
    for lift, word in ((1.5, "accuracy 0.77"), (3.5, "accuracy 0.99")):
        for n in (50, 200, 1000):
            print_row(f"{word}, n = {n}", coverage(n, lift, draws))
    print_row("accuracy 0.77, n = 200, groups of 5", coverage(200, 1.5, draws, grouped=True))
    print("\nseconds: evaluate, write_report")
    for n, k, task in ((1344, 6, Task.MULTICLASS), (10_000, 10, Task.MULTICLASS), (10_000, 10, Task.MULTILABEL)):
        evaluated, written = speed(n, k, task)
        print(f"{task.value:<12}{n:>8,} × {k:<4}{evaluated:8.2f}{written:8.3f}")


def print_row(name: str, found: dict[str, tuple[float, float]]) -> None:
    """One line of the coverage table."""
    print(f"{name:<36}" + "".join(f"{f'{ours:.3f} / {plain:.3f}':>26}" for ours, plain in found.values()), flush=True)


if __name__ == "__main__":
    main()
