"""What an augmentation keeps of a picture and what it changes, in sentences made of its own numbers."""

from __future__ import annotations

from collections.abc import Iterator

from tellapart.settings.recipe import Augmentation

# Up to here a change is hardly to be seen.
_NEARLY, _NEARLY_HUE = 0.05, 0.01
# Beyond this nobody knows what was up.
_UPRIGHT_DEGREES = 45
_NOTHING = "changes nothing"


def keeps(full: Augmentation) -> str:
    """`keeps left and right, …`, of an augmentation with all fields filled."""
    if changes(full) == _NOTHING:
        return "keeps everything"
    return f"keeps {', '.join(_kept(full)) or 'nothing that can be relied on'}"


def changes(full: Augmentation) -> str:
    """`changes nothing`, or `mirrors 50 % of the images left to right; turns …`."""
    return "; ".join((*_moved(full), *_recoloured(full), *_covered(full))) or _NOTHING


def _kept(full: Augmentation) -> Iterator[str]:
    turned = max(180 * bool(full.quarter_turns), full.rotation_degrees or 0, 135 * (full.automatic == "trivial"))
    if full.horizontal_flip == 0 and turned < _UPRIGHT_DEGREES:
        yield "which side is left"
    if full.vertical_flip == 0 and turned < _UPRIGHT_DEGREES:
        yield "which side is up"
    if full.automatic == "none":
        yield from _kept_of_each_image(full)
    if full.mixup == 0 and full.cutmix == 0:
        yield "each image by itself"


def _kept_of_each_image(full: Augmentation) -> Iterator[str]:
    if full.crop == 1:
        yield "the whole picture"
    yield from filter(None, (_steady("hue", full.hue, _NEARLY_HUE), _steady("saturation", full.saturation, _NEARLY)))
    yield from filter(None, [_steady("brightness and contrast", full.brightness, _NEARLY)])
    if full.blur == 0 and full.rotation_degrees == 0:
        yield "sharpness"


def _steady(name: str, amount: float | None, most: float) -> str:
    return name if not amount else f"{name} nearly" if amount <= most else ""


def _moved(full: Augmentation) -> Iterator[str]:
    if full.horizontal_flip:
        yield f"mirrors {_percent(full.horizontal_flip)} of the images left to right"
    if full.vertical_flip:
        yield f"mirrors {_percent(full.vertical_flip)} upside down"
    if full.quarter_turns:
        yield "turns each by 0, 90, 180 or 270°"
    if full.rotation_degrees:
        yield f"turns by up to {full.rotation_degrees:g}° either way"
    if full.crop is not None and full.crop < 1:
        yield f"cuts off up to {_percent(1 - full.crop)} of the area"


def _recoloured(full: Augmentation) -> Iterator[str]:
    if full.brightness:
        yield f"changes brightness and contrast by up to {_percent(full.brightness)}"
    if full.saturation:
        yield f"changes saturation by up to {_percent(full.saturation)}"
    if full.hue:
        yield f"turns hues by up to {full.hue * 360:.3g}° of 360"
    if full.automatic == "rand":
        yield "does two more things to each, of middling strength (RandAugment): shifts, shears, turns, colours"
    if full.automatic == "trivial":
        yield "does one more thing to each, of any strength (TrivialAugment): shifts, shears, turns, colours"


def _covered(full: Augmentation) -> Iterator[str]:
    if full.blur:
        yield f"blurs {_percent(full.blur)}"
    if full.erasing:
        yield f"erases a rectangle in {_percent(full.erasing)}"
    ways = [f"lays another image over each (mixup, alpha {full.mixup:g})"] if full.mixup else []
    ways += [f"pastes a rectangle of another image into each (CutMix, alpha {full.cutmix:g})"] if full.cutmix else []
    yield from filter(None, [" or ".join(ways)])


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
