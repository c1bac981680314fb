"""Bring a backbone into the store: from the hub by name, or from a file; converted and tried out in another process."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from tellapart.backbones.apart import run_apart
from tellapart.backbones.hub import Repository
from tellapart.backbones.licences import FREE, normalised
from tellapart.backbones.named import HubName, TimmName, parse_name
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.source_card import SourceCard
from tellapart.backbones.store import Entry, Store
from tellapart.backbones.timm_files import (
    Announce,
    checked_licence,
    config_beside,
    fetch_timm,
    origin_of,
    read_object,
    read_text,
    stated_licence,
)
from tellapart.errors import BackboneError, Reason
from tellapart.extras import require

announce_by_log: Announce = logging.getLogger("tellapart.backbones").warning

_FIRST_LOAD = "tellapart.backbones.first_load:first_load"
_FROM_TIMM = "tellapart.backbones.torch_timm:convert_checkpoint"
_PREFERRED_TAG = "tellapart.backbones.torch_timm:preferred_tag"

_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, which preprocessor_config.json uses."""


def add_by_name(
    name: str, store: Store, *, accept_licence: str | None = None, announce: Announce = announce_by_log
) -> Entry:
    """Download `timm/…` or `hf://…`, convert it once, prove it, keep it. Its licence is announced before the weights come.

    Raises:
        BackboneError: `backbone_unknown`, `backbone_invalid`, `licence_not_accepted`, `network_unavailable`,
            `download_failed`, `checksum_mismatch`, `write_failed`.
        MissingExtra: without the libraries it needs.
    """
    parsed = parse_name(name)
    if isinstance(parsed, TimmName):
        return _Addition(name, store, accept_licence, announce).from_timm(parsed)
    if isinstance(parsed, HubName):
        return _Addition(name, store, accept_licence, announce).from_hub(parsed)
    raise BackboneError(
        Reason.BACKBONE_UNKNOWN,
        f"{name!r} is no name on the hub (timm/NAME, hf://ORG/REPOSITORY/FILE.onnx); a file needs no adding: name its path "
        "where a backbone is asked for",
    )


def prepare_file(path: Path, store: Store, *, announce: Announce = announce_by_log) -> Path | bytes:
    """The canonical form of `net.onnx` (its card in `net.json`) or of a timm checkpoint `net.safetensors`.

    It is made and tried out once per content and kept in the store; where the store cannot be written, its bytes are
    returned and made anew the next time.

    Raises:
        BackboneError: `backbone_invalid`.
        MissingExtra: for a checkpoint without torch and timm.
    """
    config = config_beside(path)
    name = _content_name(path, config)
    if store.get(name) is not None:
        return store.verified(name)
    if path.suffix == ".safetensors":
        announce(f"{path}: converting to ONNX (once)")
    data, difference = _made(f"the network {str(path)!r}", *_file_job(path, config))
    card = OnnxBackbone.open(data).card
    if normalised(card.licence) not in FREE:
        announce(f"{path}: licence {card.licence}, as its card says; whether that suits you is for you to judge")
    try:
        return store.network_path(store.add(name, data, card, difference))
    except BackboneError as exc:
        if exc.reason is not Reason.WRITE_FAILED:
            raise
        return data


def _file_job(path: Path, config: Path | None) -> tuple[str, dict[str, Any]]:
    if path.suffix != ".safetensors":
        return _FIRST_LOAD, {"source": str(path), "card": None}
    if config is None:
        raise _invalid(f"{path} needs timm's description of its network beside it: config.json (or {path.stem}.json)")
    values = read_object(config)
    licence = stated_licence(values)
    architecture = values.get("architecture")
    name = architecture if isinstance(architecture, str) else path.stem
    facts = {"name": name, "source": path.name, "licence": licence, "size": None}
    return _FROM_TIMM, {"weights": str(path), "config": str(config), **facts}


@dataclass(frozen=True, slots=True)
class _Addition:
    name: str
    store: Store
    accepted: str | None
    announce: Announce

    def from_timm(self, wanted: TimmName) -> Entry:
        _need_torch()
        tag = wanted.tag or run_apart(_PREFERRED_TAG, self.name, {"model": wanted.model})
        found = fetch_timm(self.name, wanted.model, tag, accepted=self.accepted, announce=self.announce)
        self._say_converting(found.weights)
        facts = {"name": self.name, "source": found.source, "licence": found.licence, "size": wanted.size}
        files = {"weights": str(found.weights), "config": str(found.config)}
        return self._keep(*_made(f"the network {self.name}", _FROM_TIMM, files | facts))

    def from_hub(self, wanted: HubName) -> Entry:
        repository = Repository(wanted.repo, wanted.revision)
        beside = repository.fetch_if_there(str(PurePosixPath(wanted.file).with_suffix(".json")))
        card = SourceCard.from_json(read_text(beside)) if beside else None
        stated = (card.licence if card else None, repository.licence())
        licence = checked_licence(self.name, repository, stated, self.accepted, self.announce)
        if card is None:
            card = _card_from_transformers(repository, self.name, licence)
        network = repository.fetch(wanted.file)
        self._say_converting(network)
        identity = {"name": self.name, "licence": licence, "source": origin_of(network)}
        card = replace(card, name=self.name, licence=licence, source=identity["source"])
        arguments = {"source": str(network), "card": card.to_json(), "identity": identity}
        return self._keep(*_made(f"the network {self.name}", _FIRST_LOAD, arguments))

    def _keep(self, data: bytes, difference: float) -> Entry:
        return self.store.add(self.name, data, OnnxBackbone.open(data).card, difference)

    def _say_converting(self, weights: Path) -> None:
        self.announce(f"{self.name}: {weights.stat().st_size / 1e6:.1f} MB, converting to ONNX (once)")


def _need_torch() -> None:
    """Say so before anything is downloaded."""
    for module in ("torch", "timm"):
        if find_spec(module) is None:
            require(module, extra="timm", feature="a backbone of timm")


def _made(about: str, job: str, arguments: dict[str, Any]) -> tuple[bytes, float]:
    """A canonical file that a job writes, and the difference its proof found."""
    with TemporaryDirectory() as folder:
        target = Path(folder, "backbone.onnx")
        proof = run_apart(job, about, arguments | {"target": str(target)})
        return target.read_bytes(), float(proof["max_difference"])


def _card_from_transformers(repository: Repository, name: str, licence: str) -> SourceCard:
    """A source card from `preprocessor_config.json`, as repositories of transformers have it."""
    path = repository.fetch_if_there("preprocessor_config.json")
    if path is None:
        raise _invalid(
            f"{repository.name} does not say how its network wants images: neither a card (see docs/backbones.md) beside "
            "the file nor preprocessor_config.json; download the file and write a card for it"
        )
    values = read_object(path)
    try:
        wishes = _wishes(values)
    except (TypeError, ValueError, AttributeError) as exc:
        raise _invalid(f"preprocessor_config.json of {repository.name} has a form that is not known: {exc}") from exc
    return SourceCard(name=name, licence=licence, source=repository.url, **wishes)


def _wishes(values: dict[str, Any]) -> dict[str, Any]:
    size = values.get("crop_size") if values.get("do_center_crop") else None
    normalises = values.get("do_normalize", True)
    return {
        "size": _size(size or values.get("size")),
        "mean": tuple(values.get("image_mean", (0.0,) * 3)) if normalises else (0.0, 0.0, 0.0),
        "std": tuple(values.get("image_std", (1.0,) * 3)) if normalises else (1.0, 1.0, 1.0),
        "scale": float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
        "interpolation": _RESAMPLING.get(values.get("resample", 2), "bilinear"),
    }


def _size(stated: Any) -> tuple[int, int]:
    """transformers writes a number, {"height", "width"} or {"shortest_edge"}."""
    if isinstance(stated, dict):
        edge = stated.get("shortest_edge")
        return (edge, edge) if edge else (stated.get("height", 224), stated.get("width", 224))
    return (stated, stated) if isinstance(stated, int) else (224, 224)


def _content_name(path: Path, config: Path | None) -> str:
    """A name for what the files hold: the same network moved elsewhere is known, another under its name is not."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
        digest.update(config.read_bytes() if config is not None else b"")
    except OSError as exc:
        raise _invalid(f"the backbone file {str(path)!r} cannot be read: {exc.strerror or exc}") from exc
    return f"file:{digest.hexdigest()[:16]}"


def _invalid(message: str) -> BackboneError:
    return BackboneError(Reason.BACKBONE_INVALID, message)
