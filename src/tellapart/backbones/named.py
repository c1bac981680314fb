"""Names of backbones that lie on the Hugging Face hub: `timm/<name>[@size]` and `hf://org/repo/file.onnx[@revision]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tellapart.errors import BackboneError, Reason

_TIMM = re.compile(r"timm/(?P<model>[A-Za-z0-9_]+)(\.(?P<tag>[A-Za-z0-9_-]+))?(@(?P<size>[0-9]{2,4}))?")
_HUB = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[^@]+\.onnx)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True)
class TimmName:
    """A timm network. Without `tag` the one timm prefers; `size` in pixels, None for the one it was trained at."""

    model: str
    tag: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class HubName:
    """One ONNX file in a repository of the hub, at a branch, tag or commit."""

    repo: str
    file: str
    revision: str | None


def parse_name(name: str) -> TimmName | HubName | None:
    """What a name on the hub means; None for any other name (a registered one, or a path).

    Raises:
        BackboneError: `backbone_unknown` for a name that begins like one on the hub and does not go on like one.
    """
    if name.startswith("timm/") and not name.endswith((".onnx", ".safetensors")):
        return _timm(name)
    return _hub(name) if name.startswith("hf://") else None


def _timm(name: str) -> TimmName:
    found = _TIMM.fullmatch(name)
    if found is None:
        raise BackboneError(
            Reason.BACKBONE_UNKNOWN,
            f"a timm backbone is written timm/NAME, timm/NAME.TAG or timm/NAME@PIXELS, got {name!r}",
        )
    size = found["size"]
    return TimmName(found["model"], found["tag"], None if size is None else int(size))


def _hub(name: str) -> HubName:
    found = _HUB.fullmatch(name)
    if found is None or ".." in found["file"].split("/"):
        raise BackboneError(
            Reason.BACKBONE_UNKNOWN,
            f"a file on the hub is written hf://ORG/REPOSITORY/FILE.onnx, with @REVISION if need be, got {name!r}",
        )
    return HubName(found["repo"], found["file"], found["revision"])
