"""Backbones by name: an explicit dict, and any `file.onnx`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import CARD_KEY
from tellapart.errors import BackboneError, Reason

BackboneFactory = Callable[[], bytes]
"""Makes (or reads) a canonical file."""


def _classic() -> bytes:
    from tellapart.backbones.classic import classic_bytes

    return classic_bytes()


BACKBONES: dict[str, BackboneFactory] = {"classic": _classic}
"""Every backbone that needs no file."""

DEFAULT_BACKBONE = "classic"


def backbones() -> dict[str, BackboneFactory]:
    """A copy of the registry."""
    return dict(BACKBONES)


def register(name: str, factory: BackboneFactory) -> None:
    """Add a backbone under a name of its own.

    Raises:
        BackboneError: `backbone_invalid` when the name is taken.
    """
    if name in BACKBONES:
        message = f"a backbone named {name!r} is registered already; choose another name"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    BACKBONES[name] = factory


def load_backbone(name_or_path: str | Path, *, threads: int = 1, provider: str = "cpu") -> OnnxBackbone:
    """Open a registered backbone, a canonical file, or a foreign `net.onnx` with its card `net.json` beside it.

    Raises:
        BackboneError: `backbone_unknown`, `backbone_invalid`, `provider_unavailable`.
    """
    name = str(name_or_path)
    if name in BACKBONES and not isinstance(name_or_path, Path):
        return OnnxBackbone.open(BACKBONES[name](), threads=threads, provider=provider)
    path = Path(name_or_path)
    if path.suffix != ".onnx" and not path.is_file():
        raise BackboneError(Reason.BACKBONE_UNKNOWN, _unknown(name))
    return OnnxBackbone.open(_canonical(path), threads=threads, provider=provider)


def _canonical(path: Path) -> Path | bytes:
    """The path itself when the file is canonical, else the bytes of its conversion."""
    try:
        marked = CARD_KEY.encode() in path.read_bytes()
    except OSError as exc:
        message = f"the backbone file {str(path)!r} cannot be read: {exc.strerror or exc}"
        raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
    if marked:
        return path
    from tellapart.backbones.convert import convert_file

    return convert_file(path).data


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, BACKBONES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(BACKBONES))
    return f"there is no backbone {name!r}{hint} (known: {known}, or the path of a file that ends in .onnx)"
