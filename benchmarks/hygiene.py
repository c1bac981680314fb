"""What the checks find of planted faults, what accepting all their proposals is worth, and how often clean data alarm them.

    python -m benchmarks.hygiene --cifar DATA --work FOLDER [--images 20000] [--seeds 3] [--only checks,accuracy,clean]

`--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet. `benchmarks/planted.py` says what is planted.
Everything goes the way that `tellapart check`, `data fix` and `train` go; embeddings are kept in FOLDER/cache between runs.

checks: recall and precision of each check. accuracy: on the 10,000 test images, of a model of the planted data, of the data
after `data fix --all`, and of data without the faults. clean: 20 disjoint parts of the clean images (of 1,000 or more: with
fewer images fewer parts), in each of which every check should be silent; an alarm is a finding that is no note.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
from benchmarks.planted import NEAR, Row, plant, read_clean, write

import tellapart as ta
from benchmarks import hygiene_scores as scores
from tellapart.data.dataset import Dataset
from tellapart.data.hygiene import label_errors
from tellapart.data.hygiene.protocol import Severity
from tellapart.workflows.check import known_checks
from tellapart.workflows.check_result import Checked
from tellapart.workflows.repair import fix

PARTS, PART_SIZE = 20, 1_000
PASSES = ("checks", "accuracy", "clean")


def main() -> None:
    """Print tables in Markdown, after each seed for those so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PASSES))
    options = parser.parse_args()
    wanted = options.only.split(",")
    bench = Bench(options.cifar, options.work, options.images)
    if "clean" in wanted:
        bench.clean_alarms()
    if {"checks", "accuracy"} & set(wanted):
        bench.planted(range(options.seeds), accuracy="accuracy" in wanted)


class Bench:
    """Clean images, and where to put what is made of them."""

    def __init__(self, cifar: Path, work: Path, n: int) -> None:
        self.cifar, self.work, self.cache = cifar, work, work / "cache"
        self.clean = read_clean(cifar / "cifar10-train.parquet", n)
        self.pictures = read_pictures(Path(__file__).with_name("cifar_twins.csv"))

    def planted(self, seeds: Sequence[int], *, accuracy: bool) -> None:
        """Recall and precision of the checks; with `accuracy`, what the repair is worth."""
        found, ranked, reached = [], [], []
        for seed in seeds:
            rows = plant(self.clean, seed)
            data = write(rows, self._fresh(f"planted-{seed}"))
            checked, seconds = timed(lambda data=data: ta.check(data, cache_dir=self.cache))  # type: ignore[misc]
            tell(checked, f"seed {seed}, {len(rows):,} images, checked in {seconds:.0f} s")
            found.append(self._scores(rows, checked))
            ranked.append(self._ranked(rows, checked))
            table(["fault", "check", "recall", "precision", "found"], SCORED, found)
            table(["fault", "average precision of the ranking", "proposed labels that are right"], RANKED, ranked)
            if accuracy:
                reached.append(self._accuracies(rows, data, checked, seed))
                table(["training images", "test accuracy"], REPAIRED, reached)
        if accuracy:
            oracle = self._accuracy(self._written(self.clean, "clean"))
            print(f"| no faults | {oracle:.3f} |", flush=True)

    def _scores(self, rows: Sequence[Row], checked: Checked) -> list[list[float]]:
        by_check = {one.name: [f for f in checked.findings if f.check == one.name] for one in known_checks()}
        exact, near = by_check.get("exact_duplicates", []), by_check.get("near_duplicates", [])
        close, wrong = scores.near_duplicates(rows, near, self.pictures)
        listing(wrong, self.work / "wrong_pairs.csv")
        told = [
            scores.exact_duplicates(rows, exact),
            close,
            scores.quarrels(rows, exact, ["exact"]),
            scores.quarrels(rows, near, list(NEAR), self.pictures),
            scores.label_errors_listed(rows, by_check.get("label_errors", [])),
            scores.shortcut(rows, by_check.get("shortcuts", [])),
        ]
        return [[one.recall, one.precision, one.n] for one in told]

    def _ranked(self, rows: Sequence[Row], checked: Checked) -> list[list[float]]:
        evidence = checked.evidence
        findings = [finding for finding in checked.findings if finding.check == "label_errors"]
        if evidence.probabilities is None:
            return [[nan, nan]]
        quality = label_errors.quality(evidence)
        return [[scores.label_errors_ranked(rows, quality), scores.relabelled_rightly(rows, findings)]]

    def _accuracies(self, rows: Sequence[Row], data: Path, checked: Checked, seed: int) -> list[list[float]]:
        """On the data as they are, repaired, and with labels and copies as a perfect repair would leave them."""
        revision = self.work / f"fixed-{seed}"
        shutil.rmtree(revision, ignore_errors=True)
        made = fix(data, checked.fixes, output=revision, everything=True)
        print(f"seed {seed}: {made.revision.sentence}", flush=True)
        perfect = [replace(row, label=row.truth) for row in rows if not row.is_copy]
        return [[self._accuracy(each)] for each in (data, revision, self._written(perfect, f"perfect-{seed}"))]

    def _accuracy(self, data: Path) -> float:
        parts = {"train": Dataset.read(data), "test": Dataset.read(self.cifar / "cifar10-test.parquet")}
        samples = [
            replace(sample, uri=str((part.root or self.cifar) / sample.uri), split=name)
            for name, part in parts.items()
            for sample in part.samples
        ]
        model = ta.train(Dataset.from_samples(samples), aim="argmax", golden=0, cache_dir=self.cache)
        assert model.evaluation is not None
        return model.evaluation.metrics["accuracy"].value or nan

    def clean_alarms(self) -> None:
        """How often each check speaks where nothing was planted."""
        order = np.random.default_rng(0).permutation(len(self.clean))
        alarms, notes = Counter[str](), Counter[str]()
        n_parts = min(PARTS, max(1, len(order) // PART_SIZE))
        for i, part in enumerate(np.array_split(order, n_parts)):
            data = self._written([self.clean[row] for row in part], "clean-part")
            checked = ta.check(data, cache_dir=self.cache)
            tell(checked, f"clean part {i}, {len(part):,} images")
            alarms.update({f.check for f in checked.findings if f.severity > Severity.NOTE})
            notes.update({f.check for f in checked.findings if f.severity == Severity.NOTE})
        print(f"| check | alarms in {n_parts} clean parts | notes |\n| --- | --- | --- |")
        for one in known_checks():
            print(f"| `{one.name}` | {alarms[one.name]} | {notes[one.name]} |")
        n = n_parts * len(known_checks())
        print(f"| all | {sum(alarms.values())} of {n} ({sum(alarms.values()) / n:.1%}) | {sum(notes.values())} |\n")

    def _written(self, rows: Sequence[Row], name: str) -> Path:
        return write(rows, self._fresh(name))

    def _fresh(self, name: str) -> Path:
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        return folder


SCORED = [
    ("exact copies", "`exact_duplicates`"),
    ("near-duplicates", "`near_duplicates`"),
    ("exact copies under two labels", "`exact_duplicates`"),
    ("near-duplicates under two labels", "`near_duplicates`"),
    ("wrong labels", "`label_errors`"),
    ("brightness bound to a class", "`shortcuts`"),
]
RANKED = [("wrong labels",)]
REPAIRED = [("with the planted faults",), ("after `data fix --all`",), ("labels and copies repaired perfectly",)]


def table(columns: Sequence[str], names: Sequence[Sequence[str]], found: Sequence[Sequence[Sequence[float]]]) -> None:
    """A row per name, a mean over seeds with the least and the most in each cell; `found` by seed, row, column."""
    print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for i, name in enumerate(names):
        cells = [in_words([each[i][k] for each in found]) for k in range(len(found[0][i]))]
        print(f"| {' | '.join([*name, *cells])} |", flush=True)


def in_words(values: Sequence[float]) -> str:
    """`0.964 (0.960–0.967)`, whole numbers without digits."""
    if not np.isfinite(values).all():
        return "–"
    digits = 0 if all(isinstance(value, int) for value in values) else 3
    mean, least, most = (f"{value:,.{digits}f}" for value in (float(np.mean(values)), min(values), max(values)))
    return f"{mean} ({least}–{most})"


def tell(checked: Checked, what: str) -> None:
    """Every finding, so that a person can read what the figures stand for."""
    print(f"{what}: {checked.verdict}")
    for skipped in checked.skipped:
        print(f"  skipped {skipped.name}: {skipped.why}")
    for finding in checked.findings:
        print(f"  {finding.severity.name.lower()} {finding.check}: {finding.sentence}", flush=True)


def timed(work: Callable[[], Checked]) -> tuple[Checked, float]:
    """The result and seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def read_pictures(path: Path) -> dict[int, int]:
    """Images of CIFAR-10's training set (by row) that are the same picture, judged by a person: image → picture."""
    with open(path, encoding="utf-8") as file:
        return {int(line["image"]): int(line["picture"]) for line in csv.DictReader(file)}


def listing(pairs: set[scores.Pair], path: Path) -> None:
    """Adds pairs for a person to look at."""
    with open(path, "a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(sorted(pairs))


if __name__ == "__main__":
    main()
