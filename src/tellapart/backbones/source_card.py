"""The card beside a foreign ONNX file (`net.onnx` + `net.json`): what its pixels must look like."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tellapart.errors import BackboneError, Reason

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True, slots=True)
class SourceCard:
    """How a foreign network wants its images: `(pixel * scale - mean) / std`, in the network's own channel order.

    `size` is (height, width) in pixels. `layout` "auto" reads the axis of length 3 from the graph. `embedding` is
    "auto" (the pooled features where the network ends in a global average pool, else what enters its last linear
    layer), "pooled", "penultimate", or the name of a tensor in the graph. `preprocess` overrides the preprocess
    string that is otherwise made from `size` and `interpolation` (the whole image, letterboxed).
    """

    name: str
    licence: str
    source: str
    size: tuple[int, int] = (224, 224)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    scale: float = 1 / 255
    colour: str = "RGB"
    layout: str = "auto"
    interpolation: str = "bilinear"
    embedding: str = "auto"
    preprocess: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        faults = [
            f"{name} must be {wanted}, got {getattr(self, name)!r}"
            for name, (fits, wanted) in _RULES.items()
            if not fits(getattr(self, name))
        ]
        if faults:
            message = f"the source card cannot be used: {'; '.join(faults)}"
            raise BackboneError(Reason.BACKBONE_INVALID, message)

    @property
    def spec(self) -> str:
        """The preprocess string: `preprocess`, or one that shows the network the whole image."""
        if self.preprocess:
            return self.preprocess
        height, width = self.size
        size = f"{width}" if height == width else f"{width}x{height}"
        option = "" if self.interpolation == "bilinear" else f",interpolation={self.interpolation}"
        return f"decode|upright|fit({size}{option})"

    def to_json(self) -> str:
        """The card as `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SourceCard:
        """Read a card; keys that are not its fields are refused with a suggestion.

        Raises:
            BackboneError: `backbone_invalid`, naming all faults at once.
        """
        try:
            values = json.loads(text)
        except ValueError as exc:
            raise BackboneError(Reason.BACKBONE_INVALID, f"the source card is not JSON: {exc}") from exc
        if not isinstance(values, dict):
            message = f"the source card must be a JSON object, got {type(values).__name__}"
            raise BackboneError(Reason.BACKBONE_INVALID, message)
        faults = _key_faults(set(values), {field.name for field in fields(cls)})
        if faults:
            raise BackboneError(Reason.BACKBONE_INVALID, f"the source card cannot be used: {'; '.join(faults)}")
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**given)

    @classmethod
    def beside(cls, path: Path) -> SourceCard:
        """The card of `net.onnx`, read from `net.json`.

        Raises:
            BackboneError: `backbone_invalid` when there is none, or it cannot be used.
        """
        where = path.with_suffix(".json")
        try:
            text = where.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            message = (
                f"{path} is a foreign network and needs its card {where.name!r} beside it "
                f"(name, licence, source, size, mean, std, …; see docs/backbones.md): {exc}"
            )
            raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
        return cls.from_json(text)


def _key_faults(given: set[str], known: set[str]) -> list[str]:
    import difflib

    faults = [f"{key} is missing" for key in ("name", "licence", "source") if key not in given]
    for key in sorted(given - known):
        near = difflib.get_close_matches(key, known, 1)
        faults.append(f"{key!r} is unknown" + (f", did you mean {near[0]!r}?" if near else ""))
    return faults


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _all(length: int, rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and len(value) == length and all(rule(part) for part in value)


def _one_of(*allowed: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in allowed


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_filled, "a text that is not empty"),
    "licence": (_is_filled, "a text that is not empty (an SPDX identifier)"),
    "source": (_is_filled, "a text that is not empty (where the file comes from)"),
    "size": (
        _all(2, lambda part: isinstance(part, int) and not isinstance(part, bool) and 1 <= part <= 8192),
        "[height, width] in pixels, 1 to 8192",
    ),
    "mean": (_all(3, _is_number), "three numbers"),
    "std": (_all(3, _is_positive), "three numbers above 0"),
    "scale": (_is_positive, "a number above 0"),
    "colour": (_one_of("RGB", "BGR"), "'RGB' or 'BGR'"),
    "layout": (_one_of("auto", "NCHW", "NHWC"), "'auto', 'NCHW' or 'NHWC'"),
    "interpolation": (_one_of(*INTERPOLATIONS), f"one of {', '.join(INTERPOLATIONS)}"),
    "embedding": (_is_filled, "'auto', 'pooled', 'penultimate' or the name of a tensor"),
    "preprocess": (_is_text, "a preprocess string, or nothing"),
    "notes": (_is_text, "a text"),
}
