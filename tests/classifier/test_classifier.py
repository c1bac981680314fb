"""One object from bytes to calibrated answers: every way in, every way to be refused."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.builders import class_picture, jpeg_bytes, png_bytes
from tests.classifier.models import CLASSES, model, photos

import tellapart as ta
from tellapart.errors import ImageError, Reason
from tellapart.records import Prediction, Refusal, Roi

NAMES = tuple(CLASSES)


def strange() -> bytes:
    """Unlike any training image: hard black and white noise."""
    return png_bytes((np.random.default_rng(5).integers(0, 2, (48, 48, 1)) * np.full(3, 255)).astype(np.uint8))


def test_a_path_gives_one_prediction_with_its_name() -> None:
    path = photos() / "green" / "0003.png"
    answer = model().predict(path)
    assert isinstance(answer, Prediction)
    assert (answer.uri, answer.labels, answer.predicted) == (str(path), NAMES, ("green",))
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert answer.probabilities.argmax() == NAMES.index("green")
    assert not answer.unknown
    assert 0 <= answer.ood_score < 1
    assert answer.model_id == model().card.model_id
    assert answer.embedding is None
    assert answer.roi is None


def test_every_form_of_an_image_gives_the_same_answer() -> None:
    path = photos() / "red" / "0001.png"
    pixels = np.asarray(Image.open(path).convert("RGB"))
    forms: list[Any] = [path, str(path), path.read_bytes(), pixels, ta.RgbImage(pixels, (48, 48))]
    answers = [model().predict(form) for form in forms]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.probabilities, answers[0].probabilities)
    assert [a.uri for a in answers[2:]] == ["image-0"] * 3
    many = model().predict(forms)
    assert [a.uri for a in many] == [str(path), str(path), "image-2", "image-3", "image-4"]
    for answer in many:
        assert isinstance(answer, Prediction)
        np.testing.assert_allclose(answer.probabilities, answers[0].probabilities, atol=1e-6)


def test_a_sequence_never_raises_for_a_bad_image(tmp_path: Path) -> None:
    path = photos() / "blue" / "0000.png"
    images: list[Any] = [path, b"rubbish", tmp_path / "nowhere.png", np.zeros((4, 4), np.uint8), object(), path]
    first, *bad, last = model().predict(images)
    assert isinstance(first, Prediction)
    assert isinstance(last, Prediction)
    assert [b.code for b in bad if isinstance(b, Refusal)] == [
        "not_an_image",
        "file_not_found",
        "unsupported_format",
        "unsupported_format",
    ]
    assert [b.uri for b in bad] == ["image-1", str(tmp_path / "nowhere.png"), "image-3", "image-4"]


def test_an_empty_sequence_gives_an_empty_list() -> None:
    assert model().predict([]) == []


def test_any_iterable_counts_as_a_sequence() -> None:
    folder = photos() / "blue"
    answers = model().predict(tuple(sorted(folder.iterdir())[:2]))
    assert [Path(a.uri).name for a in answers] == ["0000.png", "0001.png"]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", Reason.EMPTY_FILE),
        (b"no image", Reason.NOT_AN_IMAGE),
        ("nowhere.png", Reason.FILE_NOT_FOUND),
        (np.zeros((4, 4, 3), np.float32), Reason.UNSUPPORTED_FORMAT),
        (np.zeros((4, 4, 4), np.uint8), Reason.UNSUPPORTED_FORMAT),
        (np.zeros((0, 4, 3), np.uint8), Reason.UNSUPPORTED_FORMAT),
        (np.zeros(7, np.uint8), Reason.UNSUPPORTED_FORMAT),
        (bytearray(b"x"), Reason.UNSUPPORTED_FORMAT),
        (None, Reason.UNSUPPORTED_FORMAT),
    ],
)
def test_one_bad_image_raises_its_reason(image: Any, reason: Reason) -> None:
    with pytest.raises(ImageError) as caught:
        model().predict(image)
    assert caught.value.reason is reason


def test_the_sentence_for_a_wrong_array_names_what_it_got() -> None:
    with pytest.raises(ImageError) as caught:
        model().predict(np.zeros((4, 4), np.uint16))  # type: ignore[arg-type]
    assert str(caught.value) == "an array must hold sRGB pixels as uint8 (height, width, 3), got uint16 (4, 4)"


def test_a_pillow_image_is_refused_with_the_way_out() -> None:
    with pytest.raises(ImageError) as caught:
        model().predict(Image.new("RGB", (4, 4)))  # type: ignore[call-overload]
    assert str(caught.value) == (
        "an image is a path, the bytes of a file, or uint8 (height, width, 3) sRGB pixels, got Image; "
        "of a Pillow image give numpy.asarray(image.convert('RGB'))"
    )


def test_an_unknown_image_gets_no_label() -> None:
    answer = model().predict(strange())
    assert answer.unknown
    assert answer.ood_score >= 1
    assert answer.predicted == ()
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_the_embedding_comes_on_request() -> None:
    path = photos() / "blue" / "0002.png"
    answer = model().predict(path, embedding=True)
    assert answer.embedding is not None
    assert answer.embedding.shape == (16,)
    found = model().embed([path, b"rubbish", path])
    np.testing.assert_array_equal(found.vectors, np.stack([answer.embedding] * 2))
    assert found.uris == (str(path), str(path))
    assert [r.code for r in found.refusals] == ["not_an_image"]


def test_embedding_nothing_gives_no_rows() -> None:
    found = model().embed([b"rubbish"])
    assert found.vectors.shape == (0, 16)
    assert found.vectors.dtype == np.float32


def test_a_region_is_answered_alone() -> None:
    pixels = np.concatenate([class_picture(0, 3), class_picture(2, 3)], axis=1)
    left, right = Roi(((0, 0), (0.5, 1)), "left"), Roi(((0.5, 0), (1, 1)), "right")
    assert model().predict(png_bytes(pixels), roi=left).predicted == ("blue",)
    answer = model().predict(pixels, roi=right)
    assert (answer.roi, answer.predicted) == ("right", ("red",))


def test_many_threads_may_ask_the_same_model() -> None:
    paths = sorted(photos().rglob("*.png"))
    wanted = [a.probabilities for a in model().predict(paths) if isinstance(a, Prediction)]
    failures: list[str] = []

    def ask(start: int) -> None:
        for i in range(start, start + len(paths)):
            answer = model().predict(paths[i % len(paths)])
            if not np.allclose(answer.probabilities, wanted[i % len(paths)], atol=1e-6):
                failures.append(str(paths[i % len(paths)]))

    threads = [threading.Thread(target=ask, args=(7 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_json_form_is_the_documented_one() -> None:
    data = jpeg_bytes(class_picture(1, 77))
    value = model().predict(data, roi=Roi(((0, 0), (1, 1)), "all"), embedding=True).to_json()
    assert list(value) == [
        "uri",
        "roi",
        "classifierResults",
        "predicted",
        "unknown",
        "oodScore",
        "modelId",
        "embedding",
    ]
    results = value["classifierResults"]
    assert [list(r) for r in results] == [["label", "confidence"]] * 3
    assert results == sorted(results, key=lambda r: -r["confidence"])
    assert results[0]["label"] == "green"
    assert {r["label"] for r in results} == set(NAMES)
    assert value["predicted"] == ["green"]
    assert value["unknown"] is False
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    plain = model().predict(data).to_json()
    assert list(plain) == ["uri", "classifierResults", "predicted", "unknown", "oodScore", "modelId"]


def test_equal_confidences_are_sorted_by_name() -> None:
    even = Prediction("x", ("b", "a", "c"), np.array([0.3, 0.3, 0.4]), (), 0.0, False, "m@1")
    assert [r["label"] for r in even.to_json()["classifierResults"]] == ["c", "a", "b"]


def test_limits_of_the_model_hold_for_every_way_in() -> None:
    small = ta.load(model().location, limits=ta.DecodeLimits(max_bytes=2000, max_pixels=50))
    answers = small.predict([png_bytes(class_picture(0, 0)), jpeg_bytes(quality=10)])
    assert [a.code for a in answers if isinstance(a, Refusal)] == ["file_too_large", "too_many_pixels"]
