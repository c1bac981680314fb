"""Batches of pixels and targets, made ready while the network computes.

What a batch holds follows from the seed, the epoch and its place in the epoch alone: threads, processes and interruptions
change nothing of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.errors import Reason, TrainingError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.training.augmentation.transforms import Pipeline, make_pipeline, seed_of
from tellapart.training.finetune.job import Job
from tellapart.training.finetune.pixels import PixelStore
from tellapart.training.finetune.samplers import EpochSampler, Part

# Where a batch's own draws (mixing, dropout) take their seeds from: beyond the place of any image.
_BATCHES = 1 << 40


class Batch(NamedTuple):
    """`pixels` uint8 (n, h, w, 3), `targets` float32 (n, k), `teacher` logits float32 (n, k) or None.

    `seed` is for what the network draws, `weight` what its mean loss counts (see `samplers.Part`).
    """

    pixels: Tensor
    targets: Tensor
    teacher: Tensor | None
    seed: int
    weight: float


@dataclass(frozen=True)
class Examples:
    """The images and targets of a job; can be sent to other processes."""

    store: PixelStore
    targets: NDArray[np.float32]
    teacher: NDArray[np.float32] | None
    spec: PreprocessSpec
    augment: Pipeline
    n_train: int
    seed: int

    @classmethod
    def of(cls, folder: Path, job: Job) -> Examples:
        """Open the files of a job.

        Raises:
            TrainingError: `job_damaged`.
        """
        store, targets = PixelStore(folder), _array(folder / "targets.npy")
        wanted = job.n_train + job.n_val
        if len(store) != wanted or targets.shape != (wanted, job.n_classes):
            raise TrainingError(
                Reason.JOB_DAMAGED,
                f"the training in {folder} has {len(store)} images and targets {targets.shape}, but its job.json speaks of "
                f"{wanted} images of {job.n_classes} classes; start it afresh",
            )
        spec = PreprocessSpec.parse(job.spec)
        teacher = _array(folder / "teacher.npy") if job.finetune.distillation else None
        return cls(store, targets, teacher, spec, make_pipeline(job.finetune.augmentation, spec), job.n_train, job.seed)

    def training(self, part: Part, epoch: int, number: int) -> Batch:
        """Augmented images; `number` is the batch's among all batches of the epoch and all processes."""
        seeds = [seed_of(self.seed, epoch, int(position)) for position in part.positions]
        rows = part.indices
        images = [self.store[int(row)] for row in rows]
        pixels = [self.augment(one.pixels, seed, one.box) for one, seed in zip(images, seeds, strict=True)]
        teacher = None if self.teacher is None else torch.from_numpy(self.teacher[rows])
        drawn = seed_of(self.seed, epoch, _BATCHES + number)
        return Batch(_stacked(pixels), torch.from_numpy(self.targets[rows]), teacher, drawn, part.weight)

    def validation(self, rows: NDArray[np.int64], weight: float) -> Batch:
        """Images as a finished model sees them."""
        pixels = [self.spec.transform(self.store[self.n_train + int(row)]) for row in rows]
        targets = torch.from_numpy(self.targets[self.n_train + rows])
        return Batch(_stacked(pixels), targets, None, 0, weight)


@dataclass(frozen=True, slots=True)
class Share:
    """Which process of how many this is, and how batches reach it: `processes` of their own or else `threads`."""

    rank: int = 0
    world: int = 1
    processes: int = 0
    threads: int = 1
    pin: bool = False


class TrainingBatches:
    """The batches of the epochs for Lightning, which tells the epoch, and saves and restores the place within it.

    `waited_s` grows by the seconds in which the network had to wait for a batch. `first` is added to Lightning's epoch.
    """

    def __init__(
        self, examples: Examples, sampler: EpochSampler, share: Share, *, accumulate: int, first: int = 0
    ) -> None:
        self._examples, self._parts, self._share = examples, sampler, share
        self._accumulate, self._first = accumulate, first
        self.epoch, self.waited_s = first, 0.0
        self._begin, self._done = 0, 0

    @property
    def sampler(self) -> TrainingBatches:
        """What Lightning calls `set_epoch` of."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is of this epoch."""
        self.epoch = self._first + epoch

    def __len__(self) -> int:
        return self._parts.steps * self._accumulate

    def __iter__(self) -> Generator[Batch]:
        begin, self._begin = self._begin, 0
        share, epoch = self._share, self.epoch
        parts = self._parts.parts(epoch, rank=share.rank, world=share.world, accumulate=self._accumulate)
        ready = batches(_Training(self._examples, parts, epoch, share), range(begin, len(parts)), share)
        for self._done in range(begin + 1, len(parts) + 1):
            started = time.perf_counter()
            batch = next(ready)
            self.waited_s += time.perf_counter() - started
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """How many batches of the epoch were handed out."""
        return {"done": self._done % len(self)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next iteration begins there."""
        self._begin = int(state["done"])


class ValidationBatches:
    """The validation images of one process, in batches; a process without any takes one image that does not count."""

    def __init__(self, examples: Examples, n: int, share: Share, *, batch_size: int) -> None:
        rows = np.arange(n)[share.rank :: share.world]
        self._weight = float(len(rows) > 0)
        rows = rows if len(rows) else np.zeros(1, np.int64)
        self._rows = np.array_split(rows, -(-len(rows) // batch_size))
        self._examples, self._share = examples, share

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Batch]:
        return batches(_Validation(self._examples, self._rows, self._weight), range(len(self)), self._share)


@dataclass(frozen=True, slots=True)
class _Training:
    examples: Examples
    parts: Sequence[Part]
    epoch: int
    share: Share

    def __getitem__(self, number: int) -> Batch:
        return self.examples.training(self.parts[number], self.epoch, number * self.share.world + self.share.rank)


@dataclass(frozen=True, slots=True)
class _Validation:
    examples: Examples
    rows: Sequence[NDArray[np.int64]]
    weight: float

    def __getitem__(self, number: int) -> Batch:
        return self.examples.validation(self.rows[number], self.weight)


def batches(source: Any, numbers: range, share: Share) -> Iterator[Batch]:
    """`source[number]` for each number, in their order, computed ahead of being asked for."""
    if share.processes:
        from torch.utils.data import DataLoader

        loader = DataLoader(source, batch_size=None, sampler=numbers, num_workers=share.processes, pin_memory=share.pin)
        return iter(loader)
    return _ahead(lambda number: _pinned(source[number]) if share.pin else source[number], numbers, share.threads)


def _ahead(load: Callable[[int], Batch], numbers: range, threads: int) -> Generator[Batch]:
    # One thread of torch's own each: they work beside the network, not in its place.
    pool = ThreadPoolExecutor(threads, "images", initializer=torch.set_num_threads, initargs=(1,))
    pending: deque[Future[Batch]] = deque()
    try:
        for number in numbers:
            pending.append(pool.submit(load, number))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _pinned(batch: Batch) -> Batch:
    teacher = None if batch.teacher is None else batch.teacher.pin_memory()
    return batch._replace(pixels=batch.pixels.pin_memory(), targets=batch.targets.pin_memory(), teacher=teacher)


def _stacked(pixels: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(pixels))


def _array(path: Path) -> NDArray[np.float32]:
    try:
        found: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as exc:
        raise TrainingError(
            Reason.JOB_DAMAGED, f"{path} of the training cannot be read ({exc}); start it afresh"
        ) from exc
    return found
