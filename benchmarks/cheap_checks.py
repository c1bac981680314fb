"""What the checks without a network say of clean images, how well light and border tell labels by nature, and what they cost.

    python -m benchmarks.cheap_checks [--cifar cifar10-train.parquet] [--tiles FOLDER] [--only alarms,shortcuts,time]

alarms: 20 random subsets of 2,000 images; in each every check should be silent. Here every finding is an alarm, notes too.
shortcuts: for each source the best told label, as balanced accuracy and its lower limit at 99 %: clean, each class against
each other class, and under the lamp of `benchmarks/planted.py`. time: processor time on 100,000 made-up images.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
from benchmarks.planted import plant, read_clean, write

from tellapart.data.dataset import Dataset
from tellapart.data.groups import combine_groups
from tellapart.data.hygiene.protocol import Check, Evidence
from tellapart.data.hygiene.shortcut_sources import sources
from tellapart.data.hygiene.told_by import told_by
from tellapart.records import Sample
from tellapart.workflows.check import known_checks
from tellapart.workflows.check_evidence import Means, gather
from tellapart.workflows.progress import silent

N_SUBSETS, SUBSET = 20, 2_000
N_PLANTED, N_SEEDS = 5_000, 3
N_TIMED, N_LABELS = 100_000, (10, 200)


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--only", default="alarms,shortcuts,time")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if options.cifar is None and wanted != ["time"]:
        parser.error("--cifar is needed for all but time")
    clean = read(options.cifar) if {"alarms", "shortcuts"} & set(wanted) else None
    if "alarms" in wanted and clean is not None:
        alarms(clean)
    if "shortcuts" in wanted and clean is not None:
        shortcuts(clean, options.cifar, options.tiles)
    if "time" in wanted:
        timed()


def read(data: Path) -> Evidence:
    """Everything that costs no network."""
    return gather(Dataset.read(data), frozenset(), Means("builtin"), silent).evidence


def cheap() -> list[Check]:
    """Checks that `train` runs."""
    return [check for check in known_checks() if not check.needs]


def subset(whole: Evidence, rows: np.ndarray) -> Evidence:
    """Some of the images, with the labels that they have."""
    dataset = whole.dataset.subset(rows)
    left = Dataset.from_samples(dataset.samples, root=dataset.root)
    assert left.schema is not None
    return Evidence(left, left.schema, left.label_matrix(), whole.statistics[rows], whole.thumbnails[rows])


def alarms(clean: Evidence) -> None:
    """Findings by check."""
    print(f"\n| check | alarms in {N_SUBSETS} subsets of {SUBSET:,} |\n| --- | --- |")
    rng = np.random.default_rng(0)
    parts = [subset(clean, np.sort(rng.choice(len(clean), SUBSET, replace=False))) for _ in range(N_SUBSETS)]
    for check in cheap():
        print(f"| {check.name} | {sum(bool(check.run(part)) for part in parts)} |")


def shortcuts(clean: Evidence, cifar: Path, tiles: Path | None) -> None:
    """The best told label of each source."""
    print("\n| data | source | best told | balanced accuracy | lower limit |\n| --- | --- | --- | --- | --- |")
    told("clean", [clean])
    classes = [np.flatnonzero(clean.classes == column) for column in range(len(clean.schema.names))]
    told("two classes", (subset(clean, np.sort(np.concatenate(pair))) for pair in combinations(classes, 2)))
    if tiles is not None:
        told("magnetic tiles", [read(tiles)])
    rows = read_clean(cifar, N_PLANTED)
    for seed in range(N_SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            told(f"lamp, seed {seed}", [read(write(plant(rows, seed), Path(folder)))])


def told(what: str, data: Iterator[Evidence] | list[Evidence]) -> None:
    """One line for each source: the label with the highest lower limit."""
    best: dict[str, tuple[float, float, str]] = {}
    for evidence in data:
        groups = combine_groups(evidence.dataset.ids, evidence.dataset.groups)
        for source in sources(evidence):
            found = told_by(source.features, evidence.labels, groups)
            column = int(found.low.argmax())
            names = evidence.schema.names
            name = " or ".join(names) if len(names) == 2 else names[column]
            best[source.name] = max(
                best.get(source.name, (0, 0, "")), (found.low[column], found.accuracy[column], name)
            )
    for source_name, (low, accuracy, name) in best.items():
        print(f"| {what} | {source_name.split(' (')[0]} | {name} | {accuracy:.2f} | {low:.2f} |")


def timed() -> None:
    """Seconds of each check on images with groups, splits, folders, times and a column."""
    print(f"\n| check | {' | '.join(f'{n} labels, s' for n in N_LABELS)} |\n| --- | --- | --- |")
    data = [made_up(N_TIMED, n) for n in N_LABELS]
    totals = np.zeros(len(data))
    for check in cheap():
        seconds = [_seconds(check, evidence) for evidence in data]
        totals += seconds
        print(f"| {check.name} | {' | '.join(f'{one:.1f}' for one in seconds)} |")
    print(f"| all | {' | '.join(f'{one:.1f}' for one in totals)} |")


def _seconds(check: Check, evidence: Evidence) -> float:
    started = time.process_time()
    check.run(evidence)
    return time.process_time() - started


def made_up(n: int, n_labels: int) -> Evidence:
    """Images that are noise, with every fact that a data set can carry."""
    rng = np.random.default_rng(0)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    dataset = Dataset.from_samples(
        Sample(
            uri=f"class {label}/hall {i % 3}/{i}.jpg",
            id=f"{i:064x}",
            labels=(f"class {label}",),
            group=f"part {i // 4}",
            split="test" if i // 4 % 5 == 0 else "train",
            captured_at=start + timedelta(minutes=i),
            metadata={"camera": f"camera {i % 4}"},
        )
        for i, label in enumerate(rng.integers(0, n_labels, n).tolist())
    )
    assert dataset.schema is not None
    middle, spread = np.array([0.5, 0.2, 0.01, 0.3, 640, 480]), np.array([0.1, 0.03, 0.002, 0.1, 0, 0])
    statistics = rng.normal(middle, spread, (n, 6)).astype(np.float32)
    thumbnails = rng.integers(0, 256, (n, 64, 64), np.uint8)
    return Evidence(dataset, dataset.schema, dataset.label_matrix(), statistics, thumbnails)


if __name__ == "__main__":
    main()
