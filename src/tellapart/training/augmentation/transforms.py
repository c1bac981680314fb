"""What happens to one decoded training image before the preprocess spec, the same for the same seed.

Nothing here touches a global generator, so the pixels of an image depend on its seed alone: not on threads, processes
or what ran before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import Box
from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.colour import jitter
from tellapart.training.augmentation.erasing import erased
from tellapart.training.augmentation.placing import place
from tellapart.training.augmentation.presets import PRESETS, resolved

Pixels = NDArray[np.uint8]
Transform = Callable[[Pixels, int], Pixels]

_PIXEL_FIELDS = tuple(name for name in Augmentation.model_fields if name not in ("preset", "mixup", "cutmix"))
# Gaussian blur: sigma as a share of the shorter side, so that it removes the same detail at every size. At 224 px that is
# 0.1 to 2 px, as in SimCLR (Chen et al. 2020).
_SIGMA = (0.1 / 224, 2 / 224)


def seed_of(seed: int, epoch: int, index: int) -> int:
    """The seed of one image in one epoch, for `Transform`: other for every (seed, epoch, index); all of them ≥ 0."""
    return (seed << 80) | (epoch << 48) | index


def make_transform(augmentation: Augmentation) -> Transform:
    """(uint8 (h, w, 3), seed) → uint8 (h', w', 3), at least one pixel; the image itself where nothing is asked.

    It holds no state and can be pickled. What mixes the images of a batch is `mixing.make_mixer`.
    """
    return _Transform(resolved(augmentation))


class Pipeline(Protocol):
    """From decoded pixels to those that the network sees."""

    def __call__(self, pixels: Pixels, seed: int, box: Box | None = None) -> Pixels:
        """uint8 (h, w, 3) → uint8 (height, width, 3); `box` is what the picture covers of the pixels (see `RgbImage`)."""


def make_pipeline(augmentation: Augmentation, spec: PreprocessSpec) -> Pipeline:
    """The same, and then the spec's `transform`. Equal pixels in less time, as they are not copied in between."""
    return _Pipeline(resolved(augmentation), spec=spec)


@dataclass(frozen=True)
class _Augmenting:
    augmentation: Augmentation
    _idle: bool = field(init=False)

    def __post_init__(self) -> None:
        off = PRESETS["none"]
        idle = all(getattr(self.augmentation, name) == getattr(off, name) for name in _PIXEL_FIELDS)
        object.__setattr__(self, "_idle", idle)

    def augmented(self, image: Image.Image, seed: int) -> Image.Image:
        """Geometry first: what is cut away need not be coloured."""
        if self._idle:
            return image
        rng = Random(seed)
        image = jitter(place(image, self.augmentation, rng), self.augmentation, rng)
        policy = self.augmentation.automatic
        if policy is not None and policy != "none":
            from tellapart.training.augmentation.automatic import automatic

            image = automatic(image, policy, rng)
        if self.augmentation.blur and rng.random() < self.augmentation.blur:
            image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*_SIGMA) * min(image.size)))
        if self.augmentation.erasing and rng.random() < self.augmentation.erasing:
            image = erased(image, rng)
        return image


@dataclass(frozen=True)
class _Transform(_Augmenting):
    def __call__(self, pixels: Pixels, seed: int) -> Pixels:
        return pixels if self._idle else np.asarray(self.augmented(Image.fromarray(pixels), seed))


@dataclass(frozen=True)
class _Pipeline(_Augmenting):
    spec: PreprocessSpec = field(kw_only=True)

    def __call__(self, pixels: Pixels, seed: int, box: Box | None = None) -> Pixels:
        image = Image.fromarray(pixels)
        if self._idle:
            return self.spec.geometry(image, box)
        return self.spec.geometry(self.augmented(_covered(image, box), seed))


def _covered(image: Image.Image, box: Box | None) -> Image.Image:
    """The whole pixels that the picture covers: crops and turns need no more."""
    if box is None:
        return image
    left, top = math.ceil(box[0]), math.ceil(box[1])
    return image.crop((left, top, max(left + 1, math.floor(box[2])), max(top + 1, math.floor(box[3]))))
