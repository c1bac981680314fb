"""RandAugment and TrivialAugment: torchvision's operations and strengths, from an image's own seed."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests.builders import picture

pytest.importorskip("torch")

from tellapart.backbones.torch_libraries import load_torchvision

load_torchvision()

import torch  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from tellapart.settings.recipe import Augmentation  # noqa: E402
from tellapart.training.augmentation.automatic import automatic  # noqa: E402
from tellapart.training.augmentation.operations import OPERATIONS, RAND, TRIVIAL, Strengths, apply_operation  # noqa: E402
from tellapart.training.augmentation.transforms import make_transform  # noqa: E402

THEIRS = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "saturation": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}
MOVING = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")


class Sign(Random):
    """Draws a sign as told."""

    def __init__(self, negative: bool) -> None:
        super().__init__(0)
        self.negative = negative

    def random(self) -> float:
        return 0.0 if self.negative else 0.9


def theirs(policy: type, name: str, image: Image.Image, share: float, negative: bool) -> np.ndarray:
    magnitudes, signed = policy._AUGMENTATION_SPACE[THEIRS[name]]
    values = magnitudes(31, image.height, image.width)
    magnitude = 0.0 if values is None else float(values[round(share * 30)])
    magnitude = -magnitude if signed and negative else magnitude
    transform = policy(interpolation=v2.InterpolationMode.BICUBIC)  # as images of this size
    return np.asarray(
        transform._apply_image_or_video_transform(
            image, THEIRS[name], magnitude, transform.interpolation, transform._fill
        )
    )


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    "policy, full", [(v2.RandAugment, RAND), (v2.TrivialAugmentWide, TRIVIAL)], ids=["rand", "trivial"]
)
def test_each_operation_is_torchvisions(name: str, policy: type, full: Strengths) -> None:
    """Those that move the picture are so where torchvision shows the picture; beyond, it is mirrored instead of black."""
    pixels = np.maximum(picture(64, 48), 1)
    for bin_, negative in ((9, False), (9, True), (20, False), (20, True)):
        image = Image.fromarray(pixels)
        ours = np.asarray(apply_operation(image, name, full, bin_ / 30, Sign(negative)))
        wanted = theirs(policy, name, image, bin_ / 30, negative)
        seen = np.ones(wanted.shape[:2], bool)
        if name in MOVING:
            white = Image.fromarray(theirs(policy, name, Image.new("L", image.size, 255), bin_ / 30, negative))
            seen = (
                np.asarray(white.filter(ImageFilter.MinFilter(5))) == 255
            )  # the interpolation sees two pixels further
            assert seen.mean() > 0.1
        assert np.abs(ours.astype(int) - wanted)[seen].max() <= 1


def test_the_list_is_torchvisions() -> None:
    assert (
        set(THEIRS.values())
        == set(v2.RandAugment._AUGMENTATION_SPACE)
        == set(v2.TrivialAugmentWide._AUGMENTATION_SPACE)
    )
    assert tuple(THEIRS) == OPERATIONS


@pytest.mark.parametrize("policy", ["rand", "trivial"])
def test_the_seed_alone_decides(policy: str) -> None:
    augment = make_transform(Augmentation.model_validate({"preset": "none", "automatic": policy}))
    state = torch.get_rng_state()
    made = [augment(picture(), seed).tobytes() for seed in range(30)]
    assert made == [augment(picture(), seed).tobytes() for seed in range(30)]
    assert len(set(made)) > 15
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_hardly_any_pixels_are_enough(size: tuple[int, int]) -> None:
    image = Image.fromarray(np.full((*size, 3), 90, np.uint8))
    for seed in range(60):
        assert automatic(image, "trivial", Random(seed)).size == image.size


def test_rand_does_two_things_and_trivial_one(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Counter[tuple[str, float]]()

    def noted(image: Image.Image, name: str, _: Strengths, share: float, __: Random) -> Image.Image:
        done[name, share] += 1
        return image

    monkeypatch.setattr("tellapart.training.augmentation.automatic.apply_operation", noted)
    for seed in range(300):
        automatic(Image.new("RGB", (4, 4)), "rand", Random(seed))
    assert done.total() == 600
    assert set(done) == {(name, 0.3) for name in OPERATIONS}
    done.clear()
    for seed in range(300):
        automatic(Image.new("RGB", (4, 4)), "trivial", Random(seed))
    assert done.total() == 300
    assert len({share for _, share in done}) == 31
