"""Views are the same for the same seed, epoch and row, and cut as asked."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.builders import picture

from tellapart.backbones.torch_libraries import load_torchvision
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import RgbImage
from tellapart.settings.pretraining import Dino, Pretraining

load_torchvision()

from tellapart.training.finetune.samplers import EpochSampler  # noqa: E402
from tellapart.training.selfsup.views import ViewBatches, ViewMaker, local_side, random_part  # noqa: E402

SPEC = PreprocessSpec.parse("decode|upright|squash(32)")


def maker(seed: int = 0, **options: object) -> ViewMaker:
    return ViewMaker(SPEC, Pretraining(dino=Dino(local_views=2), **options), n_local=2, seed=seed)  # type: ignore[arg-type]


def test_two_large_and_the_small_views_all_differ() -> None:
    views = maker().views(picture(40, 30), 0, 0)
    assert [view.shape for view in views] == [(32, 32, 3)] * 2 + [(16, 16, 3)] * 2
    assert not np.array_equal(views[0], views[1])
    assert not np.array_equal(views[2], views[3])


def test_the_same_seed_epoch_and_row_give_the_same_pixels() -> None:
    image = picture(40, 30)
    first = maker().views(image, 3, 5)
    for view, again in zip(first, maker().views(image, 3, 5), strict=True):
        assert np.array_equal(view, again)
    for others in (maker().views(image, 4, 5), maker().views(image, 3, 6), maker(seed=1).views(image, 3, 5)):
        assert not np.array_equal(first[0], others[0])


def test_a_preset_decides_what_a_view_may_change() -> None:
    """Without augmentation the large views are the image itself."""
    image = picture(32, 32)
    views = maker(augmentation={"preset": "none"}).views(image, 0, 0)
    assert np.array_equal(views[0], image)
    assert np.array_equal(views[1], image)


@pytest.mark.parametrize("largest", [0.02, 0.4, 1.0])
def test_a_part_has_the_share_that_was_asked(largest: float) -> None:
    image = picture(60, 40)
    rng = np.random.default_rng(0)
    shares = [np.prod(random_part(image, largest, rng).shape[:2]) / (60 * 40) for _ in range(200)]
    assert max(shares) <= largest * 1.1
    assert min(shares) >= 0.9 * min(largest, 0.05) - 0.01


def test_the_smallest_image_has_a_part() -> None:
    assert random_part(np.zeros((1, 1, 3), np.uint8), 0.1, np.random.default_rng(0)).shape == (1, 1, 3)


def test_small_views_have_sides_that_networks_can_halve() -> None:
    assert [local_side(128, 0.5), local_side(96, 0.4), local_side(16, 0.1), local_side(20, 1.0)] == [64, 40, 8, 16]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_epoch_is_the_views_of_all_images_in_batches(threads: int) -> None:
    images = [RgbImage(picture(40, 30, seed), (40, 30)) for seed in range(5)]
    order = EpochSampler(np.ones((5, 1)), "shuffle", batch_size=2, seed=7)
    batches = ViewBatches(images, maker(), order, lambda: 2, threads=threads)
    found = list(batches)
    assert len(found) == len(batches)
    assert [len(views) for views in found] == [4] * len(batches)
    for rows, views in zip(order.batches(2), found, strict=True):
        wanted = [maker().views(images[row].pixels, 2, int(row)) for row in rows]
        for view, of_each in zip(views, zip(*wanted, strict=True), strict=True):
            assert np.array_equal(view.numpy(), np.stack(of_each))
