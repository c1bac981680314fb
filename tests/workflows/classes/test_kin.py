"""New images of parts that a model knows: they join these, on whichever side of the split."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageEnhance
from tests.classifier.models import quick_train
from tests.workflows.classes.models import dynamic_model, more_images

from tellapart.classifier.storage import load_enclosures
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.classes.undo import undo_change
from tellapart.workflows.classes.wording import lines_of
from tellapart.workflows.embedding import EmbeddedDataset
from tellapart.workflows.verify import verify

COUNTS = {"blue": 20, "red": 20}


def scene(seed: int, tint: int) -> Image.Image:
    """A picture with large shapes that no other seed has."""
    rng = np.random.default_rng(seed)
    field = Image.fromarray(rng.integers(0, 256, (7, 7, 3), np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    pixels = np.asarray(field).astype(np.int16) // 2
    pixels[..., tint] += 120
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write(root: Path, *, darker: float = 1.0) -> Path:
    for tint, (name, count) in zip((2, 0), COUNTS.items(), strict=True):
        (root / name).mkdir(parents=True)
        for number in range(count):
            picture = ImageEnhance.Brightness(scene(100 * tint + number, tint)).enhance(darker)
            picture.save(root / name / f"{number:02}.png")
    return root


def rows_of(model: Path) -> pl.DataFrame:
    """Of the images that take part."""
    table = pl.read_parquet(io.BytesIO(load_enclosures(model).reference))
    return table.filter(pl.col("confidence").is_not_null())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kin")
    quick_train(write(folder / "first"), output=folder / "model", method="dynamic")
    return folder / "model"


def test_the_same_parts_again_stay_where_they_were(model: Path, tmp_path: Path) -> None:
    before = rows_of(model).sort("uri")
    assert {"train", "test"} <= set(before["split"])
    change = add_classes(model, write(tmp_path / "later", darker=0.8), preview=False)
    assert "kin         40 new images look like ones the model knows and stay on their side of the split" in lines_of(
        change
    )
    after = rows_of(model)
    later = after.filter(~pl.col("id").is_in(before["id"].to_list())).sort("uri")
    assert later["split"].to_list() == before["split"].to_list()
    assert later["group"].to_list() == before["group"].to_list()
    assert after["thumbnail"].is_not_null().all()
    verify(model)
    undo_change(model)
    assert rows_of(model).sort("uri").select(before.columns).equals(before)


def test_other_images_are_strangers(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    change = add_classes(model, more_images(tmp_path / "more", {"teal": (3, 6)}))
    assert not [line for line in lines_of(change) if line.startswith("kin")]


def test_models_of_earlier_remember_no_pictures(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.workflows.classes import kin
    from tellapart.workflows.classes.rows import Rows

    table = rows_of(model).drop("thumbnail")
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    rows = Rows.read(buffer.getvalue())
    assert not rows.has_picture.any()
    images = EmbeddedDataset(None, np.ones((3, 4), np.float32), np.zeros((3, 1)), np.zeros((3, 8, 8), np.uint8))  # type: ignore[arg-type]
    assert kin.known_groups(rows, images, np.arange(3)).tolist() == [kin.ALONE] * 3


def test_a_group_goes_where_its_first_image_belongs() -> None:
    from tellapart.workflows.classes.kin import _whole

    assert _whole(np.array([-1, 7, 5, -1]), np.array([0, 0, 0, 1])).tolist() == [7, 7, 7, -1]
