"""The one path from a file's bytes to the pixels a backbone sees, as a value that is written, compared and hashed.

    decode|upright|roi(0.1,0.1,0.9,0.9)|fit(224)

`docs/preprocessing.md` lists the steps. The same value is stored in every model and used by training, evaluation,
prediction and export, so the pixels cannot differ between them.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.image.decode import Decoded, DecodeOptions, Size, decode_image
from tellapart.image.geometry import Fit, Geometry, at_size
from tellapart.image.intensity import Intensity
from tellapart.image.roi import crop_decoded
from tellapart.image.spec_text import format_spec, parse_spec
from tellapart.image.types import DecodeLimits, RgbImage
from tellapart.records import Roi

# Part of the hash: raised when the same text begins to mean other pixels.
_VERSION = "tellapart-preprocess-1"
_LIMITS = DecodeLimits()


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """What happens to every image, in this order: decode, upright, intensity, region, geometry.

    `background` is the colour under transparent pixels and outside polygons; the canvas of `Fit` has its own.
    """

    geometry: Geometry
    background: tuple[int, int, int] = (0, 0, 0)
    frame: int = 0
    upright: bool = True
    intensity: Intensity | None = None
    roi: Roi | None = None

    @classmethod
    def parse(cls, text: str) -> PreprocessSpec:
        """Inverse of `str(spec)`; spaces and defaults may be written.

        Raises:
            SpecError: bad_spec, with all faults at once and the nearest known name for a misspelt one.
        """
        return cls(**parse_spec(text))

    def __str__(self) -> str:
        """The canonical text: fixed order, defaults left out. Equal specs have equal texts."""
        return format_spec(self)

    @property
    def hash(self) -> str:
        """sha256 (hex) of the canonical text and the version of its meaning."""
        return hashlib.sha256(f"{_VERSION}:{self}".encode()).hexdigest()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the output, in the order of its shape."""
        width, height = self.geometry.output
        return height, width

    def at_size(self, side_px: int) -> PreprocessSpec:
        """The same steps with a result of `side_px` × `side_px`; what the geometry cuts away keeps its share."""
        return replace(self, geometry=at_size(self.geometry, side_px))

    def load(self, data: bytes, roi: Roi | None = None, limits: DecodeLimits = _LIMITS) -> RgbImage:
        """The decoded region, upright, before any resizing; JPEGs perhaps at a scale that suffices for `transform`.

        `roi` is the sample's own region (relative to the whole upright image) and replaces the spec's.

        Raises:
            ImageError: the image cannot be used.
        """
        return self._region(data, roi, limits).to_rgb()

    def load_whole(self, data: bytes, roi: Roi | None = None, limits: DecodeLimits = _LIMITS) -> RgbImage:
        """`load` at the image's own size, for people to look at.

        Raises:
            ImageError: the image cannot be used.
        """
        return self._region(data, roi, limits, reduced=False).to_rgb()

    def transform(self, image: RgbImage) -> NDArray[np.uint8]:
        """Pixels for the backbone, uint8 (height, width, 3), from what `load` gave."""
        return self.geometry(Image.fromarray(image.pixels), image.box)

    def apply(self, data: bytes, roi: Roi | None = None, limits: DecodeLimits = _LIMITS) -> NDArray[np.uint8]:
        """`transform(load(data, roi, limits))`: equal pixels in less time, as they are not copied in between."""
        region = self._region(data, roi, limits)
        return self.geometry(region.image, region.box)

    def _region(self, data: bytes, roi: Roi | None, limits: DecodeLimits, *, reduced: bool = True) -> Decoded:
        region = roi or self.roi
        options = DecodeOptions(self.background, self.intensity, self.frame, self.upright)
        decoded = decode_image(data, limits, options, (lambda size: self._needed(size, region)) if reduced else None)
        return crop_decoded(decoded, region, self.background) if region else decoded

    def _needed(self, size: Size, region: Roi | None) -> Size:
        """(width, height) of the whole image at which the region has the pixels that the geometry asks for."""
        if region is None:
            return self.geometry.needs(size)
        x0, y0, x1, y1 = region.box
        share_x, share_y = x1 - x0, y1 - y0
        width, height = self.geometry.needs((max(1, round(size[0] * share_x)), max(1, round(size[1] * share_y))))
        return math.ceil(width / share_x), math.ceil(height / share_y)


def default_spec(size: int = 224) -> PreprocessSpec:
    """`decode|upright|fit(size)`: the whole image, nothing cut away, nothing distorted."""
    return PreprocessSpec(Fit(size, size))
