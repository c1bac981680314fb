"""What `train --label-noise` is worth: accuracy on clean test labels after training on labels of which some were flipped.

    python -m benchmarks.label_noise --cifar DATA --tiles DATA/magnetic-tile --cache FOLDER [--images 4000] [--rank 0]

CIFAR-10: that many training images, 0 to 40 % of the labels flipped, to any other class or (of the eight classes that have
one) to a similar one; judged on the 10,000 test images. Tiles: three fifths of the groups train, two fifths judge; flipped to
any other class; the score is the mean recall. Every head is fitted as `train` fits it, its answer is the likeliest class. For
time's sake the heads see the `--rank` leading directions of the embeddings (256; 0 for all, as `train`), which costs a point.

The interval of a difference is a bootstrap over the images that judge, paired and by groups, of the mean over seeds; beside it
stand the least and the largest difference of a seed. `ideal` leaves out exactly the flipped labels, which nobody knows. `left
out` and `right` are the share of images dropped, and how many of those were flipped indeed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from benchmarks.learning_curve import Data
from benchmarks.planted import SIMILAR
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.heads.calibration import fit_calibration
from tellapart.heads.linear import LinearHead
from tellapart.heads.selection import fit_selected
from tellapart.heads.solver import Design
from tellapart.records import Task
from tellapart.training.label_noise import Doubted, LabelNoise, doubted

RATES = (0.05, 0.1, 0.2, 0.4)
WAYS: tuple[LabelNoise, ...] = ("drop", "downweight")
RESAMPLES = 1_000
Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]


def main() -> None:
    """Print a table per data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--images", type=int, default=4_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rank", type=int, default=256)
    options = parser.parse_args()
    if options.tiles:
        tiles = leading(Data.of(options.tiles, options.cache), options.rank)
        table("magnetic-tile, mean recall", lambda seed: tiles_case(tiles, seed), options.seeds, ("any label",))
    if options.cifar:
        train, test = (Data.of(options.cifar / f"cifar10-{part}.parquet", options.cache) for part in ("train", "test"))
        both = leading(train.joined(test), options.rank)

        def case(seed: int) -> Case:
            rows = np.random.default_rng(seed).permutation(len(train.classes))[: options.images]
            return Case(both, rows, np.arange(len(train.classes), len(both.classes)))

        table(f"CIFAR-10, {options.images:,} images, accuracy", case, options.seeds, ("any label", "similar label"))


def leading(data: Data, rank: int) -> Data:
    """The same on its leading directions, turned at random: scaled to unit variance, as a head does, they keep their size."""
    if not rank:
        return data
    scores = Design.leading(data.embeddings, rank).matrix[:, :-1]
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(scores.shape[1],) * 2))
    return replace(data, embeddings=np.ascontiguousarray(scores @ turn.astype(np.float32)))


@dataclass(frozen=True)
class Case:
    """Rows of the data to train on, and rows that judge."""

    data: Data
    train: Ints
    judged: Ints

    def flipped(self, kind: str, rate: float, rng: np.random.Generator) -> Ints:
        """The labels to train on: a share `rate` of those that can be flipped, is."""
        labels, names = self.data.classes[self.train].copy(), self.data.schema.names
        able = np.array([kind == "any label" or names[c] in SIMILAR for c in labels])
        chosen = rng.choice(np.flatnonzero(able), round(rate * able.sum()), replace=False)
        for row in chosen.tolist():
            if kind == "any label":
                labels[row] = (labels[row] + rng.integers(1, len(names))) % len(names)
            else:
                labels[row] = names.index(SIMILAR[names[labels[row]]])
        return labels

    def fit(self, labels: Ints, doubts: Doubted | None = None) -> tuple[LinearHead, NDArray[np.float32]]:
        """A calibrated head, and its out-of-fold probabilities; as `training.linear_probe` does it."""
        x, groups, k = self.data.embeddings[self.train], self.data.groups[self.train], len(self.data.schema.names)
        folds = group_folds(np.eye(k, dtype=np.uint8)[labels], groups, 5)
        weights = None if doubts is None else doubts.weights
        found, head = fit_selected(
            x, labels, folds, task=Task.MULTICLASS, n_classes=k, class_weight="balanced", sample_weight=weights
        )
        trusted = found.usable if doubts is None else found.usable & ~doubts.wrong
        calibration = fit_calibration(found.logits[trusted], labels[trusted], task=Task.MULTICLASS)
        return head.calibrated(calibration), calibration.apply(found.logits)

    def right(self, head: LinearHead) -> NDArray[np.bool_]:
        """Which of the images that judge are answered rightly."""
        answers = head.probabilities(self.data.embeddings[self.judged]).argmax(axis=1)
        return np.asarray(answers == self.data.classes[self.judged])

    def run(self, labels: Ints) -> tuple[dict[str, NDArray[np.bool_]], dict[str, Doubted]]:
        """What each way gets right, and what it doubts."""
        head, held_out = self.fit(labels)
        right, doubts = {"keep": self.right(head)}, {}
        hot = np.eye(len(self.data.schema.names), dtype=np.uint8)[labels]
        for how in WAYS:
            x, groups = self.data.embeddings[self.train], self.data.groups[self.train]
            doubts[how] = doubted(x, hot, held_out, groups, Task.MULTICLASS, how)
            changed = doubts[how].weights.min() < 1
            right[how] = self.right(self.fit(labels, doubts[how])[0]) if changed else right["keep"]
        flipped = labels != self.data.classes[self.train]
        ideal = Doubted("drop", (~flipped).astype(float), flipped, float(flipped.mean()))
        right["ideal"] = self.right(self.fit(labels, ideal)[0]) if flipped.any() else right["keep"]
        return right, doubts

    def weights(self) -> Doubles:
        """What each image that judges counts: every class alike."""
        classes = self.data.classes[self.judged]
        counts = np.bincount(classes)
        return np.asarray(1 / counts[classes] / (counts > 0).sum(), np.float64)


def tiles_case(tiles: Data, seed: int) -> Case:
    """Two fifths of the groups judge."""
    fold = group_folds(tiles.labels, tiles.groups, 5, seed)
    return Case(tiles, np.flatnonzero(fold >= 2), np.flatnonzero(fold < 2))


def table(title: str, case: Callable[[int], Case], seeds: int, kinds: tuple[str, ...]) -> None:
    """A line per kind and rate."""
    print(f"\n{title}; {seeds} seeds\n", flush=True)
    print("| flipped | rate | keep | drop − keep | downweight − keep | ideal − keep | left out | right |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind, rate in [("none", 0.0), *((kind, rate) for kind in kinds for rate in RATES)]:
        print(line(kind, rate, [case(seed) for seed in range(seeds)]), flush=True)


def line(kind: str, rate: float, cases: list[Case]) -> str:
    """Means over seeds, differences with intervals."""
    rights, shares, found = [], [], []
    for seed, case in enumerate(cases):
        truth = case.data.classes[case.train]
        labels = case.flipped(kind, rate, np.random.default_rng(seed)) if rate else truth
        right, doubts = case.run(labels)
        rights.append(right)
        out = doubts["drop"].weights == 0
        shares.append(out.mean())
        found.append((labels != truth)[out].mean() if out.any() else np.nan)
    keep = np.mean([case.weights() @ right["keep"] for case, right in zip(cases, rights, strict=True)])
    sure = f"{np.nanmean(found):.2f}" if np.isfinite(found).any() else "–"
    told = " | ".join(difference(cases, rights, how) for how in (*WAYS, "ideal"))
    return f"| {kind} | {rate:.0%} | {keep:.3f} | {told} | {np.mean(shares):.1%} | {sure} |"


def difference(cases: list[Case], rights: list[dict[str, NDArray[np.bool_]]], how: str) -> str:
    """`+0.012 (0.004 to 0.020; seeds 0.008 to 0.015)`."""
    # One order of draws for all seeds: where they judge by the same images, these err alike.
    by_seed, spread = [], np.zeros(RESAMPLES)
    for case, right in zip(cases, rights, strict=True):
        pulled = case.weights() * (right[how].astype(float) - right["keep"])
        by_seed.append(pulled.sum())
        _, of = np.unique(case.data.groups[case.judged], return_inverse=True)
        summed = np.bincount(of.reshape(-1), pulled)
        drawn = np.random.default_rng(0).integers(0, len(summed), (RESAMPLES, len(summed)))
        spread += summed[drawn].sum(axis=1) / len(cases)
    low, high = np.quantile(spread, (0.025, 0.975))
    return f"{np.mean(by_seed):+.3f} ({low:+.3f} to {high:+.3f}; seeds {min(by_seed):+.3f} to {max(by_seed):+.3f})"


if __name__ == "__main__":
    main()
