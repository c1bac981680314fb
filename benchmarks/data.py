"""How long it takes to list a data set and to split it; prints processor seconds, medians of three.

python benchmarks/data.py [files]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.splits import assign_splits, group_folds
from tellapart.data.writers import write


def seconds(work: Callable[[], object]) -> float:
    """Median processor time of three calls."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return sorted(times)[1]


def listing(n_files: int) -> None:
    """Folders and CSV of empty files in ten classes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for i in range(n_files):
            path = root / f"class{i % 10}" / f"{i:06}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.touch()
        data = Dataset.read(root)
        print(f"read {len(data)} files in class folders: {seconds(lambda: Dataset.read(root)):.2f} s")
        print(f"write csv: {seconds(lambda: write(data, root / 'l.csv', format='csv', overwrite=True)):.2f} s")
        print(f"read csv: {seconds(lambda: Dataset.read(root / 'l.csv')):.2f} s")


def splitting() -> None:
    """Folds and splits for labels of both kinds, alone and in groups of about five."""
    rng = np.random.default_rng(0)
    for n, k in ((20_000, 10), (100_000, 10), (100_000, 100)):
        single = np.eye(k, dtype=np.uint8)[rng.integers(0, k, n)]
        several = (rng.random((n, k)) < 2 / k).astype(np.uint8)
        for name, labels in (("one label", single), ("several labels", several)):
            for kind, groups in (("alone", np.arange(n)), ("groups of 5", rng.integers(0, n // 5, n))):
                folds = seconds(lambda labels=labels, groups=groups: group_folds(labels, groups, 5))  # type: ignore[misc]
                splits = seconds(
                    lambda labels=labels, groups=groups: assign_splits(label_matrix=labels, groups=groups)  # type: ignore[misc]
                )
                print(f"{n} x {k}, {name}, {kind}: group_folds {folds:.2f} s, assign_splits {splits:.2f} s")


if __name__ == "__main__":
    listing(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    splitting()
