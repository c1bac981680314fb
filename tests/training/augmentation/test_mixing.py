"""Mixup and CutMix: targets say what the pixels show, for one label per image and for several."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tellapart.settings.recipe import Augmentation  # noqa: E402
from tellapart.training.augmentation.mixing import Mixer, make_mixer  # noqa: E402


def mixer(**alphas: float) -> Mixer:
    made = make_mixer(Augmentation.model_validate({"preset": "none", **alphas}), 3, False)
    assert made is not None
    return made


def levels(n: int = 5, side: int = 16) -> torch.Tensor:
    """float (n, 3, side, side): image i is i everywhere."""
    return torch.arange(float(n))[:, None, None, None].expand(n, 3, side, side).clone()


def test_presets_without_mixing_have_no_mixer() -> None:
    assert make_mixer(Augmentation(preset="standard"), 3, False) is None
    assert make_mixer(Augmentation(preset="strong", mixup=0, cutmix=0), 3, False) is None
    assert make_mixer(Augmentation(preset="strong"), 3, True) is not None


@pytest.mark.parametrize("alphas", [{"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}])
def test_targets_are_the_shares_of_the_pixels(alphas: dict[str, float]) -> None:
    """With image i being i everywhere, the mean of a mixture and its targets name the same number."""
    mix, images, targets = mixer(**alphas), levels(), torch.eye(5)
    for seed in range(40):
        mixed, soft = mix(images, targets, seed)
        torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), soft @ torch.arange(5.0), atol=1e-4, rtol=0)
        torch.testing.assert_close(soft.sum(1), torch.ones(5))
    torch.testing.assert_close(images, levels())
    torch.testing.assert_close(targets, torch.eye(5))


def test_with_several_labels_each_stays_as_common_as_it_is() -> None:
    targets = torch.tensor([[1.0, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0]])
    for alphas in ({"mixup": 1.0}, {"cutmix": 1.0}):
        for seed in range(20):
            _, soft = mixer(**alphas)(levels(4), targets, seed)
            torch.testing.assert_close(soft.mean(0), targets.mean(0))
            assert soft.min() >= 0
            assert soft.max() <= 1


def test_a_batch_of_one_image_stays_as_it_is() -> None:
    images, targets = levels(1), torch.ones(1, 3)
    for alphas in ({"mixup": 1.0}, {"cutmix": 1.0}):
        mixed, soft = mixer(**alphas)(images, targets, 0)
        assert mixed is images
        assert soft is targets


def test_every_image_meets_another_one() -> None:
    for seed in range(30):
        _, soft = mixer(mixup=1.0)(levels(2), torch.eye(2), seed)
        assert (soft > 0).all()


def test_the_seed_alone_decides() -> None:
    mix, state = mixer(mixup=0.2, cutmix=1.0), torch.get_rng_state()
    images, targets = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.eye(4)
    first = [mix(images, targets, seed) for seed in range(20)]
    for seed, (mixed, soft) in enumerate(first):
        again, same = mix(images, targets, seed)
        assert torch.equal(again, mixed)
        assert torch.equal(same, soft)
    assert len({mixed.numpy().tobytes() for mixed, _ in first}) == 20
    assert torch.equal(torch.get_rng_state(), state)


def test_both_ways_come_about_as_often() -> None:
    mix = mixer(mixup=1.0, cutmix=1.0)
    pasted = sum(bool((mix(levels(2), torch.eye(2), seed)[0] % 1 == 0).all()) for seed in range(200))
    assert 70 < pasted < 130


@pytest.mark.parametrize("alphas", [{"mixup": 1.0}, {"cutmix": 1.0}])
def test_layout_and_type_are_kept(alphas: dict[str, float]) -> None:
    images = levels().contiguous(memory_format=torch.channels_last)
    assert mixer(**alphas)(images, torch.eye(5), 1)[0].is_contiguous(memory_format=torch.channels_last)
    mixed, soft = mixer(**alphas)((levels() * 50).to(torch.uint8), torch.eye(5), 1)
    assert mixed.dtype == torch.uint8
    torch.testing.assert_close(mixed.float().mean(dim=(1, 2, 3)), soft @ torch.arange(5.0) * 50, atol=0.51, rtol=0)


def test_cutmix_of_the_smallest_images() -> None:
    for seed in range(30):
        mixed, soft = mixer(cutmix=1.0)(levels(3, 1), torch.eye(3), seed)
        torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), soft @ torch.arange(3.0))
