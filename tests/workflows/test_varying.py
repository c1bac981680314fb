"""Augmented images, run through a network: which classes survive them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import png_bytes
from tests.classifier.models import backbone_file

from tellapart.data.hygiene import augmentations
from tellapart.workflows import varying
from tellapart.workflows.check import check
from tellapart.workflows.check_result import Checked

EACH = 24


def write(root: Path, draw: Callable[[str, np.random.Generator], Any], *names: str) -> Path:
    for i, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(EACH):
            rng = np.random.default_rng((i, number))
            pixels = (
                draw(name, rng)
                + rng.normal(0, 6, (32, 32, 3))
                + 40 * np.kron(rng.random((4, 4, 1)), np.ones((8, 8, 1)))
            )
            (root / name / f"{number}.png").write_bytes(png_bytes(np.clip(pixels, 0, 255).astype(np.uint8)))
    return root


def side(name: str, rng: np.random.Generator) -> np.ndarray:
    """A grey step on one side of the picture."""
    step = 150.0 * (np.arange(32) > rng.integers(8, 24))
    return np.broadcast_to((step if name == "right" else step[::-1])[None, :, None], (32, 32, 3))


def colour(name: str, rng: np.random.Generator) -> np.ndarray:
    """One colour all over, never quite the same."""
    return np.array({"red": (160, 30, 30), "green": (30, 160, 30)}[name]) + rng.uniform(-30, 30, 3)


def looked(root: Path, **options: Any) -> Checked:
    return check(root, checks=[augmentations.CHECK], backbone=backbone_file(), workers=2, **options)


def named(found: Checked) -> list[str]:
    return [finding.sentence.split(" would")[0] for finding in found.findings]


def test_flips_and_half_turns_destroy_left_and_right(tmp_path: Path) -> None:
    assert named(looked(write(tmp_path, side, "left", "right"))) == ["horizontal flips", "rotations by 180 degrees"]


def test_hue_destroys_colours(tmp_path: Path) -> None:
    found = looked(write(tmp_path, colour, "green", "red"))
    assert named(found) == ["changes of hue"]
    assert all(found.evidence.label_of(row) in ("red", "green") for row in found.findings[0].rows)


def test_the_heads_do_not_see_what_they_judge(tmp_path: Path) -> None:
    def noise(name: str, rng: np.random.Generator) -> np.ndarray:
        return np.full((32, 32, 3), 90.0)

    found = looked(write(tmp_path, noise, "one", "other"))
    variants = found.evidence.variants
    assert variants is not None
    labels = found.evidence.labels[variants.rows].astype(bool)
    for answers in (variants.plain, *variants.varied.values()):
        assert answers[..., labels].mean() < 0.75


def test_images_are_augmented_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, cache = write(tmp_path / "data", side, "left", "right"), tmp_path / "cache"
    first = looked(root, cache_dir=cache)
    monkeypatch.setattr(varying, "_embed", None)
    assert looked(root, cache_dir=cache).findings == first.findings


def test_one_class_is_too_few(tmp_path: Path) -> None:
    found = looked(write(tmp_path, side, "left"))
    assert [one.why for one in found.skipped] == [
        "it takes images of at least two classes and 3 groups that are not near-duplicates"
    ]


def test_a_rare_class_keeps_its_share() -> None:
    labels = np.eye(2, dtype=np.uint8)[(np.arange(5000) % 100 == 0).astype(int)]
    rows = varying._chosen(labels, 0)
    assert len(rows) == 250 + 50
    assert labels[rows, 1].sum() == 50
    assert len(varying._chosen(np.ones((4000, 3), np.uint8), 0)) <= varying.MOST_IMAGES


def test_pictures_that_are_not_square_are_turned_into_their_own_shape() -> None:
    pixels = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert {form.shape for form in varying._forms(pixels)} == {(4, 6, 3)}
