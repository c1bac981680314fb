"""Preprocess strings: `step|step(value,option=value)`, read with all faults at once and written canonically."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tellapart.errors import Reason, SpecError
from tellapart.image.colour import Rgb
from tellapart.image.geometry import BLACK, DEFAULT_INTERPOLATION, INTERPOLATIONS, Fit, Geometry, ResizeShort, Squash
from tellapart.image.intensity import Intensity
from tellapart.records import Roi

if TYPE_CHECKING:
    from tellapart.image.preprocess import PreprocessSpec

_MAX_SIDE = 16384
_STEP = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*", re.ASCII)
_INTEGER = re.compile(r"\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(slots=True)
class _Step:
    """One step as written: what stands before any `=` are `values`, the rest `options`."""

    name: str
    values: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


class _FaultError(Exception):
    """One sentence about one step; collected, never raised to the caller."""


def parse_spec(text: str) -> dict[str, Any]:
    """Fields of a `PreprocessSpec`, as keyword arguments.

    Raises:
        SpecError: bad_spec.
    """
    faults: list[str] = []
    steps = _split(text, faults)
    read: dict[str, Any] = {}
    for step in steps:
        try:
            read[step.name] = _READERS[step.name](step)
        except (_FaultError, SpecError) as exc:
            faults.append(str(exc))
    faults += _order_faults([step.name for step in steps])
    if not faults:
        faults += _crop_faults(read)
    if faults:
        raise SpecError(Reason.BAD_SPEC, _sentence(text, faults))
    return {
        "geometry": _geometry(read),
        "upright": "upright" in read,
        "intensity": read.get("intensity"),
        "roi": read.get("roi"),
        **read["decode"],
    }


def _sentence(text: str, faults: list[str]) -> str:
    shown = repr(text if len(text) <= 200 else text[:197] + "...")
    if len(faults) == 1:
        return f"preprocess string {shown}: {faults[0]}"
    return f"preprocess string {shown} has {len(faults)} faults: " + "; ".join(faults)


def _split(text: str, faults: list[str]) -> list[_Step]:
    steps = []
    for part in text.split("|"):
        match = _STEP.fullmatch(part)
        if match is None:
            faults.append(f"expected step or step(value,option=value), got {part.strip()!r}")
        elif match[1] not in _READERS:
            faults.append(f"unknown step {match[1]!r}{_suggestion(match[1], _READERS)}")
        else:
            steps.append(_arguments(match[1], match[2] or "", faults))
    return steps


def _arguments(name: str, text: str, faults: list[str]) -> _Step:
    step = _Step(name)
    for argument in text.split(",") if text.strip() else []:
        key, equals, value = (part.strip() for part in argument.partition("="))
        if not equals:
            step.values.append(key)
        elif key in step.options:
            faults.append(f"{name} has the option {key!r} twice")
        else:
            step.options[key] = value
    return step


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), known, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    return f"{hint} (known: {', '.join(known)})"


# --- order and company of the steps -----------------------------------------------------------------------------------

_RANK = {
    "decode": 0,
    "upright": 1,
    "intensity": 2,
    "roi": 3,
    "fit": 4,
    "squash": 4,
    "resize_short": 4,
    "center_crop": 5,
}


def _order_faults(names: list[str]) -> list[str]:
    faults = [f"{name} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    sizing = [name for name in dict.fromkeys(names) if _RANK[name] == 4]
    if "decode" not in names:
        faults.append("the first step, decode, is missing")
    if not sizing:
        faults.append("a step that sets the size is missing: fit, squash, or resize_short with center_crop")
    if len(sizing) > 1:
        faults.append(f"one step sets the size, got {' and '.join(sizing)}")
    ranks = [_RANK[name] for name in names]
    if ranks != sorted(ranks):
        right = "|".join(sorted(dict.fromkeys(names), key=lambda name: _RANK[name]))
        faults.append(f"the steps stand in another order: {right}")
    if sizing == ["fit"] and "center_crop" in names:
        faults.append("fit keeps the whole image, so center_crop cannot follow it; use resize_short")
    if sizing == ["resize_short"] and "center_crop" not in names:
        faults.append(
            "resize_short leaves the long side open; add center_crop(size), or use fit to keep the whole image"
        )
    return faults


def _crop_faults(read: dict[str, Any]) -> list[str]:
    if "center_crop" not in read:
        return []
    width, height = read["center_crop"]
    name = "squash" if "squash" in read else "resize_short"
    most_width, most_height = read[name][0]
    if width <= most_width and height <= most_height:
        return []
    return [f"center_crop({_size_text(width, height)}) is larger than what {name} leaves ({most_width}x{most_height})"]


def _geometry(read: dict[str, Any]) -> Geometry:
    if "fit" in read:
        (width, height), options = read["fit"]
        return Fit(width, height, options["background"], options["interpolation"])
    crop = read.get("center_crop")
    if "squash" in read:
        (width, height), options = read["squash"]
        return Squash(width, height, options["interpolation"], None if crop == (width, height) else crop)
    (short, _), options = read["resize_short"]
    return ResizeShort(short, read["center_crop"], options["interpolation"])


# --- one reader per step ----------------------------------------------------------------------------------------------


def _read_options(step: _Step, readers: Mapping[str, Callable[[str], Any]], defaults: dict[str, Any]) -> dict[str, Any]:
    for key in step.options:
        if key not in readers:
            known = _suggestion(key, readers) if readers else f" ({step.name} has no options)"
            raise _FaultError(f"{step.name} has no option {key!r}{known}")
    try:
        return defaults | {key: readers[key](value) for key, value in step.options.items()}
    except _FaultError as exc:
        raise _FaultError(f"{step.name}: {exc}") from None


def _expect_values(step: _Step, count: int, example: str) -> None:
    if len(step.values) != count:
        raise _FaultError(f"expected {example}, got {_as_written(step)}")


def _as_written(step: _Step) -> str:
    arguments = [*step.values, *(f"{key}={value}" for key, value in step.options.items())]
    return f"{step.name}({','.join(arguments)})" if arguments else step.name


def _decode(step: _Step) -> dict[str, Any]:
    _expect_values(step, 0, "decode or decode(background=#rrggbb,frame=n)")
    return _read_options(step, {"background": _colour, "frame": _whole}, {"background": BLACK, "frame": 0})


def _upright(step: _Step) -> bool:
    _expect_values(step, 0, "upright")
    _read_options(step, {}, {})
    return True


def _intensity(step: _Step) -> Intensity:
    _expect_values(step, 0, "intensity(range=low:high) or intensity(percentile=low:high)")
    _read_options(step, {"range": str, "percentile": str}, {})
    if len(step.options) != 1:
        raise _FaultError(
            f"expected intensity(range=low:high) or intensity(percentile=low:high), got {_as_written(step)}"
        )
    ((key, value),) = step.options.items()
    parts = [part.strip() for part in value.split(":")]
    if len(parts) != 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise _FaultError(
            f"intensity: {key} is written low:high, for example range=0:4095 or percentile=1:99, got {value!r}"
        )
    kind: Literal["range", "percentile"] = "range" if key == "range" else "percentile"
    return Intensity(kind, float(parts[0]), float(parts[1]))


def _roi(step: _Step) -> Roi:
    _read_options(step, {}, {})
    if len(step.values) < 4 or len(step.values) % 2 or not all(_NUMBER.fullmatch(value) for value in step.values):
        raise _FaultError(
            f"expected roi(x0,y0,x1,y1) or a polygon roi(x,y,x,y,x,y,…), each in 0–1, got {_as_written(step)}"
        )
    numbers = [float(value) for value in step.values]
    return Roi(tuple(zip(numbers[::2], numbers[1::2], strict=True)))


def _fit(step: _Step) -> tuple[tuple[int, int], dict[str, Any]]:
    _expect_values(step, 1, "fit(size) or fit(width x height)")
    defaults = {"background": BLACK, "interpolation": DEFAULT_INTERPOLATION}
    return _size(step), _read_options(step, {"background": _colour, "interpolation": _interpolation}, defaults)


def _squash(step: _Step) -> tuple[tuple[int, int], dict[str, Any]]:
    _expect_values(step, 1, "squash(size) or squash(width x height)")
    return _size(step), _read_options(step, {"interpolation": _interpolation}, {"interpolation": DEFAULT_INTERPOLATION})


def _resize_short(step: _Step) -> tuple[tuple[int, int], dict[str, Any]]:
    _expect_values(step, 1, "resize_short(size)")
    if not _INTEGER.fullmatch(step.values[0]):
        raise _FaultError(f"resize_short takes one whole number, the length of the short side, got {step.values[0]!r}")
    return _size(step), _read_options(step, {"interpolation": _interpolation}, {"interpolation": DEFAULT_INTERPOLATION})


def _center_crop(step: _Step) -> tuple[int, int]:
    if "interpolation" in step.options:
        raise _FaultError("center_crop does not resize; write the interpolation at the step before it")
    _expect_values(step, 1, "center_crop(size) or center_crop(width x height)")
    _read_options(step, {}, {})
    return _size(step)


_READERS: dict[str, Callable[[_Step], Any]] = {
    "decode": _decode,
    "upright": _upright,
    "intensity": _intensity,
    "roi": _roi,
    "fit": _fit,
    "squash": _squash,
    "resize_short": _resize_short,
    "center_crop": _center_crop,
}


# --- values -----------------------------------------------------------------------------------------------------------


def _size(step: _Step) -> tuple[int, int]:
    parts = [part.strip() for part in step.values[0].lower().split("x")]
    if len(parts) > 2 or not all(_INTEGER.fullmatch(part) and 1 <= int(part) <= _MAX_SIDE for part in parts):
        raise _FaultError(
            f"{step.name}: a size is a whole number or width x height, each 1 to {_MAX_SIDE}, got {step.values[0]!r}"
        )
    return int(parts[0]), int(parts[-1])


def _colour(text: str) -> Rgb:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise _FaultError(f"a colour is written #rrggbb, for example #ffffff, got {text!r}")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _whole(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise _FaultError(f"a frame is a whole number, counted from 0, got {text!r}")
    return int(text)


def _interpolation(text: str) -> str:
    if text not in INTERPOLATIONS:
        raise _FaultError(f"unknown interpolation {text!r}{_suggestion(text, INTERPOLATIONS)}")
    return text


# --- writing ----------------------------------------------------------------------------------------------------------


def format_spec(spec: PreprocessSpec) -> str:
    """Canonical text of a spec: fixed order of steps and options, defaults left out."""
    parts = [_step("decode", background=_hex(spec.background), frame=str(spec.frame) if spec.frame else "")]
    if spec.upright:
        parts.append("upright")
    if spec.intensity:
        bounds = f"{_number(spec.intensity.low)}:{_number(spec.intensity.high)}"
        parts.append(_step("intensity", **{spec.intensity.kind: bounds}))
    if spec.roi:
        parts.append(_step("roi", *(_number(value) for point in spec.roi.points for value in point)))
    return "|".join(parts + _format_geometry(spec.geometry))


def _format_geometry(geometry: Geometry) -> list[str]:
    interpolation = geometry.interpolation if geometry.interpolation != DEFAULT_INTERPOLATION else ""
    if isinstance(geometry, Fit):
        size = _size_text(geometry.width, geometry.height)
        return [_step("fit", size, background=_hex(geometry.background), interpolation=interpolation)]
    if isinstance(geometry, Squash):
        first = _step("squash", _size_text(geometry.width, geometry.height), interpolation=interpolation)
    else:
        first = _step("resize_short", str(geometry.short), interpolation=interpolation)
    return [first, _step("center_crop", _size_text(*geometry.crop))] if geometry.crop else [first]


def _step(name: str, *values: str, **options: str) -> str:
    arguments = [*values, *(f"{key}={value}" for key, value in options.items() if value)]
    return f"{name}({','.join(arguments)})" if arguments else name


def _size_text(width: int, height: int) -> str:
    return str(width) if width == height else f"{width}x{height}"


def _hex(colour: Rgb) -> str:
    return "" if colour == BLACK else "#{:02x}{:02x}{:02x}".format(*colour)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
