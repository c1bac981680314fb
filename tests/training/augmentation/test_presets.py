"""Presets fill every field, are changed field by field, and say in sentences what they do."""

from __future__ import annotations

from typing import get_args

import pytest

from tellapart.settings.recipe import Augmentation, Preset
from tellapart.training.augmentation.presets import FOR, PRESETS, explain, resolved


def test_there_is_one_of_each_name_with_all_fields_filled() -> None:
    assert tuple(PRESETS) == tuple(FOR) == get_args(Preset)
    for name, preset in PRESETS.items():
        assert preset.preset == name
        assert None not in preset.model_dump().values()
        assert Augmentation.model_validate(preset.model_dump()) == preset


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_given_differs_and_the_rest_is_the_presets(name: Preset) -> None:
    changed = resolved(Augmentation(preset=name, hue=0.07, quarter_turns=True, automatic="trivial", mixup=0.0))
    assert changed.model_dump() == {
        **PRESETS[name].model_dump(),
        "hue": 0.07,
        "quarter_turns": True,
        "automatic": "trivial",
        "mixup": 0.0,
    }
    assert resolved(changed) == changed


def test_the_situations_get_what_they_need() -> None:
    colour, orientation, defects = (
        PRESETS[name] for name in ("colour-matters", "orientation-matters", "small-defects")
    )
    assert (colour.hue, colour.automatic, colour.mixup) == (0, "none", 0)
    assert (orientation.horizontal_flip, orientation.vertical_flip, orientation.quarter_turns) == (0, 0, False)
    assert (defects.crop, defects.erasing, defects.blur, defects.rotation_degrees) == (1, 0, 0, 0)
    assert (defects.mixup, defects.cutmix, defects.automatic, defects.quarter_turns) == (0, 0, "none", True)


def test_none_says_so() -> None:
    assert explain(Augmentation(preset="none")) == [
        "none: to compare with, and where the images already vary as much as they ever will",
        "keeps everything",
        "changes nothing",
    ]


def test_a_preset_says_what_it_keeps_and_changes() -> None:
    assert explain(Augmentation(preset="small-defects")) == [
        "small-defects: for faults of a few pixels on parts that may lie any way round: scratches, pores, cracks",
        "keeps the whole picture, hue nearly, sharpness, each image by itself",
        "mirrors 50 % of the images left to right; mirrors 50 % upside down; turns each by 0, 90, 180 or 270°; changes "
        "brightness and contrast by up to 15 %; changes saturation by up to 10 %; turns hues by up to 3.6° of 360",
    ]


def test_what_somebody_changed_is_told_and_counts() -> None:
    asked = Augmentation(preset="orientation-matters", rotation_degrees=90, erasing=0.5, automatic="trivial", cutmix=1)
    told, keeps, changes = explain(asked)
    assert told.endswith("; here with rotation_degrees 90, erasing 0.5, automatic trivial, cutmix 1")
    assert keeps == "keeps nothing that can be relied on"
    assert "turns by up to 90° either way" in changes
    assert "does one more thing to each, of any strength (TrivialAugment)" in changes
    assert changes.endswith("pastes a rectangle of another image into each (CutMix, alpha 1)")


def test_both_ways_of_mixing_are_alternatives() -> None:
    changes = explain(Augmentation(preset="none", mixup=0.2, cutmix=1))[2]
    assert changes == (
        "lays another image over each (mixup, alpha 0.2) or pastes a rectangle of another image into each (CutMix, alpha 1)"
    )


def test_trivial_augment_turns_pictures_over() -> None:
    assert explain(Augmentation(preset="none", automatic="rand"))[1] == (
        "keeps which side is left, which side is up, each image by itself"
    )
    assert explain(Augmentation(preset="none", automatic="trivial"))[1] == "keeps each image by itself"
