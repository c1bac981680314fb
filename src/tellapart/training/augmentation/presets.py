"""Augmentations by situation, and what each keeps and changes, in sentences. Loads no torch."""

from __future__ import annotations

from tellapart.settings.recipe import Augmentation, Preset
from tellapart.training.augmentation.explanation import changes, keeps

_OFF = Augmentation(
    preset="none",
    horizontal_flip=0.0,
    vertical_flip=0.0,
    quarter_turns=False,
    rotation_degrees=0.0,
    crop=1.0,
    brightness=0.0,
    saturation=0.0,
    hue=0.0,
    blur=0.0,
    erasing=0.0,
    automatic="none",
    mixup=0.0,
    cutmix=0.0,
)


def _preset(name: Preset, **differs: object) -> Augmentation:
    return _OFF.model_copy(update={"preset": name, **differs})


PRESETS: dict[str, Augmentation] = {
    "none": _OFF,
    "light": _preset("light", horizontal_flip=0.5, crop=0.8, brightness=0.1, saturation=0.1),
    "standard": _preset(
        "standard",
        horizontal_flip=0.5,
        rotation_degrees=10.0,
        crop=0.6,
        brightness=0.2,
        saturation=0.2,
        hue=0.02,
        erasing=0.1,
    ),
    "strong": _preset(
        "strong",
        horizontal_flip=0.5,
        crop=0.35,
        brightness=0.2,
        saturation=0.2,
        hue=0.02,
        blur=0.1,
        erasing=0.25,
        automatic="rand",
        mixup=0.2,
        cutmix=1.0,
    ),
    "colour-matters": _preset(
        "colour-matters",
        horizontal_flip=0.5,
        rotation_degrees=10.0,
        crop=0.6,
        brightness=0.05,
        saturation=0.05,
        blur=0.1,
        erasing=0.1,
    ),
    "orientation-matters": _preset(
        "orientation-matters",
        rotation_degrees=5.0,
        crop=0.8,
        brightness=0.2,
        saturation=0.2,
        hue=0.02,
        blur=0.1,
    ),
    "small-defects": _preset(
        "small-defects",
        horizontal_flip=0.5,
        vertical_flip=0.5,
        quarter_turns=True,
        brightness=0.15,
        saturation=0.1,
        hue=0.01,
    ),
}
"""Every preset with all its fields filled."""

FOR: dict[str, str] = {
    "none": "to compare with, and where the images already vary as much as they ever will",
    "light": "for a short training on frozen or nearly frozen networks, and for images from a fixed camera",
    "standard": "for photos of things that may stand anywhere in the picture and look alike from left and right",
    "strong": "for long trainings, trainings from scratch and few images of everyday things",
    "colour-matters": "where colour is what tells classes apart: uniforms and vests, wires, ripeness, stains",
    "orientation-matters": "where left, right, up or down tells classes apart: text, arrows, mounted parts, chest X-rays",
    "small-defects": "for faults of a few pixels on parts that may lie any way round: scratches, pores, cracks",
}
"""The situation that each preset is for."""


def resolved(augmentation: Augmentation) -> Augmentation:
    """The same with every field filled: what is None comes from the preset."""
    own = augmentation.model_dump(exclude_none=True)
    return PRESETS[augmentation.preset].model_copy(update=own)


def explain(augmentation: Augmentation) -> list[str]:
    """What it is for and what differs from the preset, what it keeps, what it changes: three sentences without a stop."""
    full, plain = resolved(augmentation), PRESETS[augmentation.preset]
    differs = [name for name in Augmentation.model_fields if getattr(full, name) != getattr(plain, name)]
    told = ", ".join(f"{name} {_written(getattr(full, name))}" for name in differs)
    return [f"{full.preset}: {FOR[full.preset]}{f'; here with {told}' if told else ''}", keeps(full), changes(full)]


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
