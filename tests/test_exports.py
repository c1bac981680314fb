"""Parity: 200 images of every format through training, prediction and the exported ONNX file give the same answers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders import (
    class_picture,
    deep_png,
    deep_tiff,
    encoded,
    exif_block,
    jpeg_bytes,
    picture,
    png_bytes,
    stored,
    swapped_colour_profile,
)
from tests.classifier.models import backbone_file, quick_train

import tellapart as ta
from tellapart.backbones.onnx import run_file
from tellapart.classifier.storage import load_enclosures
from tellapart.image.source import read_file
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.export import export
from tellapart.workflows.predict import predict

N_SEEDS = 5
SPECS = [
    "decode|upright|fit(32)",
    "decode|upright|resize_short(36)|center_crop(32)",
    "decode|upright|squash(32,interpolation=bicubic)",
]


def every_format(pixels: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """The picture in every format and flavour that tellapart reads."""
    image = Image.fromarray(pixels)
    alpha = Image.fromarray(np.dstack([pixels, np.full(pixels.shape[:2], 200, np.uint8)]))
    deep = pixels.astype(np.uint16) * 257
    yield "plain.jpg", jpeg_bytes(pixels)
    yield "progressive.jpg", jpeg_bytes(pixels, progressive=True)
    yield "turned.jpg", jpeg_bytes(stored(pixels, 6), exif=exif_block(6))
    yield "icc.jpg", jpeg_bytes(pixels, icc_profile=swapped_colour_profile())
    yield "large.jpg", jpeg_bytes(pixels.repeat(8, 0).repeat(8, 1))  # decoded at reduced scale
    yield "cmyk.jpg", encoded(image.convert("CMYK"), "JPEG", quality=95)
    yield "plain.png", png_bytes(pixels)
    yield "palette.png", encoded(image.quantize(64), "PNG")
    yield "alpha.png", encoded(alpha, "PNG")
    yield "sixteen.png", deep_png(deep)
    yield "lossy.webp", encoded(image, "WEBP", quality=90)
    yield "alpha.webp", encoded(alpha, "WEBP", lossless=True)
    yield "plain.bmp", encoded(image, "BMP")
    yield "plain.gif", encoded(image.quantize(128), "GIF")
    yield "plain.tif", encoded(image, "TIFF")
    yield "lzw.tiff", encoded(image, "TIFF", compression="tiff_lzw")
    yield "sixteen.tif", deep_tiff(deep, "<")
    yield "motorola.tif", deep_tiff(deep, ">")
    yield "plain.avif", encoded(image, "AVIF", quality=90)
    grey = image.convert("L")
    yield "grey.jpg", encoded(grey, "JPEG", quality=95)
    yield "grey.png", encoded(grey, "PNG")
    yield "one-bit.png", encoded(grey.convert("1"), "PNG")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, 22 formats, five pictures of each in both: 220 files."""
    root = tmp_path_factory.mktemp("parity") / "parts"
    for index, name in enumerate(("coarse", "fine")):
        (root / name).mkdir(parents=True)
        for seed in range(N_SEEDS):
            for suffix, data in every_format(class_picture(3 * index, seed, 40)[:, : 32 + 2 * seed]):
                (root / name / f"{seed}-{suffix}").write_bytes(data)
    return root


@pytest.mark.parametrize("spec", SPECS)
def test_training_prediction_and_export_agree(parts: Path, tmp_path: Path, spec: str) -> None:
    trained = quick_train(parts, output=tmp_path / "model", backbone=backbone_file(), preprocess=spec, golden=12)
    assert trained.card.data["used"] == 2 * 22 * N_SEEDS >= 200
    assert trained.card.data["refused"] == {}

    uris = [str(path) for path in sorted(parts.rglob("*.*"))]
    limits = ta.DecodeLimits()
    predicted = trained.spec
    pixels = np.stack([predicted.apply(read_file(uri, limits)) for uri in uris])
    for uri, row in zip(
        uris, pixels, strict=True
    ):  # training looks at the decoded image on the way, prediction does not
        np.testing.assert_array_equal(predicted.transform(predicted.load(read_file(uri, limits))), row, err_msg=uri)

    seen = embed_dataset(ta.Dataset.read(parts), Embedder(predicted, trained.backbone))
    order = [uris.index(str(parts / uri)) for uri in seen.dataset.uris]
    embeddings = trained.backbone.run(pixels[order]).embedding
    np.testing.assert_allclose(seen.embeddings, embeddings, atol=1e-6)

    answers = {
        o.uri: o for o in predict(tmp_path / "model", [parts], workers=3).outcomes if isinstance(o, ta.Prediction)
    }
    assert sorted(answers) == uris
    own = np.stack([answers[uri].probabilities for uri in uris])
    result = export(tmp_path / "model", tmp_path / "model.onnx")
    assert result.n_golden == 12
    probabilities, scores = run_file((tmp_path / "model.onnx").read_bytes(), pixels, ["probabilities", "ood_score"])
    np.testing.assert_allclose(probabilities, own, atol=1e-5)
    np.testing.assert_allclose(scores, [answers[uri].ood_score for uri in uris], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(trained.answer(seen.embeddings).probabilities, own[order], atol=1e-5)


def test_lossless_forms_of_one_picture_are_answered_alike(parts: Path) -> None:
    trained = quick_train(parts)
    names = ["plain.png", "plain.bmp", "plain.tif", "lzw.tiff", "sixteen.png", "sixteen.tif", "motorola.tif"]
    answers = trained.predict([parts / "fine" / f"2-{name}" for name in names])
    for answer in answers:
        assert isinstance(answer, ta.Prediction)
        np.testing.assert_allclose(answer.probabilities, answers[0].probabilities, atol=1e-5)  # type: ignore[union-attr]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_all_orientations_of_a_scene_are_answered_alike(parts: Path, suffix: str) -> None:
    trained = quick_train(parts)
    name = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP"}[suffix]
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(name, {})
    scene = picture(48, 32, 7)
    answers = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stream = io.BytesIO()
        Image.fromarray(stored(scene, orientation)).save(stream, name, exif=exif, **options)
        answers.append(trained.predict(stream.getvalue(), embedding=True))
    # A JPEG codes each orientation anew, in blocks of eight pixels: its pixels differ by a grey level.
    tolerance = 2e-2 if name == "JPEG" else 1e-5
    for answer in answers:
        np.testing.assert_allclose(answer.probabilities, answers[0].probabilities, atol=tolerance)
        assert answer.predicted == answers[0].predicted
    turned = trained.predict(np.ascontiguousarray(scene[::-1]), embedding=True)
    assert np.abs(turned.embedding - answers[0].embedding).max() > 1e-3  # type: ignore[operator]


def test_the_golden_images_of_an_export_cover_formats(parts: Path, tmp_path: Path) -> None:
    quick_train(parts, output=tmp_path / "model", golden=12)
    golden = load_enclosures(tmp_path / "model").golden
    assert len(golden) == 12
    assert len({image.name.rsplit(".", 1)[1] for image in golden}) >= 3
