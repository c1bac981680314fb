"""Networks by name. Nothing here loads torch before a network is asked for."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tellapart.backbones.adding import announce_by_log
from tellapart.backbones.named import TimmName, parse_name
from tellapart.backbones.store import Store
from tellapart.backbones.timm_files import Announce
from tellapart.errors import BackboneError, Reason, SettingsError
from tellapart.extras import require
from tellapart.training.networks.continued import continued, continued_body, continued_facts
from tellapart.training.networks.facts import NetworkFacts

if TYPE_CHECKING:
    from tellapart.training.networks.network import Body, Network

Start = Literal["pretrained", "scratch"]
NAMES = ("builtin", "lenet", "alexnet")
"""Networks that need no download; besides them `timm/NAME` and a timm checkpoint's file."""


def build_network(
    name: str,
    *,
    n_classes: int,
    size: int | None = None,
    start: Start = "pretrained",
    dropout: float = 0.0,
    drop_path: float = 0.0,
    store: Store | None = None,
    seed: int = 0,
    announce: Announce = announce_by_log,
) -> Network:
    """A network with a fresh head for `n_classes` labels; equal seeds give equal weights.

    `name` is `builtin`, `timm/NAME[.TAG]`, the path of a timm checkpoint (`x.safetensors` with `config.json` beside it) or of
    a network of ours (`x.onnx` with its `x.safetensors`, as `backbones pretrain` writes it), `lenet` or `alexnet`. `size` is
    the side of its images in pixels, None for its own. `dropout` acts before the head, `drop_path` (stochastic depth) where
    the network knows it. `store` tells which licences were accepted.

    Raises:
        BackboneError: `backbone_unknown`, `backbone_invalid`, `licence_not_accepted`, `network_unavailable`,
            `download_failed`, `checksum_mismatch`.
        SettingsError: `bad_setting` for what this network cannot do.
        MissingExtra: without torch, or without timm for a network of timm.
    """
    require("torch", extra="train", feature="training a network")
    import torch

    from tellapart.training.networks.network import Network

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        facts, body = _body(name, size, start, drop_path, store, announce)
        network = Network(facts, body, n_classes, dropout)
        network.to(memory_format=torch.channels_last)
    return network


def describe_network(
    name: str,
    *,
    size: int | None = None,
    start: Start = "pretrained",
    store: Store | None = None,
    announce: Announce = announce_by_log,
) -> NetworkFacts:
    """What is known of a network before it is built; the weights of a pretrained one are fetched.

    Raises:
        As `build_network`.
    """
    ours = continued(name)
    if ours is not None:
        return _fitting(continued_facts(ours, size))
    _check_known(name)
    if name == "builtin":
        require("torch", extra="train", feature="training a network")
        from tellapart.training.networks.builtin import builtin_facts

        return _fitting(builtin_facts(size, pretrained=start == "pretrained"))
    if name in NAMES:
        _only_from_scratch(name, start)
        require("torch", extra="train", feature="training a network")
        from tellapart.training.networks.classic_networks import classic_facts

        return _fitting(classic_facts(name, size))
    from tellapart.training.networks.timm_source import timm_facts, timm_source

    return _fitting(timm_facts(timm_source(name, start, store, announce), size))


def _body(
    name: str, size: int | None, start: Start, drop_path: float, store: Store | None, announce: Announce
) -> tuple[NetworkFacts, Body]:
    ours = continued(name)
    if ours is None and name not in NAMES:
        return _timm_body(name, size, start, drop_path, store, announce)
    facts = describe_network(name, size=size, start=start, store=store, announce=announce)
    form = name if ours is None else ours.built_as
    if form in NAMES and drop_path:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"{name} has no stochastic depth: leave finetune.drop_path at 0, or use finetune.dropout",
        )
    if ours is not None:
        return facts, continued_body(ours, facts, drop_path, start)
    if name == "builtin":
        from tellapart.training.networks.builtin import BuiltinBody, pretrained_builtin

        return facts, pretrained_builtin() if start == "pretrained" else BuiltinBody()
    from tellapart.training.networks.classic_networks import classic_body

    return facts, classic_body(name, facts.size_px)


def _timm_body(
    name: str, size: int | None, start: Start, drop_path: float, store: Store | None, announce: Announce
) -> tuple[NetworkFacts, Body]:
    _check_known(name)
    from tellapart.training.networks.timm_source import timm_body, timm_facts, timm_source

    source = timm_source(name, start, store, announce)
    facts = _fitting(timm_facts(source, size))
    return facts, timm_body(source, facts, drop_path)


def _check_known(name: str) -> None:
    is_timm = isinstance(parse_name(name), TimmName)
    if name in NAMES or is_timm or Path(name).suffix == ".safetensors":
        return
    if name in ("builtin-int8", "classic", "hog", "sift") or name.endswith(".onnx"):
        message = f"{name} cannot be trained further: it is no network in torch; {_KNOWN}"
        raise BackboneError(Reason.BACKBONE_UNKNOWN, message)
    near = difflib.get_close_matches(name, NAMES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise BackboneError(Reason.BACKBONE_UNKNOWN, f"there is no network {name!r} to train{hint} ({_KNOWN})")


_KNOWN = "networks that learn: builtin, timm/NAME, a timm checkpoint x.safetensors with config.json, lenet, alexnet"


def _only_from_scratch(name: str, start: Start) -> None:
    if start == "pretrained":
        message = f"there are no pretrained weights of {name}; train it from scratch (finetune.start: scratch)"
        raise SettingsError(Reason.BAD_SETTING, message)


def _fitting(facts: NetworkFacts) -> NetworkFacts:
    if facts.size_px < facts.smallest_px:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"{facts.name} takes images of at least {facts.smallest_px} px, got size {facts.size_px}; "
            f"its own size is {facts.own_size_px}",
        )
    return facts
