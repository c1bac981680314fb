"""Threads and batches compared: which way of using the cores embeds the most images per second."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.classifier.cores import available_cores
from tellapart.classifier.pipeline import BATCH
from tellapart.workflows.progress import Progress, silent

BATCHES = (1, 8, 32)
NOISE = 0.05
_MAX_ROUNDS = 9
_SLICE_S = 0.1


@dataclass(frozen=True, slots=True)
class Way:
    """`workers` threads that call the network at once, each call with `threads` threads and `batch` images."""

    workers: int
    threads: int
    batch: int

    def __str__(self) -> str:
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return f"{workers} × {self.threads} thread{'s' if self.threads > 1 else ''}, batches of {self.batch}"


@dataclass(frozen=True, slots=True)
class Execution:
    """Images per second of the network alone, of every way, `used` being the one that tellapart takes by itself."""

    name: str
    ways: tuple[Way, ...]
    images_per_second: tuple[float, ...]
    used: Way

    @property
    def best(self) -> Way:
        """The fastest way."""
        return self.ways[int(np.argmax(self.images_per_second))]

    @property
    def gain(self) -> float:
        """What the fastest way would win over the one that is used, as a share: 0.05 is 5 % more images per second."""
        return max(self.images_per_second) / self.images_per_second[self.ways.index(self.used)] - 1

    @property
    def sentence(self) -> str:
        """The verdict."""
        if self.gain <= NOISE:
            return f"{self.name}: {self.used}, as tellapart runs it, is within {NOISE:.0%} of the fastest of {len(self.ways)}"
        return f"{self.name}: {self.best} is {self.gain:.0%} faster than {self.used}, as tellapart runs it"


def ways(n_cores: int) -> tuple[Way, ...]:
    """One worker with 1, 2, 4 … threads, and as many workers with 1, 2, 4 … threads as the cores allow; each batch."""
    sizes = sorted({n for n in (1, 2, 4, 8, 16, 32, 64, n_cores) if n <= n_cores})
    pairs = dict.fromkeys([*((1, n) for n in sizes), *((n_cores // n, n) for n in sizes)])
    return tuple(Way(workers, threads, batch) for workers, threads in pairs for batch in BATCHES)


def measure_execution(
    name: str,
    network: OnnxBackbone,
    pixels: NDArray[np.uint8],
    *,
    n_cores: int = 0,
    seconds: float = 8.0,
    progress: Progress = silent,
) -> Execution:
    """Images per second of `network` on pixels uint8 (n, h, w, 3) in every way, medians of rounds in turn.

    `n_cores` 0 takes those of this process. It ends after `seconds`, but not before every way had its turn.
    """
    cores = n_cores or available_cores()
    chosen = ways(cores)
    opened = {n: network if n == network.threads else network.with_threads(n) for n in {way.threads for way in chosen}}
    for one in opened.values():
        one.run(pixels[:1])
    found: dict[Way, list[float]] = {way: [] for way in chosen}
    until = time.perf_counter() + seconds
    for number in range(_MAX_ROUNDS):
        if number and time.perf_counter() > until:
            break
        progress(f"{name}: threads and batches", number, _MAX_ROUNDS)
        for way in chosen:
            found[way].append(_rate(opened[way.threads], way, pixels))
    rates = tuple(statistics.median(found[way]) for way in chosen)
    return Execution(name, chosen, rates, Way(cores, 1, BATCH))


def _rate(network: OnnxBackbone, way: Way, pixels: NDArray[np.uint8]) -> float:
    batch = np.ascontiguousarray(pixels[np.arange(way.batch) % len(pixels)])
    started = time.perf_counter()
    with ThreadPoolExecutor(way.workers) as pool:
        counts = list(pool.map(lambda _: _until(network, batch, started + _SLICE_S), range(way.workers)))
    return way.batch * sum(counts) / (time.perf_counter() - started)


def _until(network: OnnxBackbone, batch: NDArray[np.uint8], end: float) -> int:
    """How often the network ran until then, at least once."""
    n_calls = 0
    while not n_calls or time.perf_counter() < end:
        network.run(batch)
        n_calls += 1
    return n_calls
