"""Where a timm network comes from (the hub, a checkpoint's file, or nothing but its description), and its building."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.backbones.named import TimmName, parse_name
from tellapart.backbones.store import Store
from tellapart.backbones.timm_files import Announce, config_beside, fetch_timm, stated_licence
from tellapart.backbones.torch_libraries import load_timm
from tellapart.backbones.torch_timm import load_checkpoint, read_config, wishes_of
from tellapart.errors import BackboneError, Reason, SettingsError
from tellapart.training.networks.facts import NetworkFacts

if TYPE_CHECKING:
    from torch import nn

    from tellapart.training.networks.timm_body import TimmBody

_SMALLEST_PX = 32


@dataclass(frozen=True, slots=True)
class TimmSource:
    """What to build: an architecture of timm, with weights where `weights` and `config` name files."""

    name: str
    architecture: str
    pretrained_cfg: dict[str, Any]
    licence: str
    source: str
    size: int | None = None
    weights: Path | None = None
    config: Path | None = None


def timm_source(name: str, start: str, store: Store | None, announce: Announce) -> TimmSource:
    """Find a network by its name or file; pretrained weights of a name are downloaded, or found in the hub's cache.

    Raises:
        BackboneError: as `build_network`.
        MissingExtra: without timm.
    """
    wanted = parse_name(name)
    if not isinstance(wanted, TimmName):
        return _from_file(Path(name), start)
    _check_architecture(wanted.model)
    if start == "scratch":
        return _from_scratch(name, wanted)
    tag = wanted.tag or _preferred_tag(wanted.model)
    known = (store or Store()).get(name)  # whoever added it, accepted its licence
    accepted = None if known is None else known.licence
    found = fetch_timm(name, wanted.model, tag, accepted=accepted, announce=announce)
    config = read_config(found.config)
    return TimmSource(
        name=name,
        architecture=config["architecture"],
        pretrained_cfg=_described(config),
        licence=found.licence,
        source=found.source,
        size=wanted.size,
        weights=found.weights,
        config=found.config,
    )


def timm_facts(source: TimmSource, size: int | None) -> NetworkFacts:
    """What is known of it at a size in pixels (None: the name's, else its own)."""
    config = source.pretrained_cfg
    own = wishes_of(config, source.name, source.source, source.licence, None)
    size = size or source.size or own.size[0]
    wishes = wishes_of(config, source.name, source.source, source.licence, size)
    return NetworkFacts(
        name=source.name,
        licence=source.licence,
        source=source.source,
        spec=wishes.spec,
        size_px=size,
        own_size_px=own.size[0],
        smallest_px=min(_SMALLEST_PX, own.size[0]),
        mean=wishes.mean,
        std=wishes.std,
        fixed=bool(config.get("fixed_input_size")),
        origin_sha256=_sha256(source.weights) if source.weights else "",
    )


def timm_body(source: TimmSource, facts: NetworkFacts, drop_path: float) -> TimmBody:
    """The network without its classifier; fresh weights where the source has none.

    Raises:
        BackboneError: `backbone_invalid`.
        SettingsError: `bad_setting` for a size or option that the network cannot have.
    """
    from tellapart.training.networks.timm_body import TimmBody

    options: dict[str, Any] = {"num_classes": 0}
    if drop_path:
        options["drop_path_rate"] = drop_path
    try:
        return TimmBody(_created(source, facts, options), facts.size_px)
    except (BackboneError, SettingsError):
        raise
    except Exception as exc:  # timm passes on whatever its hundred networks raise
        raise _cannot(source, facts, exc, drop_path) from exc


def _created(source: TimmSource, facts: NetworkFacts, options: dict[str, Any]) -> nn.Module:
    if source.weights is not None and source.config is not None:
        return load_checkpoint(source.weights, source.config, facts.size_px, exportable=False, **options)
    if facts.fixed:
        options["img_size"] = facts.size_px
    network: nn.Module = load_timm().create_model(source.architecture, pretrained=False, **options)
    return network


def _cannot(source: TimmSource, facts: NetworkFacts, exc: Exception, drop_path: float) -> SettingsError:
    first = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
    if drop_path and "drop_path_rate" in first:
        message = f"{source.name} has no stochastic depth: leave finetune.drop_path at 0, or use finetune.dropout"
        return SettingsError(Reason.BAD_SETTING, message)
    message = f"{source.name} cannot take images of {facts.size_px} px ({first}); its own size is {facts.own_size_px}"
    return SettingsError(Reason.BAD_SETTING, message)


def _check_architecture(model: str) -> None:
    timm = load_timm()
    if timm.is_model(model):
        return
    near = difflib.get_close_matches(model, timm.list_models(), 3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    message = f"timm {timm.__version__} has no network called {model!r}{hint}"
    raise BackboneError(Reason.BACKBONE_UNKNOWN, message)


def _preferred_tag(model: str) -> str:
    config = load_timm().get_pretrained_cfg(model)
    if config is None or not config.tag:
        message = f"timm has no pretrained weights of {model}; train it from scratch (finetune.start: scratch)"
        raise SettingsError(Reason.BAD_SETTING, message)
    return str(config.tag)


def _from_scratch(name: str, wanted: TimmName) -> TimmSource:
    timm = load_timm()
    config = timm.get_pretrained_cfg(f"{wanted.model}.{wanted.tag}" if wanted.tag else wanted.model)
    return TimmSource(
        name=name,
        architecture=wanted.model,
        pretrained_cfg=config.to_dict() if config is not None else dict(_PLAIN),
        licence="Apache-2.0",
        source="scratch",
        size=wanted.size,
    )


_PLAIN = {"input_size": (3, 224, 224), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def _from_file(path: Path, start: str) -> TimmSource:
    beside = config_beside(path)
    if not path.is_file() or beside is None:
        what = "its description is missing" if path.is_file() else "there is no such file"
        where = f"timm's config.json (or {path.stem}.json) must lie beside it"
        message = f"the checkpoint {str(path)!r} cannot be used: {what}; {where}"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    values = read_config(beside)
    weights = path if start == "pretrained" else None
    return TimmSource(
        name=str(path),
        architecture=values["architecture"],
        pretrained_cfg=_described(values),
        licence=stated_licence(values),
        source=path.name if weights else "scratch",
        weights=weights,
        config=beside if weights else None,
    )


def _described(config: dict[str, Any]) -> dict[str, Any]:
    """`pretrained_cfg` of config.json, filled up with what timm knows of the architecture."""
    timm = load_timm()
    known = timm.get_pretrained_cfg(config["architecture"]) if timm.is_model(config["architecture"]) else None
    given = config.get("pretrained_cfg")
    return _PLAIN | (known.to_dict() if known else {}) | (given if isinstance(given, dict) else {})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
