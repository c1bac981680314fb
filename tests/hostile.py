"""A corpus of hostile and odd files, generated: each with what tellapart must make of it.

`write_hostile_corpus(folder)` returns {relative name: "accepted" | reason code} for exactly the files (and things that
look like files) it wrote, under default limits and the default preprocess string.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from tests.builders import (
    encoded,
    exif_block,
    gif_bytes,
    jpeg_bytes,
    picture,
    png_bytes,
    png_chunk,
    png_header_only,
    stored,
    swapped_colour_profile,
)

ACCEPTED = "accepted"

# (name, bytes, expected)
_Case = tuple[str, bytes, str]


def write_hostile_corpus(folder: Path) -> dict[str, str]:
    """Write the corpus into `folder` (created if missing); at least 40 entries, nested folders included."""
    folder.mkdir(parents=True, exist_ok=True)
    expected: dict[str, str] = {}
    for group in (_not_images, _cut_off, _damaged, _bombs, _odd_shapes, _odd_colours, _odd_metadata, _odd_names):
        for name, data, outcome in group():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            expected[name] = outcome
    return expected | _write_odd_entries(folder)


def _not_images() -> Iterator[_Case]:
    yield "zero-bytes.jpg", b"", "empty_file"
    yield "only-zeros.jpg", bytes(5000), "not_an_image"
    yield "random.png", np.random.default_rng(1).bytes(3000), "not_an_image"
    yield "text.jpg", "just words, grüße\n".encode(), "not_an_image"
    yield "drawing.jpg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported_format"
    yield "page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "not_an_image"
    yield "document.jpg", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "not_an_image"
    yield "archive.png", b"PK\x03\x04\x14\0\0\0" + bytes(40), "not_an_image"
    yield "phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(40), "unsupported_format"
    yield "film.gif", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40), "not_an_image"
    yield "pointer.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "not_an_image"
    yield "scan.tif", bytes(128) + b"DICM" + bytes(40), "unsupported_format"
    yield "icon.bmp", b"\0\0\1\0\1\0" + bytes(40), "unsupported_format"


def _cut_off() -> Iterator[_Case]:
    whole = {
        "jpg": jpeg_bytes(picture(200, 160)),
        "progressive.jpg": jpeg_bytes(picture(200, 160), progressive=True),
        "png": png_bytes(picture(200, 160)),
        "webp": encoded(picture(200, 160), "WEBP", lossless=True),
        "gif": encoded(Image.fromarray(picture(200, 160)).quantize(), "GIF"),
        "bmp": encoded(picture(200, 160), "BMP"),
        "tif": encoded(picture(200, 160), "TIFF"),
        "avif": encoded(picture(200, 160), "AVIF"),
    }
    for suffix, data in whole.items():
        for percent in (10, 50, 99):
            yield f"cut/{percent}.{suffix}", data[: len(data) * percent // 100], "truncated"


def _damaged() -> Iterator[_Case]:
    # Flipped bits inside a JPEG's entropy-coded data cannot be told from a picture of noise: it is still a picture.
    flipped = bytearray(jpeg_bytes(picture(200, 160)))
    flipped[len(flipped) // 2] ^= 0x10
    yield "bits-flipped.jpg", bytes(flipped), ACCEPTED
    broken = bytearray(png_bytes(picture(200, 160)))
    broken[len(broken) // 2 : len(broken) // 2 + 64] = bytes(64)
    yield "bits-flipped.png", bytes(broken), "corrupt"
    yield "header-only.jpg", b"\xff\xd8\xff\xd9", "corrupt"
    yield "no-pixels.png", png_header_only(20, 20), "truncated"
    yield "bad-checksum.png", png_bytes()[:29] + b"\0\0\0\0" + png_bytes()[33:], "corrupt"
    yield "zero-width.png", png_header_only(0, 20), "corrupt"
    yield "directory-loop.tif", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "corrupt"
    yield "rubbish-behind.jpg", jpeg_bytes() + b"rubbish" * 1000, ACCEPTED


def _bombs() -> Iterator[_Case]:
    yield "bomb-declared.png", png_header_only(50_000, 50_000), "too_many_pixels"
    yield "bomb-real.png", _huge_png(20_000, 13_000), "too_many_pixels"
    yield (
        "bomb.bmp",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        ("too_many_pixels"),
    )
    yield "bomb.gif", gif_bytes(1).replace(b"\2\0\2\0\x80", b"\xff\xff\xff\xff\x80", 1), "too_many_pixels"
    yield "no-frames.gif", b"GIF89a" + struct.pack("<HHBBB", 20, 20, 0, 0, 0) + b"\x3b", "corrupt"
    yield "bomb-frames.gif", gif_bytes(10_001), "too_many_frames"
    yield "bomb-text.png", png_bytes()[:33] + _text_bomb() + png_bytes()[33:], "corrupt"


def _huge_png(width: int, height: int) -> bytes:
    """A real black 1-bit PNG: about 30 kB on disk, above the ceiling in memory."""
    return encoded(Image.new("1", (width, height)), "PNG")


def _text_bomb() -> bytes:
    import zlib

    return png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 * 2**20), 9))


def _odd_shapes() -> Iterator[_Case]:
    yield "1x1.png", png_bytes(picture(1, 1)), ACCEPTED
    yield "1x1.jpg", jpeg_bytes(picture(1, 1)), ACCEPTED
    yield "1x20000.png", png_bytes(picture(1, 20_000)), ACCEPTED
    yield "20000x1.jpg", jpeg_bytes(picture(20_000, 1)), ACCEPTED
    yield "many-frames.gif", gif_bytes(50), ACCEPTED
    pages = [Image.fromarray(picture(20, 10, seed)) for seed in range(3)]
    yield "pages.tif", encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), ACCEPTED


def _odd_colours() -> Iterator[_Case]:
    image = Image.fromarray(picture())
    yield "cmyk.jpg", encoded(image.convert("CMYK"), "JPEG"), ACCEPTED
    yield "grey.jpg", encoded(image.convert("L"), "JPEG"), ACCEPTED
    yield "one-bit.png", encoded(image.convert("1"), "PNG"), ACCEPTED
    yield "palette-alpha.png", encoded(image.quantize(8), "PNG", transparency=3), ACCEPTED
    yield "alpha.webp", encoded(image.convert("RGBA"), "WEBP"), ACCEPTED
    yield (
        "sixteen-bit.png",
        encoded(Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 109), "PNG"),
        ACCEPTED,
    )
    yield (
        "float.tif",
        encoded(Image.fromarray(np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)), "TIFF"),
        ("needs_intensity"),
    )
    yield "lab.tif", encoded(Image.new("LAB", (20, 20), (128, 128, 128)), "TIFF"), ACCEPTED
    yield "picture.avif", encoded(image, "AVIF"), ACCEPTED


def _odd_metadata() -> Iterator[_Case]:
    yield "upside-down.jpg", jpeg_bytes(stored(picture(), 3), exif=exif_block(3)), ACCEPTED
    yield "orientation-9.jpg", jpeg_bytes(exif=exif_block(9)), ACCEPTED
    yield "huge-exif.jpg", jpeg_bytes(exif=exif_block(1) + bytes(65_000)), ACCEPTED
    yield "rubbish-exif.jpg", jpeg_bytes(exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xaa" * 500), ACCEPTED
    yield "bad-icc.jpg", jpeg_bytes(icc_profile=b"this is no profile" * 40), ACCEPTED
    yield "other-icc.png", png_bytes(icc_profile=swapped_colour_profile()), ACCEPTED


def _odd_names() -> Iterator[_Case]:
    yield "wrong-extension.png", jpeg_bytes(), ACCEPTED
    yield "no-extension", png_bytes(), ACCEPTED
    yield "UPPER.JPG", jpeg_bytes(), ACCEPTED
    yield "größe 画像 🐸.png", png_bytes(), ACCEPTED
    yield "nested/deep/er/ok.png", png_bytes(), ACCEPTED
    if os.name == "posix":
        yield "new\nline.png", png_bytes(), ACCEPTED
        yield 'quote"comma,semi;.png', png_bytes(), ACCEPTED
        yield "-rf.png", png_bytes(), ACCEPTED


def _write_odd_entries(folder: Path) -> dict[str, str]:
    """What is in a folder and is not a readable file; only as far as this system and user can make it."""
    (folder / "folder.jpg").mkdir(exist_ok=True)
    expected = {"folder.jpg": "not_a_file"}
    if os.name != "posix":
        return expected
    secret = folder / "secret.png"
    secret.write_bytes(png_bytes())
    secret.chmod(0)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "broken-link.jpg").symlink_to("nowhere.jpg")
    (folder / "loop-a.jpg").symlink_to("loop-b.jpg")
    (folder / "loop-b.jpg").symlink_to("loop-a.jpg")
    (folder / "link.jpg").symlink_to("UPPER.JPG")
    return expected | {
        # root may read everything
        "secret.png": ACCEPTED if os.geteuid() == 0 else "permission_denied",
        "pipe.jpg": "not_a_file",
        "broken-link.jpg": "file_not_found",
        "loop-a.jpg": "not_a_file",
        "loop-b.jpg": "not_a_file",
        "link.jpg": ACCEPTED,
    }
