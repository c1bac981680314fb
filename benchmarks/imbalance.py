"""What losses and samplers do for rare classes: recall on CIFAR-10 made unbalanced, against plain cross-entropy.

    python -m benchmarks.imbalance --cifar DATA --cache FOLDER [--largest 250] [--ratio 50] [--epochs 5] [--size 32] [--seeds 3]

The classes of the training images have `largest`, …, `largest / ratio` images in a geometric row (Cui et al. 2019), which
class has how many is drawn anew for each seed; a fifth as many validate, in the same proportions. `builtin` is fine-tuned
with each loss or sampler, everything else alike, and judged on 1,000 test images, all classes alike. The weights are those of
the last epoch: to choose one by a single image of a rare class would be a draw. Rare are the five smaller classes.

Three answers are judged: the likeliest class of the network itself, and what a model folder answers whose calibration and
thresholds are fitted on the validation images, for `best_f1` and for `argmax`. Intervals and differences to cross-entropy are
a paired bootstrap over the test images of the mean over seeds. Logits are kept in --cache: what is there is not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.small_trainings import CLASSES, SCHEMA, Cifar, Floats, Ints, Small
from numpy.typing import NDArray

from tellapart.heads.aims import Aim
from tellapart.heads.calibration import fit_calibration
from tellapart.heads.thresholds import decide, fit_thresholds
from tellapart.records import Task
from tellapart.settings.recipe import Finetune

RESAMPLES = 1_000
JUDGES = 100
RARE = CLASSES // 2
WAYS: dict[str, dict[str, Any]] = {
    "cross-entropy": {},
    "logit adjustment": {"loss": {"name": "logit_adjustment"}},
    "sampler balanced": {"sampler": "balanced"},
    "class-balanced": {"loss": {"name": "class_balanced"}},
    "sampler square_root": {"sampler": "square_root"},
    "focal": {"loss": {"name": "focal"}},
    "supervised contrastive": {"loss": {"name": "supervised_contrastive"}},
    "label smoothing 0.1": {"loss": {"smoothing": 0.1}},
}
Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]


def main() -> None:
    """Train what is not in the cache, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--largest", type=int, default=250)
    parser.add_argument("--ratio", type=float, default=50.0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--way", action="append", choices=WAYS, help="default: all; cross-entropy is always there")
    options = parser.parse_args()
    train, test = (Cifar.read(options.cifar / f"cifar10-{part}.parquet") for part in ("train", "test"))
    options.cache.mkdir(parents=True, exist_ok=True)
    cases = [Case.drawn(train, test, options, seed) for seed in range(options.seeds)]
    print(f"images of the classes, from common to rare: {profile(options.largest, options.ratio)}")
    ways = [name for name in WAYS if name == "cross-entropy" or name in (options.way or WAYS)]
    made_by_case = [{name: case.answers(name, options) for name in ways} for case in cases]
    answers = {name: [made[name] for made in made_by_case] for name in ways}
    judged: dict[str, Callable[[Answers, Case], Bools]] = {
        "the network's likeliest class": likeliest,
        "the model folder's answer": folders,
        "the model folder's answer with --aim argmax": lambda one, case: folders(one, case, "argmax"),
    }
    for title, choose in judged.items():
        table(
            title,
            cases,
            {
                name: [choose(one, case) for one, case in zip(made, cases, strict=True)]
                for name, made in answers.items()
            },
        )


def profile(largest: int, ratio: float) -> list[int]:
    """Images of each class, falling geometrically from `largest` to `largest / ratio`."""
    return [round(largest * ratio ** (-i / (CLASSES - 1))) for i in range(CLASSES)]


@dataclass(frozen=True)
class Answers:
    """Logits float32 (m, 10) of the images that validate and that judge."""

    validating: Floats
    judging: Floats
    seconds: float


@dataclass(frozen=True)
class Case:
    """Images of one seed; `rank` int64 (10,): 0 for the class with most images."""

    small: Small
    rank: Ints

    @classmethod
    def drawn(cls, train: Cifar, test: Cifar, options: argparse.Namespace, seed: int) -> Case:
        """Which class is rare, and which images of it there are, differs by seed; the test images do not."""
        rng = np.random.default_rng(seed)
        rank = rng.permutation(CLASSES)
        counts = np.array(profile(options.largest, options.ratio))[rank]
        drawn = [train.of_class(c, n + -(-n // 5), rng) for c, n in enumerate(counts.tolist())]
        learns = np.concatenate([rows[:n] for rows, n in zip(drawn, counts, strict=True)])
        validates = np.concatenate([rows[n:] for rows, n in zip(drawn, counts, strict=True)])
        fixed = np.random.default_rng(1_000)
        judges = np.concatenate([test.of_class(c, JUDGES, fixed) for c in range(CLASSES)])
        return cls(Small(train, test, learns, validates, judges, options.size, seed), rank)

    @property
    def truth(self) -> Ints:
        """Classes of the images that judge."""
        return self.small.test.classes[self.small.judges]

    def answers(self, name: str, options: argparse.Namespace) -> Answers:
        """From the cache, or after a training."""
        key = f"{name}-{options.largest}-{options.ratio:g}-{options.epochs}-{options.size}-{self.small.seed}".replace(
            " ", "_"
        )
        path = options.cache / f"{key}.npz"
        if not path.exists():
            given = {"epochs": options.epochs, "augmentation": {"preset": "light"}} | WAYS[name]
            trained = self.small.run(Finetune.model_validate(given), choose_epoch=False)
            np.savez(path, validating=trained.validating, judging=trained.judging, seconds=trained.seconds)
            print(f"{name}, seed {self.small.seed}: {trained.seconds:.0f} s, {trained.result.best_epoch=}", flush=True)
        with np.load(path) as found:
            return Answers(found["validating"], found["judging"], float(found["seconds"]))


def likeliest(answers: Answers, _: Case) -> Bools:
    """The class of the largest logit, as a row of decisions."""
    return np.asarray(answers.judging.argmax(axis=1)[:, None] == np.arange(CLASSES))


def folders(answers: Answers, case: Case, aim: str = "best_f1") -> Bools:
    """Calibrated, with thresholds for an aim, as `train` finishes a head. A row without any is "I don't know"."""
    truth = case.small.train.classes[case.small.validates]
    calibration = fit_calibration(answers.validating, truth, task=Task.MULTICLASS)
    val, test = (calibration.apply(logits) for logits in (answers.validating, answers.judging))
    thresholds = fit_thresholds(val, truth, schema=SCHEMA, aim=Aim.parse(aim))
    return decide(test, thresholds, SCHEMA)


def table(title: str, cases: list[Case], decided: dict[str, list[Bools]]) -> None:
    """A row per way: recall of the rare and of the common classes and macro F1, each with its difference."""
    print(
        f"\n{title}\n\n| | recall, rare | − cross-entropy | recall, common | − cross-entropy | macro F1 | − cross-entropy |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    weights = np.random.default_rng(0).multinomial(
        len(cases[0].truth), np.full(len(cases[0].truth), 1 / len(cases[0].truth)), RESAMPLES
    )
    weights = np.vstack([np.ones(weights.shape[1], int), weights])
    scored = {
        name: sum(scores(rows, case, weights) for rows, case in zip(made, cases, strict=True)) / len(cases)
        for name, made in decided.items()
    }
    by_seed = {
        name: np.array([scores(rows, case, weights[:1])[0] for rows, case in zip(made, cases, strict=True)])
        for name, made in decided.items()
    }
    plain = scored["cross-entropy"]
    for name, values in scored.items():
        cells = []
        for column in range(3):
            cells.append(interval(values[:, column], "{:.3f}"))
            seeds = by_seed[name][:, column] - by_seed["cross-entropy"][:, column]
            spread = f"; seeds {seeds.min():+.3f} to {seeds.max():+.3f}" if len(cases) > 1 else ""
            cells.append(
                "" if name == "cross-entropy" else interval(values[:, column] - plain[:, column], "{:+.3f}", spread)
            )
        print(f"| {name} | {' | '.join(cells)} |")
    print("\nrecall by class, from common to rare, mean over seeds:\n")
    for name, made in decided.items():
        by_rank = np.mean(
            [
                recalls(rows, case, weights[:1])[0][np.argsort(case.rank)]
                for rows, case in zip(made, cases, strict=True)
            ],
            axis=0,
        )
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in by_rank)} |")


def recalls(decided: Bools, case: Case, weights: Ints) -> Doubles:
    """(r, 10) by class, for r weightings (r, n) of the images."""
    member = (case.truth[:, None] == np.arange(CLASSES)).astype(float)
    return np.asarray((weights @ (member * decided)) / (weights @ member))


def scores(decided: Bools, case: Case, weights: Ints) -> Doubles:
    """(r, 3): recall of the rare classes, of the common ones, and macro F1."""
    member = (case.truth[:, None] == np.arange(CLASSES)).astype(float)
    found = recalls(decided, case, weights)
    hits = weights @ (member * decided)
    f1 = 2 * hits / np.maximum(weights @ member + weights @ decided, 1e-9)
    rare = case.rank >= CLASSES - RARE
    return np.stack([found[:, rare].mean(axis=1), found[:, ~rare].mean(axis=1), f1.mean(axis=1)], axis=1)


def interval(values: Doubles, form: str, more: str = "") -> str:
    """The first is the value, the others are drawn: `0.512 (0.490 to 0.533)`."""
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return f"{form.format(values[0])} ({form.format(low)} to {form.format(high)}{more})"


if __name__ == "__main__":
    main()
