"""Milliseconds per image, measured in turn on the user's own images, so that a slow minute hits every network alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.protocol import Backbone
from tellapart.errors import ImageError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.records import Roi
from tellapart.workflows.progress import Progress, silent

BATCH = 32
_SINGLES = 8
_MAX_ROUNDS = 15
# Wall time above processor time by more than this: somebody else used the core meanwhile.
_BUSY = 1.15


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded image and the region of it that counts."""

    data: bytes
    roi: Roi | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds per image of one thread, medians over `n_rounds`: `prepare_ms` decodes and resizes, `single_ms` is the
    network for one image at a time, `batch_ms` for 32 at a time. `busy` is wall time over processor time, 1 on a core of
    one's own; None where the network does not run on the CPU.
    """

    prepare_ms: float
    single_ms: float
    batch_ms: float
    n_images: int
    n_rounds: int
    busy: float | None

    @property
    def total_ms(self) -> float:
        """From the file to the embedding, one image at a time."""
        return self.prepare_ms + self.single_ms

    @property
    def disturbed(self) -> bool:
        """True when other programs used the core while it was measured."""
        return self.busy is not None and self.busy > _BUSY


def measure(
    networks: Sequence[tuple[PreprocessSpec, Backbone]],
    pictures: Sequence[Picture],
    *,
    limits: DecodeLimits = DecodeLimits(),
    seconds: float = 3.0,
    on_cpu: bool = True,
    progress: Progress = silent,
) -> tuple[Timing, ...]:
    """Time every network with its preprocessing on the pictures (at least one that can be read), `seconds` for each.

    Rounds go through all networks in turn; a network that has used its time drops out after a full round. One warm-up of
    each is not counted.

    Raises:
        BackboneError: a network fails on the images.
    """
    watches = [_Watch(spec, network, pictures, limits) for spec, network in networks]
    for number, watch in enumerate(watches):
        progress("warming up", number, len(watches))
        watch.warm_up()
    n_rounds = 0
    while n_rounds < _MAX_ROUNDS and any(watch.spent < seconds for watch in watches):
        progress("measuring time", n_rounds, _MAX_ROUNDS)
        for watch in watches:
            if watch.spent < seconds:
                watch.round()
        n_rounds += 1
    return tuple(watch.timing(on_cpu) for watch in watches)


@dataclass(slots=True)
class _Watch:
    """The measurements of one network."""

    spec: PreprocessSpec
    network: Backbone
    pictures: Sequence[Picture]
    limits: DecodeLimits
    spent: float = 0.0
    batch: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    found: dict[str, list[float]] = field(default_factory=lambda: {"prepare": [], "single": [], "batch": []})
    processor: float = 0.0

    def warm_up(self) -> None:
        pixels = [self._prepared(picture) for picture in self.pictures]
        self.batch = np.stack([pixels[i % len(pixels)] for i in range(BATCH)])
        self.network.run(self.batch)
        self.network.run(self.batch[:1])

    def round(self) -> None:
        with self._timed("prepare", len(self.pictures)):
            for picture in self.pictures:
                self._prepared(picture)
        with self._timed("single", _SINGLES):
            for i in range(_SINGLES):
                self.network.run(self.batch[i : i + 1])
        with self._timed("batch", BATCH):
            self.network.run(self.batch)

    def timing(self, on_cpu: bool) -> Timing:
        prepare, single, batch = (statistics.median(values) for values in self.found.values())
        busy = self.spent / self.processor if on_cpu and self.processor > 0 else None
        return Timing(prepare, single, batch, len(self.pictures), len(self.found["batch"]), busy)

    def _prepared(self, picture: Picture) -> NDArray[np.uint8]:
        return self.spec.apply(picture.data, picture.roi, self.limits)

    @contextmanager
    def _timed(self, what: str, n: int) -> Iterator[None]:
        started, processor = time.perf_counter(), time.thread_time()
        yield
        seconds = time.perf_counter() - started
        self.spent += seconds
        self.processor += time.thread_time() - processor
        self.found[what].append(1000 * seconds / n)


def readable(pictures: Sequence[Picture], spec: PreprocessSpec, limits: DecodeLimits) -> list[Picture]:
    """Those that can be decoded."""
    return [picture for picture in pictures if _can_be_read(picture, spec, limits)]


def _can_be_read(picture: Picture, spec: PreprocessSpec, limits: DecodeLimits) -> bool:
    try:
        spec.apply(picture.data, picture.roi, limits)
    except ImageError:
        return False
    return True
