"""Ten thousand classes: how long it takes to add one, to answer an image, and how much memory it needs.

    python benchmarks/many_classes.py [--classes 10000] [--features 256]

So many generated classes of 20 vectors each are added, 500 at a time; then one class more; then the finished model of them
all (calibration, thresholds and rejection by one remembered vector of each class); then images are answered. Times are
seconds on the clock, memory is resident and at its peak, the generated vectors included.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.aims import Aim
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.records import Label, LabelSchema, Task
from tellapart.training.class_file import to_bytes
from tellapart.training.dynamic import Remembered, refit
from tellapart.training.linear_probe import ProbeOptions

FEW = 20
_BLOCK = 500
T = TypeVar("T")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=256, help="length of the generated vectors")
    options = parser.parse_args()
    many_classes(options.classes, options.features)


def many_classes(k: int, d: int) -> None:
    """Generated classes of 20 vectors each, added 500 at a time; then one more; then an image."""
    world = Clusters(k + 1, d)
    statistics, filling, kept = ClassStatistics.empty(d), 0.0, []
    for first in range(0, k, _BLOCK):
        x, y = world.images(range(first, min(first + _BLOCK, k)), FEW)
        statistics, seconds = timed(partial(statistics.adding, x, y))
        filling += seconds
        kept.append((x[::FEW].copy(), y[::FEW]))
    one = world.images([k], FEW)
    more, adding = timed(partial(statistics.adding, *one))
    kept.append((one[0][::FEW], one[1][::FEW]))
    x, y = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    images = Remembered(x, y, np.arange(len(y)), ("train",) * len(y))
    schema = LabelSchema(Task.MULTICLASS, tuple(Label(i, str(i)) for i in range(k + 1)))
    probe, finishing = timed(lambda: refit(more, images, schema, ProbeOptions(Aim.parse("best_f1"))))
    file, writing = timed(lambda: to_bytes(more))
    test, truth = world.images(range(min(2_000, k)), 1, seed=1)
    single = min(timed(lambda: probe.head.probabilities(test[:1]))[1] for _ in range(20))
    batch = timed(lambda: probe.head.probabilities(test))[1] / len(test)
    right = float((probe.head.logits(test).argmax(axis=1) == truth).mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{k:,} classes of {FEW} vectors of {d:,} numbers, and one class more\n")
    print(
        "| s to fill | s to add a class | s finished model | s to write | MB of statistics | ms per image | ms in a batch "
        "| accuracy | MB at peak |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    print(
        f"| {filling:.1f} | {adding:.2f} | {finishing:.1f} | {writing:.2f} | {len(file) / 1e6:,.0f} | {single * 1e3:.2f} | "
        f"{batch * 1e3:.2f} | {right:.3f} | {peak:,.0f} |",
        flush=True,
    )


class Clusters:
    """Gaussian classes of one covariance with correlations, so far apart that of 256 numbers about one answer in ten is wrong.

    Of more numbers the means of 20 vectors are farther off by chance, and more answers are wrong.
    """

    def __init__(self, k: int, d: int) -> None:
        rng = np.random.default_rng(0)
        self._apart, self._mixing = 6.5 / np.sqrt(d), (rng.normal(size=(d, d)) / np.sqrt(d)).astype(np.float32)
        self._k, self._d = k, d

    def images(
        self, classes: range | list[int], n: int, seed: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """n vectors of each class, one class after the other; the same for the same seed."""
        parts = []
        for c in classes:
            mean = np.random.default_rng((1, c)).standard_normal(self._d, np.float32) * np.float32(self._apart)
            parts.append(mean + np.random.default_rng((2 + seed, c)).standard_normal((n, self._d), np.float32))
        return np.concatenate(parts) @ self._mixing, np.repeat(np.array(classes, np.int64), n)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Its result and its seconds on the clock."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


if __name__ == "__main__":
    main()
