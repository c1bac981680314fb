"""Pictures that went wrong: empty, too dark, too bright, without contrast, blurred, tiny, oddly long.

An image is judged against fixed limits and against the set it lies in: a set of night shots is dark, and no image of it is.
Distances are in robust standard deviations (median and median absolute deviation) of the set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Proposal, Severity
from tellapart.data.hygiene.wording import count
from tellapart.image.quality import FIELDS

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Less than half a grey level of spread: nothing is on the image.
_EMPTY = 0.5 / 255
# Of 20,000 images of CIFAR-10 and 10,000 of Tiny ImageNet one is as far out, a blurred jellyfish. The others reach 4.6 in
# brightness, 5.7 in blur, 7.1 in (logarithmic) contrast.
_FAR, _FAR_CONTRAST = 6.5, 8.0
# Beyond a fixed limit it is enough to be unusual.
_UNUSUAL = 2.5
# A night with a lamp in it, or an object before white paper, has more contrast than a failed exposure: at least 0.024 among
# those images.
_DARK, _BRIGHT, _FLAT = 0.06, 0.94, 0.02
# What rounding to 256 levels adds to the variance of a Laplacian whose squared weights sum to 20.
_ROUNDING = 20 / 12 / 255**2
# Where all images are alike (a station with fixed light), chance differences would count as many deviations.
_LEAST_SPREAD, _LEAST_LOG_SPREAD = 0.03, 0.25
_TINY_PX, _SMALL_PX, _SMALLER = 16, 100, 4
_LONG, _LONGER = 4, 2
# With fewer images nobody knows what is usual; where a tenth is so, it is.
_ENOUGH, _USUAL_SHARE = 20, 0.1
# From one image in a hundred it is a fault of the set, not an accident.
_NOTEWORTHY = 0.01


@dataclass(frozen=True, slots=True)
class _Kind:
    """One way to go wrong: `badness` (n,), higher is worse, `found` bool (n,), and what is said."""

    is_so: str
    remedy: str
    found: Mask
    badness: Float
    broken: bool = False


def find(evidence: Evidence) -> list[Finding]:
    """One finding for each kind; an image is named once, under the first that applies."""
    taken = np.zeros(len(evidence), bool)
    findings = []
    for kind in _kinds(evidence):
        found = kind.found & ~taken
        taken |= found
        if found.any():
            findings.append(_told(evidence, kind, found))
    return findings


def _kinds(evidence: Evidence) -> list[_Kind]:
    facts = dict(zip(FIELDS, evidence.statistics.T.astype(np.float64), strict=True))
    return [
        _empty(facts["contrast"]),
        *_exposure(facts["brightness"], facts["contrast"]),
        *_focus(facts),
        *_shape(facts),
    ]


def _empty(contrast: Float) -> _Kind:
    remedy = "nothing can be seen, so nothing be learned: drop what is empty"
    return _Kind("of one single colour", remedy, contrast < _EMPTY, _EMPTY - contrast, broken=True)


def _exposure(brightness: Float, contrast: Float) -> list[_Kind]:
    z, failed = _deviations(brightness, _LEAST_SPREAD), contrast < _FLAT
    remedy = "look whether the exposure failed; if so drop them or take them again"
    return [
        _Kind("much darker than the others", remedy, _outlying(-z, _FAR, failed & (brightness < _DARK)), -z),
        _Kind("much brighter than the others", remedy, _outlying(z, _FAR, failed & (brightness > _BRIGHT)), z),
    ]


def _focus(facts: dict[str, Float]) -> list[_Kind]:
    """Blur is told by how little of an image's contrast lies in its fine detail, so that faint is not blurred."""
    contrast = facts["contrast"]
    flat = -_deviations(np.log(contrast + 1e-3), _LEAST_LOG_SPREAD)
    detail = np.log(np.maximum(facts["sharpness"] - _ROUNDING, 1e-6))
    blurred = -_deviations(detail - 2 * np.log(contrast + 1e-3), _LEAST_LOG_SPREAD)
    faint = "look for fog, dirt or a wrong exposure; if so drop them or take them again"
    return [
        _Kind("almost without contrast", faint, _outlying(flat, _FAR_CONTRAST, contrast < _FLAT), flat),
        _Kind(
            "much more blurred than the others",
            "look at the focus; drop them unless new images will be as blurred",
            _outlying(blurred, _FAR),
            blurred,
        ),
    ]


def _shape(facts: dict[str, Float]) -> list[_Kind]:
    short = np.minimum(facts["width_px"], facts["height_px"])
    aspect = np.maximum(facts["width_px"], facts["height_px"]) / np.maximum(short, 1)
    smaller = _rare((short < _SMALL_PX) & (short * _SMALLER < np.median(short)))
    longer = _rare((aspect >= _LONG) & (aspect >= _LONGER * np.median(aspect)))
    return [
        _Kind(
            f"tiny, the short side under {_TINY_PX} pixels or a quarter of what is usual",
            "look for previews among the images, and put the originals in their place",
            (short < _TINY_PX) | smaller,
            -short,
        ),
        _Kind(
            f"much longer than wide, {_LONG} to 1 or more, unlike the others",
            "look for strips and panoramas; cut them to what matters",
            longer,
            aspect,
        ),
    ]


def _deviations(values: Float, least: float) -> Float:
    """Distance from the median in robust standard deviations, of at least `least`."""
    middle = np.median(values)
    spread: Float = (values - middle) / max(1.4826 * float(np.median(np.abs(values - middle))), least)
    return spread


def _outlying(z: Float, far: float, beyond: Mask | bool = False) -> Mask:
    """Far out, or beyond a fixed limit and unusual."""
    return _rare(z > far) | ((z > _UNUSUAL) & beyond & (len(z) >= _ENOUGH))


def _rare(found: Mask) -> Mask:
    """Nothing, where too many are so or there are too few to compare."""
    usual = len(found) < _ENOUGH or found.mean() > _USUAL_SHARE
    return np.zeros(len(found), bool) if usual else found


def _told(evidence: Evidence, kind: _Kind, found: Mask) -> Finding:
    rows = np.flatnonzero(found)
    rows = rows[np.argsort(-kind.badness[rows], kind="stable")]
    example = repr(evidence.dataset.uris[rows[0]])
    are, such = ("is", f": {example}") if len(rows) == 1 else ("are", f", such as {example}")
    noted = Severity.WARNING if kind.broken or len(rows) > _NOTEWORTHY * len(evidence) else Severity.NOTE
    return Finding(
        "picture_quality",
        noted,
        f"{count(len(rows), 'image')} {are} {kind.is_so}{such}",
        kind.remedy,
        rows=tuple(rows.tolist()),
        scores=tuple(kind.badness[rows].tolist()),
        figures={"images": len(rows)},
        proposals=tuple(Proposal(row, "drop") for row in rows.tolist() if kind.broken),
    )


CHECK = Check("picture_quality", "Picture quality", find)
