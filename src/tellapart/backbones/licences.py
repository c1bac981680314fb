"""Which licences of weights let anybody do anything, and how the others are agreed to: by writing their name."""

from __future__ import annotations

import re

from tellapart.errors import BackboneError, Reason

FREE = frozenset(
    {
        "apache-2.0",
        "mit",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "isc",
        "bsl-1.0",
        "cc0-1.0",
        "cc-by-4.0",
        "unlicense",
        "zlib",
    }
)
"""SPDX identifiers, in small letters, of licences that allow commercial use and changes (attribution at most)."""

UNKNOWN = "unknown"

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


def normalised(licence: str | None) -> str:
    """An identifier in small letters; nothing, "none", "other" and what is no identifier become "unknown"."""
    text = (licence or "").strip().lower()
    return text if _IDENTIFIER.fullmatch(text) and text not in ("none", "other") else UNKNOWN


def strictest(*stated: str | None) -> str:
    """Of several licences that are stated for the same weights, one that is not free where there is one."""
    known = [normalised(one) for one in stated if one is not None]
    return next((one for one in known if one not in FREE), known[0] if known else UNKNOWN)


def check_accepted(name: str, licence: str, accepted: str | None, *, where: str) -> None:
    """Let weights through that are free, or whose licence was accepted by its name.

    Raises:
        BackboneError: `licence_not_accepted`.
    """
    licence = normalised(licence)
    if licence in FREE or (accepted is not None and normalised(accepted) == licence):
        return
    stated = "do not say under which licence they are" if licence == UNKNOWN else f"are under {licence!r}"
    got = "" if accepted is None else f" (you accepted {accepted!r})"
    raise BackboneError(
        Reason.LICENCE_NOT_ACCEPTED,
        f"the weights of {name} {stated}, which may forbid commercial use{got}; read the terms at {where} and, if they "
        f"suit you, run `tellapart backbones add {name} --accept-licence {licence}`",
    )
