"""The preprocess string and what it does to pixels."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.builders import encoded, exif_block, jpeg_bytes, picture, png_bytes, stored

from tellapart.errors import Reason, SpecError
from tellapart.image.decode import decode
from tellapart.image.geometry import Fit, ResizeShort, Squash
from tellapart.image.intensity import Intensity
from tellapart.image.preprocess import PreprocessSpec, default_spec
from tellapart.records import Roi

# --- text -------------------------------------------------------------------------------------------------------------

colours = st.tuples(*[st.integers(0, 255)] * 3)
sides = st.integers(1, 600)
interpolations = st.sampled_from(["bilinear", "bicubic", "nearest", "lanczos"])
crops = st.tuples(st.integers(1, 200), st.integers(1, 200))
geometries = st.one_of(
    st.builds(Fit, sides, sides, colours, interpolations),
    st.builds(Squash, st.integers(201, 600), st.integers(201, 600), interpolations, st.one_of(st.none(), crops)),
    st.builds(ResizeShort, st.integers(200, 600), crops, interpolations),
)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
ranges = st.tuples(finite, finite).map(sorted).filter(lambda p: p[0] < p[1])
percentiles = st.tuples(st.floats(0, 49), st.floats(50, 100))
intensities = st.one_of(
    st.none(),
    ranges.map(lambda p: Intensity("range", *p)),
    percentiles.map(lambda p: Intensity("percentile", *p)),
)
low, high = st.floats(0, 0.5), st.floats(0.51, 1)
rois = st.one_of(
    st.none(),
    st.builds(lambda a, b, c, d: Roi(((a, b), (c, d))), low, low, high, high),
    st.builds(lambda a, b, c: Roi(((a, a), (b, c), (c, b), (0.5, 0.505))), low, high, high),
)
specs = st.builds(PreprocessSpec, geometries, colours, st.integers(0, 99), st.booleans(), intensities, rois)


@given(specs)
def test_text_and_value_are_each_others_inverse(spec: PreprocessSpec) -> None:
    text = str(spec)
    again = PreprocessSpec.parse(text)
    assert again == spec
    assert str(again) == text
    assert again.hash == spec.hash


@given(st.text(alphabet="decode|fit(224),=:x.#squahrgopnl_ 0\n", max_size=60))
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    try:
        PreprocessSpec.parse(text)
    except SpecError as error:
        reason = error.reason
    else:
        reason = Reason.BAD_SPEC
    assert reason is Reason.BAD_SPEC


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("decode|upright|fit(224)", "decode|upright|fit(224)"),
        (" decode ( ) | fit( 224 x 224 ) ", "decode|fit(224)"),
        ("decode(frame=0,background=#000000)|fit(224,interpolation=bilinear)", "decode|fit(224)"),
        ("decode(frame=2,background=#FFeedd)|fit(64)", "decode(background=#ffeedd,frame=2)|fit(64)"),
        ("decode|fit(320x240,interpolation=bicubic,background=#101010)",
         "decode|fit(320x240,background=#101010,interpolation=bicubic)"),
        ("decode|intensity(range=0:4095.0)|fit(8)", "decode|intensity(range=0:4095)|fit(8)"),
        ("decode|intensity(percentile=.5:99.5)|fit(8)", "decode|intensity(percentile=0.5:99.5)|fit(8)"),
        ("decode|roi(0.10,0,1.0,1)|squash(8)", "decode|roi(0.1,0,1,1)|squash(8)"),
        ("decode|upright|resize_short(256,interpolation=bicubic)|center_crop(224)",
         "decode|upright|resize_short(256,interpolation=bicubic)|center_crop(224)"),
        ("decode|squash(8)|center_crop(8)", "decode|squash(8)"),
    ],
)  # fmt: skip
def test_canonical_text(written: str, canonical: str) -> None:
    assert str(PreprocessSpec.parse(written)) == canonical


_STEPS = "(known: decode, upright, intensity, roi, fit, squash, resize_short, center_crop)"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("decode|upright|fitt(224)", None),
        ("decode|fit(224)|upright", "the steps stand in another order: decode|upright|fit"),
        ("decode|fit(0)", "fit: a size is a whole number or width x height, each 1 to 16384, got '0'"),
        ("decode|fit", "expected fit(size) or fit(width x height), got fit"),
        ("decode|fit(8,interpolation=bicubik)",
         "fit: unknown interpolation 'bicubik', did you mean 'bicubic'? (known: bilinear, bicubic, nearest, lanczos)"),
        ("decode|fit(8,colour=#ffffff)", "fit has no option 'colour' (known: background, interpolation)"),
        ("decode(background=white)|fit(8)", "decode: a colour is written #rrggbb, for example #ffffff, got 'white'"),
        ("decode(frame=-1)|fit(8)", "decode: a frame is a whole number, counted from 0, got '-1'"),
        ("decode|upright(1)|fit(8)", "expected upright, got upright(1)"),
        ("decode|intensity(range=9:1)|fit(8)", "intensity(range=low:high) wants low below high, got 9:1"),
        ("decode|intensity(percentile=1:101)|fit(8)", "intensity(percentile=low:high) lies within 0:100, got 1:101"),
        ("decode|intensity(range=4095)|fit(8)",
         "intensity: range is written low:high, for example range=0:4095 or percentile=1:99, got '4095'"),
        ("decode|intensity|fit(8)",
         "expected intensity(range=low:high) or intensity(percentile=low:high), got intensity"),
        ("decode|roi(0,0,1)|fit(8)",
         "expected roi(x0,y0,x1,y1) or a polygon roi(x,y,x,y,x,y,…), each in 0–1, got roi(0,0,1)"),
        ("decode|roi(0,0,1,2)|fit(8)",
         "region coordinates are relative to the upright image and lie in 0–1, got (1.0, 2.0)"),
        ("decode|resize_short(256)",
         "resize_short leaves the long side open; add center_crop(size), or use fit to keep the whole image"),
        ("decode|resize_short(256)|center_crop(300)",
         "center_crop(300) is larger than what resize_short leaves (256x256)"),
        ("decode|resize_short(256)|center_crop(224,interpolation=bicubic)",
         "center_crop does not resize; write the interpolation at the step before it"),
        ("decode|resize_short(25x6)|center_crop(4)",
         "resize_short takes one whole number, the length of the short side, got '25x6'"),
        ("decode|fit(8)|center_crop(4)",
         "fit keeps the whole image, so center_crop cannot follow it; use resize_short"),
        ("decode|fit(8)|squash(8)", "one step sets the size, got fit and squash"),
        ("decode|decode|fit(8)", "decode stands twice"),
        ("fit(8)", "the first step, decode, is missing"),
        ("decode|fit(8", None),
    ],
)  # fmt: skip
def test_every_fault_has_its_sentence(text: str, sentence: str | None) -> None:
    missing = "a step that sets the size is missing: fit, squash, or resize_short with center_crop"
    two = {
        "decode|upright|fitt(224)": f"unknown step 'fitt', did you mean 'fit'? {_STEPS}; {missing}",
        "decode|fit(8": f"expected step or step(value,option=value), got 'fit(8'; {missing}",
    }
    with pytest.raises(SpecError) as caught:
        PreprocessSpec.parse(text)
    assert caught.value.reason is Reason.BAD_SPEC
    if sentence is None:
        assert str(caught.value) == f"preprocess string {text!r} has 2 faults: {two[text]}"
    else:
        assert str(caught.value) == f"preprocess string {text!r}: {sentence}"


def test_the_hash_is_of_the_meaning_not_of_the_writing() -> None:
    a, b = PreprocessSpec.parse("decode|upright|fit(224)"), PreprocessSpec.parse("decode( ) | upright | fit(224x224)")
    assert a == b == default_spec()
    assert a.hash == b.hash == "ceee8b05abf254c6037bd34fa48fd7fec7240b2fd658de7af03996c980f809b2"
    assert a.hash != default_spec(225).hash


# --- pixels -----------------------------------------------------------------------------------------------------------


def test_fit_keeps_aspect_and_centres_on_the_background() -> None:
    data = png_bytes(np.full((10, 20, 3), 200, np.uint8))
    pixels = PreprocessSpec.parse("decode|fit(8,background=#102030)").apply(data)
    assert pixels.shape == (8, 8, 3)
    assert (pixels[2:6] == 200).all()
    assert (pixels[[0, 1, 6, 7]] == (0x10, 0x20, 0x30)).all()


def test_size_is_height_and_width() -> None:
    for text in ("decode|fit(32x16)", "decode|squash(32x16)", "decode|resize_short(40)|center_crop(32x16)"):
        spec = PreprocessSpec.parse(text)
        assert spec.size == (16, 32)
        assert spec.apply(png_bytes()).shape == (16, 32, 3)


def test_squash_stretches() -> None:
    pixels = PreprocessSpec.parse("decode|squash(20x10,interpolation=nearest)").apply(png_bytes(picture(10, 20)))
    assert np.array_equal(pixels[5, 10], picture(10, 20)[11, 5]) or np.array_equal(
        pixels[5, 10], picture(10, 20)[10, 5]
    )
    assert np.abs(pixels[0, 0].astype(int) - picture(10, 20)[0, 0]).max() < 40


def test_resize_short_and_center_crop_round_as_torchvision() -> None:
    # 50 × 31 → short side 20 → int(20 · 50 / 31) = 32 × 20 → crop 15: left round(8.5) = 8, top round(2.5) = 2
    image = Image.fromarray(picture(50, 31))
    expected = np.asarray(image.resize((32, 20), Image.Resampling.BICUBIC))[2:17, 8:23]
    spec = PreprocessSpec.parse("decode|resize_short(20,interpolation=bicubic)|center_crop(15)")
    assert np.array_equal(spec.apply(png_bytes(np.asarray(image))), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (3, 5000)])
@pytest.mark.parametrize(
    "text", ["decode|fit(224)", "decode|squash(224)", "decode|resize_short(256)|center_crop(224)", "decode|fit(1)"]
)
@pytest.mark.parametrize("encode", [png_bytes, jpeg_bytes])
def test_extreme_shapes(size: tuple[int, int], text: str, encode: object) -> None:
    spec = PreprocessSpec.parse(text)
    pixels = np.full((size[1], size[0], 3), 255, np.uint8)
    out = spec.apply(encode(pixels))  # type: ignore[operator]
    assert out.shape == (*spec.size, 3)
    assert out.max() > 250


SPECS = [
    "decode|upright|fit(24)",
    "decode|upright|fit(300x100,background=#ffffff)",
    "decode(background=#123456)|roi(0.2,0.1,0.9,0.6)|fit(24)",
    "decode(background=#123456)|upright|roi(0.1,0.1,0.9,0.3,0.4,0.9)|fit(24)",
    "decode|upright|squash(17x9,interpolation=lanczos)",
    "decode|upright|resize_short(32)|center_crop(24)",
]
FILES = [
    png_bytes(picture(90, 60)),
    png_bytes(picture(90, 60)[:, :, 0]),
    jpeg_bytes(picture(400, 300), exif=exif_block(6)),
    encoded(Image.fromarray(picture(200, 210)).convert("L"), "JPEG"),
    encoded(Image.fromarray(picture(90, 60)).quantize(9), "PNG", transparency=4),
]


@pytest.mark.parametrize("text", SPECS)
@pytest.mark.parametrize("data", FILES)
@pytest.mark.parametrize("roi", [None, Roi(((0.3, 0.3), (0.5, 0.9)))])
def test_apply_is_transform_of_load(text: str, data: bytes, roi: Roi | None) -> None:
    spec = PreprocessSpec.parse(text)
    pixels = spec.apply(data, roi)
    assert np.array_equal(pixels, spec.transform(spec.load(data, roi)))
    assert pixels.shape == (*spec.size, 3)
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


def test_a_samples_region_replaces_the_specs() -> None:
    roi = Roi(((0.0, 0.0), (0.5, 0.5)))
    with_own, without = PreprocessSpec.parse("decode|roi(0.5,0.5,1,1)|fit(16)"), PreprocessSpec.parse("decode|fit(16)")
    assert np.array_equal(with_own.apply(FILES[0], roi), without.apply(FILES[0], roi))
    assert not np.array_equal(with_own.apply(FILES[0]), without.apply(FILES[0], roi))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_give_the_same_input(orientation: int) -> None:
    spec, roi = default_spec(48), Roi(((0.1, 0.2), (0.7, 0.9)))
    upright = picture(64, 40)
    lossless = png_bytes(stored(upright, orientation), exif=exif_block(orientation))
    assert np.array_equal(spec.apply(lossless, roi), spec.apply(png_bytes(upright), roi))
    large = picture(640, 400)
    data = jpeg_bytes(stored(large, orientation), exif=exif_block(orientation))
    assert spec.load(data).original_size == (640, 400)
    difference = np.abs(spec.apply(data, roi).astype(int) - spec.apply(jpeg_bytes(large), roi))
    assert difference.mean() < 1


@functools.cache
def photo(width: int, height: int) -> np.ndarray:
    """Smooth shapes, edges and mild noise: what the 1/f spectrum of a photograph amounts to."""
    rng = np.random.default_rng(5)
    scene = np.zeros((height, width, 3))
    for octave in (4, 16, 64):
        grid = rng.uniform(0, 255, (octave, octave, 3)).astype(np.uint8)
        scene += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)) / octave
    scene = scene / scene.max() * 235 + rng.normal(0, 3, scene.shape)
    scene[height // 3 : height // 2, width // 4 : width // 2] = (230, 40, 60)
    return np.clip(scene, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(1600, 1200), (1131, 905)])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("text", ["decode|upright|fit(224)", "decode|upright|resize_short(256)|center_crop(224)"])
def test_reduced_decoding_stays_close_to_the_full_one(size: tuple[int, int], text: str, orientation: int) -> None:
    spec = PreprocessSpec.parse(text)
    data = jpeg_bytes(stored(photo(*size), orientation), quality=92, exif=exif_block(orientation))
    reduced = spec.apply(data)
    full = spec.geometry(Image.fromarray(decode(data).pixels))
    assert spec.load(data).pixels.shape[1] < size[0]
    assert np.abs(reduced.astype(int) - full).mean() < 1.0


def test_the_region_is_decoded_at_a_sufficient_scale() -> None:
    spec, data = PreprocessSpec.parse("decode|upright|fit(50)"), jpeg_bytes(picture(800, 800))
    assert spec.load(data).pixels.shape == (100, 100, 3)
    assert spec.load(data, Roi(((0.0, 0.0), (0.25, 0.25)))).pixels.shape == (50, 50, 3)
    assert spec.load(data, Roi(((0.0, 0.0), (0.2, 0.2)))).pixels.shape == (80, 80, 3)


GOLDEN = {
    "decode|upright|fit(24)": "e5a467333e8e1a2b",
    "decode|upright|resize_short(32,interpolation=bicubic)|center_crop(24)": "8508c68451967cbd",
    "decode(background=#ffffff)|roi(0.2,0.1,0.9,0.6)|squash(17x9)": "0f732ba926d762e0",
}


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_pixels(text: str) -> None:
    """Pinned: a change here changes every model's answers and must raise the version in the spec's hash."""
    pixels = PreprocessSpec.parse(text).apply(png_bytes(picture(61, 47)))
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == GOLDEN[text]


def test_the_predict_path_starts_light() -> None:
    code = """
import sys, tellapart.image.preprocess, tellapart.image.source
tellapart.image.preprocess.default_spec().apply(sys.stdin.buffer.read())
heavy = "polars pydantic scipy onnx rich typer sklearn torch asyncio email http unittest difflib"
plugins = "ImageCms ImageDraw TiffImagePlugin PngImagePlugin GifImagePlugin ImageFont ImageOps"
print([name for name in heavy.split() + ["PIL." + p for p in plugins.split()] if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], input=jpeg_bytes(), capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
