"""Several views of one image, each augmented by chance and then brought to the network's pixels by the preprocess spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import RgbImage
from tellapart.settings.pretraining import Pretraining
from tellapart.training.augmentation.transforms import make_pipeline, seed_of
from tellapart.training.finetune.images import Share, batches
from tellapart.training.finetune.samplers import EpochSampler

Pixels = NDArray[np.uint8]

_SMALLEST_PART = 0.05
_ASPECTS = (3 / 4, 4 / 3)


class Images(Protocol):
    """Decoded images by their number."""

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, row: int, /) -> RgbImage:
        """Image `row`."""
        ...


class ViewMaker:
    """Makes the views of an image. The same seed, epoch and row of the data give the same pixels, wherever it runs."""

    def __init__(self, spec: PreprocessSpec, options: Pretraining, *, n_local: int, seed: int) -> None:
        small = spec.at_size(local_side(spec.size[0], options.dino.local_size))
        uncropped = options.augmentation.model_copy(update={"crop": 1.0})
        self._large = make_pipeline(options.augmentation, spec)
        self._small = make_pipeline(uncropped, small)
        self._largest_part = options.dino.local_crop
        self._n_views, self._seed = 2 + n_local, seed

    def views(self, pixels: Pixels, epoch: int, row: int) -> list[Pixels]:
        """Two large views uint8 (s, s, 3), then the small ones, of an image uint8 (h, w, 3)."""
        seeds = [seed_of(self._seed, epoch, row * self._n_views + view) for view in range(self._n_views)]
        return [self._large(pixels, seed) for seed in seeds[:2]] + [self._part(pixels, seed) for seed in seeds[2:]]

    def _part(self, pixels: Pixels, seed: int) -> Pixels:
        part = random_part(pixels, self._largest_part, np.random.default_rng(seed))
        return self._small(np.ascontiguousarray(part), seed)


def local_side(side_px: int, share: float) -> int:
    """Side of a small view in pixels: a multiple of eight, as networks halve it again and again; at least eight."""
    return max(8, round(side_px * share / 8) * 8)


def random_part(pixels: Pixels, largest: float, rng: np.random.Generator) -> Pixels:
    """A rectangle of an image uint8 (h, w, 3) with a random share of its area, from 5 % up to `largest`."""
    height, width = pixels.shape[:2]
    area = rng.uniform(min(_SMALLEST_PART, largest), largest) * height * width
    aspect = math.exp(rng.uniform(math.log(_ASPECTS[0]), math.log(_ASPECTS[1])))
    h = min(height, max(1, round(math.sqrt(area / aspect))))
    w = min(width, max(1, round(math.sqrt(area * aspect))))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return pixels[top : top + h, left : left + w]


class ViewBatches:
    """The batches of an epoch: a tensor uint8 (n, s, s, 3) for each view.

    `epoch` is asked for its number, from 0, when the first batch of an iteration is taken. Batches are made ready ahead, by
    `processes` of their own or else by `threads`.
    """

    def __init__(
        self,
        images: Images,
        maker: ViewMaker,
        order: EpochSampler,
        epoch: Callable[[], int],
        *,
        processes: int = 0,
        threads: int = 1,
    ) -> None:
        self._images, self._maker, self._order, self._epoch = images, maker, order, epoch
        self._share = Share(processes=processes, threads=threads)

    def __len__(self) -> int:
        return self._order.steps

    def __iter__(self) -> Iterator[list[Tensor]]:
        epoch = self._epoch()
        source: Any = _Epoch(self._images, self._maker, self._order.batches(epoch), epoch)
        yield from batches(source, range(len(self)), self._share)  # type: ignore[misc]  # whatever the source gives


@dataclass(frozen=True, slots=True)
class _Epoch:
    images: Images
    maker: ViewMaker
    batches: Sequence[NDArray[np.int64]]
    epoch: int

    def __getitem__(self, number: int) -> list[Tensor]:
        rows = self.batches[number].tolist()
        views = [self.maker.views(self.images[row].pixels, self.epoch, row) for row in rows]
        return [torch.from_numpy(np.stack(one)) for one in zip(*views, strict=True)]
