"""Tiny images and data sets for tests: real files, made in memory, the same for the same arguments."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Pixels = NDArray[np.uint8]


def picture(width: int = 32, height: int = 24, seed: int = 0) -> Pixels:
    """uint8 (height, width, 3): smooth colours with four different corners, so that no two orientations look alike."""
    rng = np.random.default_rng(seed)
    corners = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    smooth = np.asarray(Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)).astype(np.int16)
    blotches = rng.integers(-20, 21, (-(-height // 8), -(-width // 8), 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(smooth + blotches[:height, :width], 0, 255).astype(np.uint8)


def encoded(pixels: NDArray[Any] | Image.Image, name: str, **options: Any) -> bytes:
    """A file's bytes in any format Pillow writes ("JPEG", "PNG", "TIFF", …)."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def jpeg_bytes(pixels: NDArray[Any] | None = None, quality: int = 95, **options: Any) -> bytes:
    """A JPEG without chroma subsampling, so that it stays close to its pixels."""
    return encoded(picture() if pixels is None else pixels, "JPEG", quality=quality, subsampling=0, **options)


def png_bytes(pixels: NDArray[Any] | None = None, **options: Any) -> bytes:
    """A PNG: exactly its pixels."""
    return encoded(picture() if pixels is None else pixels, "PNG", **options)


def exif_block(orientation: int) -> bytes:
    """An EXIF block with the orientation alone, any 16-bit number."""
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0) + b"\0\0\0\0"


def stored(pixels: Pixels, orientation: int) -> Pixels:
    """What a camera that writes `orientation` (1–8) stores of an upright scene."""
    turned = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }[orientation](pixels)
    return np.ascontiguousarray(turned)


def png_header_only(width: int, height: int, *, bits: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    """A PNG that declares any size, with `body` as its (zlib-compressed) pixel data."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        map(png_chunk, (b"IHDR", b"IDAT", b"IEND"), (header, zlib.compress(body), b""))
    )


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_png(values: NDArray[np.uint16]) -> bytes:
    """A 16-bit PNG of (h, w) grey or (h, w, 2 to 4) values (grey and alpha, colour, colour and alpha)."""
    big = values.astype(">u2").reshape(values.shape[0], -1)
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[values.shape[2] if values.ndim == 3 else 1]
    return png_header_only(values.shape[1], values.shape[0], bits=16, colour=colour, body=rows)


def deep_tiff(values: NDArray[np.uint16], order: str) -> bytes:
    """An uncompressed TIFF of (h, w, 3) 16-bit colour, little-endian ("<") or big-endian (">")."""
    height, width, _ = values.shape
    bits_at = 8
    pixels_at = bits_at + 8
    pixels = values.astype(order + "u2").tobytes()
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, bits_at), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, pixels_at), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(pixels))]
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        directory += struct.pack(
            order + ("HHIHH" if short else "HHII"), tag, kind, count, value, *([0] if short else [])
        )
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, pixels_at + len(pixels))
    return start + struct.pack(order + "HHHH", 16, 16, 16, 0) + pixels + directory + bytes(4)


def gif_bytes(frames: int, side: int = 2) -> bytes:
    """A GIF of any number of tiny frames, written by hand because a frame bomb takes too long otherwise."""
    header = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    pixels = encoded(Image.new("P", (side, side), 1), "GIF")
    start = pixels.index(b"\x2c")
    code_size = pixels[start + 10 :].rstrip(b"\x3b")
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0) + code_size
    return header + frame * frames + b"\x3b"


def swapped_colour_profile() -> bytes:
    """A valid ICC profile that is clearly not sRGB: its red and blue primaries have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[i : i + 4]): i for i in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def srgb_profile() -> bytes:
    """An ICC profile of sRGB itself."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# Colours far apart, so that any backbone that sees colour learns them from a handful of images.
_COLOURS = ((200, 40, 40), (40, 180, 60), (50, 70, 210), (220, 200, 50), (150, 60, 180), (60, 190, 200))


def class_picture(index: int, seed: int, side: int = 48) -> Pixels:
    """uint8 (side, side, 3) of class `index`: its colour and stripe width, with seeded noise, light and phase.

    Seeded patches make every picture a thing of its own: otherwise pictures of a class would be near-duplicates.
    """
    rng = np.random.default_rng((index, seed))
    colour = np.array(_COLOURS[index % len(_COLOURS)], np.float64) * rng.uniform(0.7, 1.1)
    period = 4 + 3 * index
    stripes = ((np.arange(side) + rng.integers(period)) // (period / 2) % 2)[:, None, None] * 50
    noise = rng.normal(0, 12, (side, side, 3))
    cell = -(-side // 6)
    patches = np.kron(rng.uniform(-45, 45, (6, 6)), np.ones((cell, cell)))[:side, :side, None]
    return np.clip(colour - stripes + patches + noise, 0, 255).astype(np.uint8)


def write_folders(root: Path, classes: Mapping[str, int], *, side: int = 48, suffix: str = ".png") -> Path:
    """`root/<class>/<number>`: `classes[name]` learnable images per class; returns `root`."""
    for index, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = class_picture(index, number, side)
            data = png_bytes(pixels) if suffix == ".png" else jpeg_bytes(pixels)
            (root / name / f"{number:04d}{suffix}").write_bytes(data)
    return root
