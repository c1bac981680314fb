"""Whether a line of a journal has all that is read of it: files may have been edited, or copied in part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tellapart.errors import SpecError
from tellapart.records.roi import Roi

_TEXTS = ("decisionId", "subject", "track", "state", "rule", "because", "policy")


def is_entry(value: Any) -> bool:
    """A decision with `was` and `images`, each of its kind."""
    if not isinstance(value, Mapping) or not all(isinstance(value.get(name), str) for name in _TEXTS):
        return False
    if not all(_is_time(value.get(name)) for name in ("at", "since")):
        return False
    if not all(_are_texts(value.get(name)) for name in ("evidence", "models")):
        return False
    if value.get("final") and "episode" not in value:
        return False
    images = value.get("images")
    return _is_past(value.get("was")) and isinstance(images, list) and all(map(_is_image, images))


def _is_past(was: Any) -> bool:
    if was is None:
        return True
    return isinstance(was, Mapping) and isinstance(was.get("state"), str) and _is_time(was.get("since"))


def _is_image(one: Any) -> bool:
    if not isinstance(one, Mapping) or not all(isinstance(one.get(name), str) for name in ("id", "camera", "uri")):
        return False
    confidences = one.get("confidences")
    if not isinstance(confidences, Mapping) or not all(map(_is_number, confidences.values())):
        return False
    if one.get("unknown") and not _is_number(one.get("oodScore")):
        return False
    return _is_time(one.get("at")) and _are_texts(one.get("predicted")) and _is_region(one)


def _is_region(one: Mapping[str, Any]) -> bool:
    try:
        return "region" not in one or bool(Roi.from_json(one["region"]))
    except (SpecError, KeyError, TypeError, ValueError, AttributeError):
        return False


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_time(value: Any) -> bool:
    """Seconds since 1970 up to the year 9999."""
    return _is_number(value) and 0 <= value < 253_402_300_800


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
