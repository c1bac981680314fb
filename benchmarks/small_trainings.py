"""Trainings of `builtin` on a few images of CIFAR-10, for benchmarks that compare options of fine-tuning."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import RgbImage
from tellapart.records import Label, LabelSchema, Task
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.attempts import fit
from tellapart.training.finetune.job import JobResult, Labelled, read_job, write_job
from tellapart.training.finetune.trained import trained_network
from tellapart.training.head_start import head_start
from tellapart.training.networks.build import build_network
from tellapart.training.networks.network import Network

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
CLASSES = 10
SCHEMA = LabelSchema(Task.MULTICLASS, tuple(Label(i, str(i)) for i in range(CLASSES)))


@dataclass(frozen=True)
class Cifar:
    """One of the two files: JPEGs and classes int64 (n,)."""

    encoded: tuple[bytes, ...]
    classes: Ints

    @classmethod
    def read(cls, path: Path) -> Cifar:
        """A Parquet file of Hugging Face's form."""
        table = pl.read_parquet(path)
        return cls(tuple(table["image"].struct.field("bytes").to_list()), table["label"].to_numpy().astype(np.int64))

    def of_class(self, number: int, n: int, rng: np.random.Generator) -> Ints:
        """n rows of a class, drawn without repetition."""
        return rng.permutation(np.flatnonzero(self.classes == number))[:n]


@dataclass(frozen=True)
class Small:
    """What is trained and judged: rows of the training file that learn and validate, rows of the test file that judge."""

    train: Cifar
    test: Cifar
    learns: Ints
    validates: Ints
    judges: Ints
    size: int
    seed: int

    @cached_property
    def spec(self) -> PreprocessSpec:
        """The whole image, enlarged."""
        return PreprocessSpec.parse(f"decode|upright|squash({self.size})")

    def images(self, data: Cifar, rows: Ints) -> list[RgbImage]:
        """Decoded."""
        return [self.spec.load(data.encoded[row]) for row in rows.tolist()]

    def labelled(self, rows: Ints) -> Labelled:
        """Images of the training file with one-hot targets."""
        return Labelled(self.images(self.train, rows), np.eye(CLASSES, dtype=np.float32)[self.train.classes[rows]])

    def run(self, finetune: Finetune, *, choose_epoch: bool = True) -> Trained:
        """Train as `train --method finetune` does, and ask the network of the best epoch, or else of the last."""
        folder = Path(tempfile.mkdtemp(prefix="small-"))
        try:
            write_job(
                folder / "job",
                finetune=finetune,
                network="builtin",
                spec=str(self.spec),
                size=self.size,
                task=Task.MULTICLASS,
                n_classes=CLASSES,
                train=self.labelled(self.learns),
                val=self.labelled(self.validates if choose_epoch else self.validates[:0]),
                seed=self.seed,
                head=self.head if finetune.start == "pretrained" else None,
            )
            job, began = read_job(folder / "job"), time.perf_counter()
            result = fit(folder / "job", job, lambda _stage, _done, _total: None)
            seconds = time.perf_counter() - began
            network = trained_network(folder / "job", job)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        asked = ((self.train, self.validates), (self.test, self.judges))
        val, test = (self.logits(network, self.images(data, rows)) for data, rows in asked)
        return Trained(val, test, result, seconds)

    @cached_property
    def head(self) -> tuple[Floats, Floats]:
        """Where the last layer starts, as `train` does it: at the probe of the frozen features."""
        network = build_network("builtin", n_classes=CLASSES, size=self.size, start="pretrained").eval()
        pixels = self.pixels(network, self.images(self.train, self.learns))
        with torch.no_grad():
            embeddings = np.concatenate([network.embed(part)[0].numpy() for part in pixels])
        labels = np.eye(CLASSES, dtype=np.uint8)[self.train.classes[self.learns]]
        groups = np.arange(len(labels))
        return head_start(embeddings, labels, groups, SCHEMA, class_weight="balanced", seed=self.seed)

    def logits(self, network: Network, images: list[RgbImage]) -> Floats:
        """float32 (n, 10)."""
        with torch.no_grad():
            return np.concatenate([network(part).numpy() for part in self.pixels(network, images)])

    def pixels(self, network: Network, images: list[RgbImage]) -> list[torch.Tensor]:
        """Normalised, by the hundred."""
        stacked = np.stack([self.spec.transform(image) for image in images])
        return [network.normalise(part) for part in torch.from_numpy(stacked).split(100)]


@dataclass(frozen=True)
class Trained:
    """Logits of the images that validate and that judge, and how the training went."""

    validating: Floats
    judging: Floats
    result: JobResult
    seconds: float
