"""Whatever bytes come: a picture, or one `ImageError` with a stable code."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.builders import deep_png, encoded, exif_block, gif_bytes, jpeg_bytes, picture, png_bytes, srgb_profile
from tests.hostile import write_hostile_corpus

from tellapart.errors import ImageError, Reason
from tellapart.image.decode import DecodeOptions, decode
from tellapart.image.intensity import Intensity
from tellapart.image.preprocess import default_spec
from tellapart.image.source import read_file
from tellapart.image.types import DecodeLimits


def outcome(path: Path) -> str:
    try:
        pixels = default_spec().apply(read_file(path, DecodeLimits()))
    except ImageError as error:
        return error.reason.value if len(str(error).splitlines()) == 1 else f"not one line: {error}"
    assert pixels.shape == (224, 224, 3)
    return "accepted"


def test_the_corpus_is_judged_as_documented(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    expected = write_hostile_corpus(tmp_path)
    assert len(expected) >= 40
    got = {name: outcome(tmp_path / name) for name in expected}
    assert got == expected
    accepted = sum(value == "accepted" for value in got.values())
    refused = sum(value in list(Reason) for value in got.values())
    assert accepted + refused == len(expected)
    on_disk = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_symlink() or not p.is_dir()}
    assert on_disk == set(expected) - {"folder.jpg"}
    assert capfd.readouterr().err == ""


_SMALL = picture(12, 10)
_FILES = [
    jpeg_bytes(_SMALL, exif=exif_block(6), icc_profile=srgb_profile()),
    jpeg_bytes(_SMALL, progressive=True),
    encoded(Image.fromarray(_SMALL).convert("CMYK"), "JPEG"),
    encoded(_SMALL, "MPO", save_all=True, append_images=[Image.fromarray(_SMALL)]),
    png_bytes(_SMALL, exif=exif_block(3)),
    encoded(Image.fromarray(_SMALL).quantize(4), "PNG", transparency=1),
    encoded(_SMALL, "PNG", save_all=True, append_images=[Image.fromarray(picture(12, 10, 1))]),
    deep_png(_SMALL.astype(np.uint16) * 257),
    encoded(_SMALL, "WEBP"),
    encoded(_SMALL, "BMP"),
    encoded(Image.fromarray(_SMALL).quantize(4), "BMP"),
    encoded(_SMALL, "GIF"),
    gif_bytes(4),
    encoded(_SMALL, "TIFF"),
    encoded(_SMALL[:, :, 0].astype(np.float32), "TIFF"),
    encoded(_SMALL, "AVIF"),
]
_OPTIONS = [
    DecodeOptions(),
    DecodeOptions(frame=1, upright=False),
    DecodeOptions(intensity=Intensity("percentile", 1, 99), background=(9, 9, 9)),
]
_LIMITS = DecodeLimits(max_pixels=1_000_000, max_frames=50)

mutations = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=12)


def must_be_judged(data: bytes, options: DecodeOptions) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = decode(data, limits=_LIMITS, options=options, at_least=(3, 3))
        except ImageError:
            return
    assert image.pixels.dtype == np.uint8


@settings(max_examples=600)
@given(st.sampled_from(_FILES), mutations, st.one_of(st.none(), st.integers(0, 5000)), st.sampled_from(_OPTIONS))
def test_mutated_files(data: bytes, changes: list[tuple[int, int]], cut: int | None, options: DecodeOptions) -> None:
    mutated = bytearray(data)
    for position, value in changes:
        mutated[position % len(data)] = value
    must_be_judged(bytes(mutated) if cut is None else bytes(mutated[: cut % len(data)]), options)


_STARTS = [data[:n] for data in _FILES for n in (4, 12, 24, 40)]


@settings(max_examples=300)
@given(st.sampled_from([b"", *_STARTS]), st.binary(max_size=300), st.sampled_from(_OPTIONS))
def test_random_bytes_behind_a_real_start(start: bytes, rest: bytes, options: DecodeOptions) -> None:
    must_be_judged(start + rest, options)


@pytest.mark.parametrize("data", _FILES)
def test_every_file_of_the_fuzzing_is_whole(data: bytes) -> None:
    options = DecodeOptions(intensity=Intensity("range", 0, 255))
    assert decode(data, options=options).pixels.ndim == 3
