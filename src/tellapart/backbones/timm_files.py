"""The files of a timm network, from the hub or from a folder, and what they say of themselves. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.backbones.hub import Repository
from tellapart.backbones.licences import UNKNOWN, check_accepted, strictest
from tellapart.errors import BackboneError, Reason

Announce = Callable[[str], None]
"""Gets sentences about licences and downloads."""


@dataclass(frozen=True, slots=True)
class TimmFiles:
    """Weights (safetensors) and config.json in the hub's cache. `source` is their address with its commit."""

    weights: Path
    config: Path
    licence: str
    source: str


def fetch_timm(name: str, model: str, tag: str, *, accepted: str | None, announce: Announce) -> TimmFiles:
    """The files of `timm/MODEL.TAG`; `name` is what sentences call it. The licence is announced before the weights come.

    Raises:
        BackboneError: `licence_not_accepted`, `network_unavailable`, `backbone_unknown`, `backbone_invalid`,
            `download_failed`, `checksum_mismatch`.
        MissingExtra: without huggingface_hub.
    """
    repository = Repository(f"timm/{model}.{tag}")
    config = repository.fetch("config.json")
    stated = (_text(_object(read_object(config), "pretrained_cfg"), "license"), repository.licence())
    licence = checked_licence(name, repository, stated, accepted, announce)
    weights = repository.fetch("model.safetensors")
    return TimmFiles(weights, config, licence, origin_of(weights))


def checked_licence(
    name: str, repository: Repository, stated: Sequence[str | None], accepted: str | None, announce: Announce
) -> str:
    """The strictest of what is stated in several places, shown and then let through or not.

    Raises:
        BackboneError: `licence_not_accepted`.
    """
    licence = strictest(*stated)
    shown = "not stated" if licence == UNKNOWN else licence
    announce(f"{name}: weights from {repository.url}, licence {shown}")
    check_accepted(name, licence, accepted, where=repository.url)
    return licence


def config_beside(path: Path) -> Path | None:
    """What describes a network's file: `net.json`, or `config.json` in its folder for a checkpoint; None without."""
    beside = [path.with_suffix(".json"), *([path.parent / "config.json"] if path.suffix == ".safetensors" else [])]
    return next((one for one in beside if one.is_file()), None)


def stated_licence(config: dict[str, Any]) -> str:
    """The licence that timm's config.json states for its weights."""
    return strictest(_text(_object(config, "pretrained_cfg"), "license"), _text(config, "license"))


def origin_of(path: Path) -> str:
    """The address of a file in the hub's cache (…/models--org--name/snapshots/commit/file), with its commit."""
    folder = next(parent for parent in path.parents if parent.parent.name == "snapshots")
    repository = folder.parent.parent.name.removeprefix("models--").replace("--", "/", 1)
    return f"hf://{repository}/{path.relative_to(folder).as_posix()}@{folder.name[:12]}"


def read_text(path: Path) -> str:
    """A foreign text file.

    Raises:
        BackboneError: `backbone_invalid`.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise _invalid(f"{path.name} cannot be read: {exc}") from exc


def read_object(path: Path) -> dict[str, Any]:
    """A foreign JSON object.

    Raises:
        BackboneError: `backbone_invalid`.
    """
    try:
        values = json.loads(read_text(path))
    except (ValueError, RecursionError) as exc:
        raise _invalid(f"{path.name} is not JSON: {exc}") from exc
    if not isinstance(values, dict):
        raise _invalid(f"{path.name} must be a JSON object, got {type(values).__name__}")
    return values


def _object(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _text(values: dict[str, Any], key: str) -> str | None:
    found = values.get(key)
    return found if isinstance(found, str) else None


def _invalid(message: str) -> BackboneError:
    return BackboneError(Reason.BACKBONE_INVALID, message)
