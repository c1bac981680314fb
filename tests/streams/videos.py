"""Tiny videos whose pictures tell their number."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.builders import class_picture, jpeg_bytes

Pixels = NDArray[np.uint8]
_BITS = 8


def numbered(number: int, width: int = 160, height: int = 120, *, kind: int = 0) -> Pixels:
    """uint8 (height, width, 3): a picture of class `kind` that carries `number` (0-255) in its upper rows, as bright and
    dark fields that every codec keeps."""
    side = max(width, height)
    image = np.ascontiguousarray(np.kron(class_picture(kind, number, 24), np.ones((-(-side // 24),) * 2 + (1,))))
    image = image[:height, :width].astype(np.uint8)
    field = width // _BITS
    for bit in range(_BITS):
        image[: height // 4, bit * field : (bit + 1) * field] = 235 if number >> bit & 1 else 20
    return image


def read_number(image: Pixels) -> int:
    """What `numbered` wrote."""
    height, width = image.shape[:2]
    field = width // _BITS
    rows = image[height // 16 : height * 3 // 16].mean((0, 2))
    return int(
        sum(
            (rows[bit * field + field // 4 : (bit + 1) * field - field // 4].mean() > 128) << bit
            for bit in range(_BITS)
        )
    )


def black(number: int, width: int = 160, height: int = 120) -> Pixels:
    """A covered lens: nothing but a little noise."""
    return np.random.default_rng(number).integers(0, 4, (height, width, 3)).astype(np.uint8)


def write_video(path: Path, pictures: Sequence[Pixels], *, fps: float = 10, whole_every: int = 5) -> Path:
    """H.264 by ffmpeg: `.mp4`, or `.h264` with a delimiter before each picture; every `whole_every`-th needs no other."""
    height, width = pictures[0].shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    code = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-qp", "20", "-pix_fmt", "yuv420p"]
    code += ["-g", f"{whole_every}", "-x264-params", "aud=1:scenecut=0:threads=1"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *raw, *code, str(path)],
        input=b"".join(map(np.ndarray.tobytes, pictures)),
        check=True,
        timeout=120,
    )
    return path


def write_jpegs(folder: Path, pictures: Iterable[Pixels]) -> Path:
    """One file a picture, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(pictures):
        (folder / f"{number:04}.jpg").write_bytes(jpeg_bytes(one, 90))
    return folder
