"""Tiny jobs: three kinds of noise that differ in their strongest colour, and LeNet at 32 px."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.image.types import RgbImage
from tellapart.records import Task
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.job import Job, JobResult, Labelled, write_job

CLASSES = 3


def pictures(n: int, seed: int = 0) -> Iterator[RgbImage]:
    """n images, 36 × 40 px, of class 0, 1, 2, 0, 1, …"""
    rng = np.random.default_rng(seed)
    for number in range(n):
        pixels = rng.integers(0, 100, (40, 36, 3)).astype(np.uint8)
        pixels[..., number % CLASSES] += 80
        yield RgbImage(pixels, (36, 40))


def targets(n: int) -> NDArray[np.float32]:
    """One-hot float32 (n, 3) of `pictures(n)`."""
    return np.eye(CLASSES, dtype=np.float32)[np.arange(n) % CLASSES]


def labelled(n: int, seed: int = 0) -> Labelled:
    """n images with their targets."""
    return Labelled(pictures(n, seed), targets(n))


TIMES = ("seconds", "images_per_second", "images_per_second_without_loading")


def learned(result: JobResult) -> list[dict[str, Any]]:
    """The history without its times: what two equal trainings have in common."""
    return [{name: value for name, value in row.items() if name not in TIMES} for row in result.history]


def tiny_job(folder: Path, *, n_train: int = 24, n_val: int = 9, network: str = "lenet", **options: Any) -> Job:
    """A job that trains LeNet in a second; `options` are fields of `Finetune`."""
    chosen = {"start": "scratch", "epochs": 2, "batch_size": 8} | options
    return write_job(
        folder,
        finetune=Finetune.model_validate(chosen),
        network=network,
        spec="decode|upright|fit(32)",
        task=Task.MULTICLASS,
        n_classes=CLASSES,
        train=labelled(n_train),
        val=labelled(n_val, 1),
    )
