"""Whatever colours a file stores become sRGB: ICC profiles, CMYK, Lab, palettes, alpha on a background."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PIL import ImageCms

Rgb = tuple[int, int, int]

# Printing profiles have about 2 MB; what is far larger is no profile anyone made.
_MAX_PROFILE_BYTES = 8 * 2**20


def to_srgb(image: Image.Image, background: Rgb) -> Image.Image:
    """A loaded image of any 8-bit mode as "RGB", or as "L" where the file is grey: equal values, a third of the work.

    A missing, damaged or unfitting ICC profile is ignored and the values are taken as sRGB (CMYK by plain inversion).
    """
    profile = image.info.get("icc_profile")
    if image.mode in ("L", "RGB") and profile is None and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        return _composited(image, background, profile)
    return _colours(image, profile)


def _composited(image: Image.Image, background: Rgb, profile: object) -> Image.Image:
    key = image.info.get("transparency")
    if isinstance(key, (int, tuple)) and max(key if isinstance(key, tuple) else (key,)) > 255:
        # A transparent colour given in 16 bits; Pillow reads such colour files as 8 bits, where it names nothing.
        del image.info["transparency"]
        return _colours(image, profile)
    rgba = image.convert("RGBA")
    # A grey image keeps one channel here, so that a grey profile fits it.
    grey = image.mode in ("L", "LA", "La", "1")
    colours = _colours(rgba.convert("L" if grey else "RGB"), profile)
    canvas = Image.new("RGB", image.size, background)
    canvas.paste(colours, mask=rgba.getchannel("A"))
    return canvas


def _colours(image: Image.Image, profile: object) -> Image.Image:
    if image.mode == "LAB":
        return _apply(_lab_to_srgb(), image)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if isinstance(profile, bytes) and len(profile) <= _MAX_PROFILE_BYTES:
        transform = _to_srgb_transform(profile, image.mode)
        if transform is not None:
            return _apply(transform, image)
    return image.convert("RGB") if image.mode == "CMYK" else image


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    return transform.apply(image)


@lru_cache(maxsize=32)
def _to_srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None when the profile is damaged, made for other colours than `mode`, or changes nothing (most are sRGB).

    Whether it is sRGB is asked of the profile's effect, never of its name: "sRGB" is also part of "sRGB linear".
    """
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        return None if mode != "CMYK" and _is_identity(transform, mode) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(colours) if mode == "RGB" else Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    expected = np.asarray(probe.convert("RGB")).astype(np.int16)
    return bool(np.abs(np.asarray(transform.apply(probe)) - expected).max() <= 2)


@lru_cache(maxsize=1)
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    from PIL import ImageCms

    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
