"""The operations that RandAugment and TrivialAugment choose from (Cubuk et al. 2020; Müller and Hutter 2021)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image

from tellapart.backbones.torch_libraries import load_torchvision
from tellapart.training.augmentation.placing import turned_crop, warped

load_torchvision(feature="automatic augmentation")

from torchvision.transforms.v2 import functional as kernels  # noqa: E402

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "saturation",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)


@dataclass(frozen=True)
class Strengths:
    """What full strength is: tangent, share of the side or pixels, degrees, share of change, bits lost."""

    shear: float
    translate_share: float
    translate_px: float
    degrees: float
    change: float
    bits: int


RAND = Strengths(0.3, 150 / 331, 0, 30, 0.9, 4)
TRIVIAL = Strengths(0.99, 0, 32, 135, 0.99, 6)


def apply_operation(image: Image.Image, name: str, full: Strengths, share: float, rng: Random) -> Image.Image:
    """One operation at a share (0–1) of its full strength, with either sign where it has one."""
    signed = -share if rng.random() < 0.5 else share
    if name in _PLACING:
        return _placed(image, name, full, signed)
    if name in _ADJUSTING:
        return _ADJUSTING[name](image, 1 + signed * full.change)
    if name == "posterize":
        return _POSTERIZE(image, 8 - round(share * full.bits))
    if name == "solarize":
        return _SOLARIZE(image, 255 * (1 - share))
    return _WHOLE[name](image)


_POSTERIZE: Callable[[Image.Image, int], Image.Image] = kernels.posterize
_SOLARIZE: Callable[[Image.Image, float], Image.Image] = kernels.solarize
_PLACING = frozenset({"shear_x", "shear_y", "translate_x", "translate_y", "rotate"})
_ADJUSTING: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "brightness": kernels.adjust_brightness,
    "saturation": kernels.adjust_saturation,
    "contrast": kernels.adjust_contrast,
    "sharpness": kernels.adjust_sharpness,
}
_WHOLE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "identity": lambda image: image,
    "autocontrast": kernels.autocontrast,
    "equalize": kernels.equalize,
}


def _placed(image: Image.Image, name: str, full: Strengths, signed: float) -> Image.Image:
    """Moved, beyond the edges mirrored where torchvision leaves black."""
    width, height = image.size
    if name == "rotate":
        return turned_crop(image, (0, 0, width, height), signed * full.degrees)
    if name.startswith("shear"):
        shear = signed * full.shear
        inverse = (1.0, shear, 0.0, 0.0, 1.0, 0.0) if name == "shear_x" else (1.0, 0.0, 0.0, shear, 1.0, 0.0)
        return warped(image, inverse, image.size)
    across = name == "translate_x"
    side = width if across else height
    moved = math.trunc(signed * (full.translate_share * side + full.translate_px))
    moved = max(-side, min(side, moved))
    return warped(image, (1.0, 0.0, -moved if across else 0.0, 0.0, 1.0, 0.0 if across else -moved), image.size)
