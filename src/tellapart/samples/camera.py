"""From linear light to the bytes a line camera delivers: illumination, lens, shutter, sensor noise, gamma."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tellapart.samples.drawing import Colour, Grid, tinted

_SPARE = 160


@dataclass(frozen=True, slots=True)
class Exposure:
    """How one picture was taken: `gain` brightness, `tint` per channel, blurs in pixels, `noise` of the darkest grey.

    `slope` is the fall of light from left to right, relative; `vignette` the loss in the corners.
    """

    gain: float
    tint: Colour
    slope: float
    vignette: float
    defocus_px: float
    motion_px: float
    noise: float


def photograph(scene: Grid, exposure: Exposure, rng: np.random.Generator) -> NDArray[np.uint8]:
    """sRGB pixels (h, w, 3) of a scene (3, h, w) in linear light; `scene` is used up."""
    height, width = scene.shape[1:]
    scene *= tinted(exposure.tint, _falloff(height, width, exposure.slope, exposure.vignette) * exposure.gain)
    scene = _blur(scene, _kernel(exposure.defocus_px, exposure.motion_px), axis=2)
    scene = _blur(scene, _kernel(exposure.defocus_px, 0.0), axis=1)
    np.clip(scene, 0, 1.05, out=scene)
    # Photon noise grows with the root of the light.
    scene += _grain(height, width, rng) * exposure.noise * np.sqrt(scene + 0.01)
    codes = np.clip(scene * 4095, 0, 4095).astype(np.uint16)
    return np.ascontiguousarray(np.moveaxis(_srgb_table().take(codes), 0, 2))


def _grain(height: int, width: int, rng: np.random.Generator) -> Grid:
    """Noise of unit strength: a window of one large field, mirrored at random, since drawing it anew costs too much."""
    field = _grain_field(height + _SPARE, width + _SPARE)
    y, x = rng.integers(_SPARE, size=2).tolist()
    window = field[:, y : y + height, x : x + width]
    return window[:, :, ::-1] if rng.random() < 0.5 else window


@lru_cache(maxsize=2)
def _grain_field(height: int, width: int) -> Grid:
    """Fine noise in brightness, coarser noise in colour, which a camera computes from a mosaic: (3, h, w)."""
    rng = np.random.default_rng(0)
    colour = rng.standard_normal((3, -(-height // 2), -(-width // 2)), np.float32) * 0.5
    colour = colour.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
    return np.asarray(rng.standard_normal((height, width), np.float32) + colour, np.float32)


def _falloff(height: int, width: int, slope: float, vignette: float) -> Grid:
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return (1 - slope * x) * (1 - vignette / 4 * (x * x + y * y) ** 2)


def _kernel(gauss_px: float, box_px: float) -> Grid:
    """A Gaussian of standard deviation `gauss_px`, smeared over `box_px` by the moving belt."""
    reach = int(np.ceil(2.5 * gauss_px + box_px / 2))
    fine = np.arange(-reach - 0.375, reach + 0.5, 0.25)
    steps = np.linspace(-box_px / 2, box_px / 2, 9)
    weights = np.exp(-(((fine[:, None] - steps) / max(gauss_px, 0.2)) ** 2) / 2).sum(1).reshape(-1, 4).sum(1)
    return np.asarray(weights / weights.sum(), np.float32)


def _blur(image: Grid, kernel: Grid, axis: int) -> Grid:
    """Convolution along one axis with a symmetric kernel, edges repeated; plane by plane, which fits the cache."""
    reach, length = len(kernel) // 2, image.shape[axis]
    margins = [(reach, reach) if i == axis else (0, 0) for i in (1, 2)]
    out = np.empty_like(image)
    for plane, total in zip(image, out, strict=True):
        padded = np.pad(plane, margins, mode="edge")
        shifted = [padded[i : i + length] if axis == 1 else padded[:, i : i + length] for i in range(len(kernel))]
        np.multiply(shifted[reach], kernel[reach], out=total)
        for i in range(reach):
            total += kernel[i] * (shifted[i] + shifted[-1 - i])
    return out


@lru_cache(maxsize=1)
def _srgb_table() -> NDArray[np.uint8]:
    """12-bit linear light to 8-bit sRGB (IEC 61966-2-1)."""
    x = np.arange(4096) / 4095
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(srgb * 255), np.uint8)
