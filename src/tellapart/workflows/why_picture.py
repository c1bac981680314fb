"""The picture of a decision."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, ImageError, Reason
from tellapart.files import replacing
from tellapart.image.decode import decode
from tellapart.image.encode import encode_png
from tellapart.image.story import MOST_SHOTS, WIDTH_PX, Shot, story
from tellapart.image.timeline import Span, timeline
from tellapart.workflows.why_images import Behind
from tellapart.workflows.why_nearby import nearby
from tellapart.workflows.why_sentences import clock, heading

if TYPE_CHECKING:
    from tellapart.workflows.why import Explanation

_CURVES, _LEAST_MARGIN_S = 6, 2.0
_LEAST = 0.02
"""Labels that never came to more are not drawn, unless a rule has a threshold for them."""
_GONE = {"deleted": "deleted: it was kept no longer", "not kept": "this image was not kept", "kept": "cannot be read"}


def write_picture(found: Explanation, path: Path) -> None:
    """PNG; whole or not at all.

    Raises:
        DataError: `write_failed`.
    """
    shots = [_shot(one) for one in found.images[-MOST_SHOTS:]]
    told = list(heading(found.decision, found.images, found.rule))
    if len(found.images) > len(shots):
        told.append(f"The last {len(shots)} of {len(found.images)} images are shown.")
    drawn = story(told, shots, _chart(found))
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(encode_png(drawn))
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc


def _shot(one: Behind) -> Shot:
    pixels: NDArray[np.uint8] | None = None
    if one.file is not None:
        with suppress(ImageError, OSError):
            pixels = decode(one.file.read_bytes()).pixels
    pairs = sorted(one.confidences.items(), key=lambda pair: (-pair[1], pair[0]))[:2]
    said = ", ".join(f"{name} {p:.1%}" for name, p in pairs)
    return Shot(pixels, one.roi, (f"{clock(one.at_s)}  {one.where}", f"{one.answer} ({said})"), _GONE[one.fate])


def _chart(found: Explanation) -> NDArray[np.uint8]:
    at_s = float(found.decision["at"])
    times = [at_s, *(one.at_s for one in found.images)]
    margin = max(0.5 * (max(times) - min(times)), _LEAST_MARGIN_S)
    from_s, to_s = min(times) - margin, max(times) + margin
    curves, thresholds = _curves(found, from_s, to_s)
    return timeline(
        curves,
        thresholds,
        _spans(found.near, found.decision, from_s, to_s),
        decided_s=at_s,
        large=frozenset(one.at_s for one in found.images),
        from_s=from_s,
        to_s=to_s,
        width_px=WIDTH_PX,
    )


def _curves(
    found: Explanation, from_s: float, to_s: float
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, tuple[float, ...]]]:
    """Labels that rules name first, then those that were ever likely, each region for itself; and their thresholds."""
    of_rules = {} if found.rule is None else found.rule.thresholds
    said = {(one.at_s, str(one.told["id"])): one.confidences for one in found.images}
    for near in nearby(found.folder, found.images, from_s, to_s):
        said.setdefault((near.at_s, near.id), dict(near.confidences))
    places = {name.rpartition("@")[0] for _, name in said}
    curves: dict[str, list[tuple[float, float]]] = {}
    thresholds: dict[str, tuple[float, ...]] = {}
    for (at_s, identity), confidences in sorted(said.items()):
        for label, p in confidences.items():
            name = label if len(places) == 1 else f"{label}, {identity.rpartition('@')[0]}"
            curves.setdefault(name, []).append((at_s, p))
            if label in of_rules:
                thresholds[name] = of_rules[label]
    highest = {name: max(p for _, p in points) for name, points in curves.items()}
    order = sorted(
        (name for name in curves if name in thresholds or highest[name] >= _LEAST),
        key=lambda name: (name not in thresholds, -highest[name], name),
    )
    return {name: curves[name] for name in order[:_CURVES]}, thresholds


def _spans(near: Any, decision: Any, from_s: float, to_s: float) -> list[Span]:
    """The states that held, each until the next one; what came before the first entry is told by it."""
    entries = sorted(near, key=lambda one: float(one["at"])) or [decision]
    spans = []
    was = entries[0].get("was")
    if was is not None:
        spans.append(Span(str(was["state"]), float(was["since"]), float(entries[0]["at"])))
    for one, following in zip(entries, [*entries[1:], None], strict=True):
        end_s = to_s if following is None else float(following["at"])
        spans.append(Span(str(one["state"]), float(one["at"]), end_s))
    return [one for one in spans if one.end_s > from_s and one.start_s < to_s]
