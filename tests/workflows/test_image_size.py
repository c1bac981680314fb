from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image
from tests.builders import picture, png_bytes
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import CARD_KEY
from tellapart.data.dataset import Dataset
from tellapart.image.decode import dimensions
from tellapart.image.types import DecodeLimits
from tellapart.records import Roi, Sample
from tellapart.workflows.image_size import own_spec


def backbone(smallest_px: int | None) -> OnnxBackbone:
    model = onnx.load_model_from_string(tiny_backbone_bytes())
    card = OnnxBackbone.open(tiny_backbone_bytes()).card
    card = dataclasses.replace(card, preprocess="decode|upright|squash(128)", smallest_px=smallest_px)
    del model.metadata_props[:]
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return OnnxBackbone.open(model.SerializeToString())


def dataset(folder: Path, *sides: int, roi: Roi | None = None) -> Dataset:
    samples = []
    for index, side in enumerate(sides):
        path = folder / f"{index}.png"
        path.write_bytes(png_bytes(picture(side, max(1, side // 2), seed=index)))
        samples.append(Sample(id="", uri=str(path), labels=("a",), roi=roi))
    return Dataset.from_samples(samples)


@pytest.mark.parametrize(
    "sides, expected",
    [((32, 32, 32), 96), ((20, 20), 64), ((36, 36, 400), 112), ((45, 45), 128), ((300,), 128)],
)
def test_small_images_are_enlarged_about_three_times(tmp_path: Path, sides: tuple[int, ...], expected: int) -> None:
    spec = own_spec(backbone(64), dataset(tmp_path, *sides), DecodeLimits())
    assert str(spec) == f"decode|upright|squash({expected})"


def test_a_region_counts_by_its_own_size(tmp_path: Path) -> None:
    quarter = Roi(((0.0, 0.0), (0.25, 0.0), (0.25, 0.25), (0.0, 0.25)), "corner")
    assert own_spec(backbone(64), dataset(tmp_path, 128, roi=quarter), DecodeLimits()).size == (96, 96)


def test_other_backbones_keep_their_size(tmp_path: Path) -> None:
    assert own_spec(backbone(None), dataset(tmp_path, 32), DecodeLimits()).size == (128, 128)


def test_files_that_cannot_be_read_do_not_count(tmp_path: Path) -> None:
    data = dataset(tmp_path, 32, 32, 300, 300, 300)
    for index in (2, 3, 4):
        (tmp_path / f"{index}.png").write_bytes(b"no image")
    assert own_spec(backbone(64), data, DecodeLimits()).size == (96, 96)
    for index in (0, 1):
        (tmp_path / f"{index}.png").unlink()
    assert own_spec(backbone(64), data, DecodeLimits()).size == (128, 128)


def test_dimensions_come_from_the_header() -> None:
    data = png_bytes(np.zeros((30, 50, 3), np.uint8))
    assert dimensions(data) == (50, 30) == Image.fromarray(np.zeros((30, 50, 3), np.uint8)).size
    assert dimensions(data[:60]) == (50, 30)
