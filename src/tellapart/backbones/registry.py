"""Backbones by name: what ships, what was added, what the hub has, and any file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.errors import BackboneError, Reason

if TYPE_CHECKING:
    from tellapart.backbones.store import Store

BackboneFactory = Callable[[], bytes]
"""Makes (or reads) a canonical file."""

Announce = Callable[[str], None]


def _shipped_file(name: str) -> bytes:
    return Path(__file__).with_name(f"{name}.onnx").read_bytes()


def _classic() -> bytes:
    from tellapart.backbones.classic import classic_bytes

    return classic_bytes()


def _hog() -> bytes:
    from tellapart.backbones.hog import hog_bytes

    return hog_bytes()


BACKBONES: dict[str, BackboneFactory] = {
    "builtin": partial(_shipped_file, "builtin"),
    "builtin-int8": partial(_shipped_file, "builtin-int8"),
    "classic": _classic,
    "hog": _hog,
}
"""Every backbone that needs no file."""

DEFAULT_BACKBONE = "builtin"


@dataclass(frozen=True, slots=True)
class Available:
    """A backbone that can be used now, without a network. `where` is "shipped" or the path of its file."""

    name: str
    licence: str
    source: str
    preprocess: str
    embedding_dim: int
    where: str
    n_bytes: int
    max_difference: float | None = None


def backbones() -> dict[str, BackboneFactory]:
    """A copy of the registry."""
    return dict(BACKBONES)


def available(store: Store | None = None) -> list[Available]:
    """Everything that can be named without a network: what ships first, then what was added (`store` None: the default)."""
    from tellapart.backbones.store import Store

    store = store or Store()
    return [_shipped(name) for name in BACKBONES] + [
        Available(
            one.name,
            one.licence,
            one.source,
            one.preprocess,
            one.embedding_dim,
            str(store.network_path(one)),
            one.n_bytes,
            one.max_difference,
        )
        for one in store.entries()
    ]


def register(name: str, factory: BackboneFactory) -> None:
    """Add a backbone under a name of its own.

    Raises:
        BackboneError: `backbone_invalid` when the name is taken.
    """
    if name in BACKBONES:
        message = f"a backbone named {name!r} is registered already; choose another name"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    BACKBONES[name] = factory


def load_backbone(
    name_or_path: str | Path,
    *,
    threads: int = 1,
    provider: str = "cpu",
    store: Store | None = None,
    announce: Announce | None = None,
) -> OnnxBackbone:
    """Open a backbone.

    A registered name (`classic`), one on the hub (`timm/resnet18.a1_in1k`, `hf://org/repo/file.onnx`: downloaded and
    converted the first time), or a file: canonical, a foreign `net.onnx` with its card `net.json` beside it, or a timm
    checkpoint `net.safetensors` with `config.json`. The first load of a foreign file happens in a process of its own. `store`
    None is the user's cache folder; `announce` gets sentences about downloads and licences (None: logged as warnings).

    Raises:
        BackboneError: `backbone_unknown`, `backbone_invalid`, `licence_not_accepted`, `network_unavailable`,
            `download_failed`, `checksum_mismatch`, `provider_unavailable`, `write_failed`.
        MissingExtra: when a name or checkpoint needs a library that is not installed.
    """
    if isinstance(name_or_path, str) and name_or_path in BACKBONES:
        return OnnxBackbone.open(BACKBONES[name_or_path](), threads=threads, provider=provider)
    return OnnxBackbone.open(_found(name_or_path, store, announce), threads=threads, provider=provider)


def _found(name_or_path: str | Path, store: Store | None, announce: Announce | None) -> Path | bytes:
    from tellapart.backbones.adding import add_by_name, announce_by_log, prepare_file
    from tellapart.backbones.named import parse_name
    from tellapart.backbones.store import Store

    store, announce, name = store or Store(), announce or announce_by_log, str(name_or_path)
    if isinstance(name_or_path, str) and parse_name(name) is not None:
        if store.get(name) is None:
            add_by_name(name, store, announce=announce)
        return store.verified(name)
    path = Path(name_or_path)
    if path.suffix not in (".onnx", ".safetensors") and not path.is_file():
        raise BackboneError(Reason.BACKBONE_UNKNOWN, _unknown(name))
    return prepare_file(path, store, announce=announce)


def _shipped(name: str) -> Available:
    data = BACKBONES[name]()
    card = OnnxBackbone.open(data).card
    return Available(name, card.licence, card.source, card.preprocess, card.embedding_dim, "shipped", len(data))


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, BACKBONES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(BACKBONES))
    return (
        f"there is no backbone {name!r}{hint} (known: {known}; by name timm/… or hf://…; or the path of a file that ends "
        "in .onnx or .safetensors)"
    )
