"""Frozen dataclasses to plain JSON values and back, led by the field types, so that no class writes its own twice."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")
_DIGITS = 8


def to_plain(value: Any) -> Any:
    """Dataclasses become objects, tuples lists, floats are rounded to 8 decimals, NaN and infinity become None."""
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return {name: to_plain(getattr(value, name)) for name in _hints(typing.cast(Any, type(value)))}


def from_plain(cls: type[T], value: Any) -> T:
    """Inverse of `to_plain`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: when the value does not have the shape of `cls`.
    """
    return typing.cast(T, _build(cls, value))


def _build(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = _hints(typing.cast(type, kind))
        return typing.cast(type, kind)(**{name: _build(hint, value[name]) for name, hint in hints.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _build(next(a for a in arguments if a is not types.NoneType), value)
    if origin is tuple:
        return tuple(_build(arguments[0], item) for item in value)
    if origin is dict:
        return {str(key): _build(arguments[1], item) for key, item in value.items()}
    return kind(value)


@lru_cache(maxsize=64)
def _hints(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}
