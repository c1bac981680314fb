"""Which learning rates suit `builtin`: accuracy after a short fine-tuning at each, beside `auto` and `find`.

    python -m benchmarks.learning_rates --cifar DATA [--images 500] [--epochs 3] [--size 32] [--optimizer adamw --optimizer sgd]

Trains on even shares of CIFAR-10's classes from pretrained or from random weights (--start), validates on a fifth as many,
judges on 1,000 test images. All rates are for batches of 32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from benchmarks.small_trainings import CLASSES, Cifar, Small

from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.optimizers import learning_rate

RATES = {
    "adamw": (5e-5, 2e-4, 1e-3, 5e-3),
    "sgd": (1e-3, 5e-3, 2e-2, 1e-1),
    "lion": (1e-5, 5e-5, 1.5e-4, 5e-4),
}
JUDGES = 100


def main() -> None:
    """Print a row per rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--optimizer", action="append", choices=RATES)
    parser.add_argument("--start", action="append", choices=("pretrained", "scratch"))
    options = parser.parse_args()
    small = evenly(options.cifar, options.images, options.size)
    print("| optimiser | start | rate | accuracy | seconds |\n| --- | --- | --- | --- | --- |", flush=True)
    for name in options.optimizer or ("adamw", "sgd"):
        for start in options.start or ("pretrained",):
            for rate in (*RATES[name], "find"):
                told = row(small, name, start, rate, options.epochs)
                print(told, flush=True)


def evenly(folder: Path, images: int, size: int) -> Small:
    """The same number of images of each class."""
    train, test = (Cifar.read(folder / f"cifar10-{part}.parquet") for part in ("train", "test"))
    rng = np.random.default_rng(0)
    each = images // CLASSES
    drawn = [train.of_class(number, each + each // 5, rng) for number in range(CLASSES)]
    judges = np.concatenate([test.of_class(number, JUDGES, rng) for number in range(CLASSES)])
    learns, validates = (np.concatenate([rows[part] for rows in drawn]) for part in (slice(each), slice(each, None)))
    return Small(train, test, learns, validates, judges, size, 0)


def row(small: Small, name: str, start: str, rate: float | str, epochs: int) -> str:
    """One training."""
    wishes = {
        "optimizer": {"name": name, "lr": rate},
        "start": start,
        "epochs": epochs,
        "augmentation": {"preset": "light"},
    }
    finetune = Finetune.model_validate(wishes)
    trained = small.run(finetune)
    right = (trained.judging.argmax(axis=1) == small.test.classes[small.judges]).mean()
    auto = learning_rate(finetune.optimizer.model_copy(update={"lr": "auto"}), start, 32)
    used = trained.result.history[0]["lr"] if rate == "find" else rate
    name_of = (
        f"find ({'; '.join(trained.result.notes)})"
        if rate == "find"
        else f"{used:g}" + (" (auto)" if rate == auto else "")
    )
    return f"| {name} | {start} | {name_of} | {right:.3f} | {trained.seconds:.0f} |"


if __name__ == "__main__":
    main()
