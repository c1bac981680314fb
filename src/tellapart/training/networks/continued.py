"""A network of ours that was trained and shall be trained on: its weights beside its canonical ONNX file.

my-backbone.onnx          what tellapart runs
my-backbone.safetensors   the same weights before normalisations were folded, with what is known of the network as JSON in
                          the file's header

Either name means the network. Nothing here loads torch before a body is asked for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.errors import BackboneError, Reason, SettingsError
from tellapart.files import replacing
from tellapart.image.preprocess import PreprocessSpec
from tellapart.training.networks.facts import NetworkFacts

if TYPE_CHECKING:
    from tellapart.training.networks.network import Body, Network

_HEADER = "tellapart.network"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Continued:
    """`built_as` is the name under which `build_network` knows the form, such as `builtin` or `timm/resnet18`."""

    built_as: str
    facts: NetworkFacts
    weights: Path


def save_continued(network: Network, onnx: Path, data: bytes) -> None:
    """Write the canonical file `data` to `onnx` and the weights beside it; each appears whole or not at all.

    Raises:
        BackboneError: `write_failed`.
    """
    from safetensors.torch import save

    header = {
        "version": _VERSION,
        "built_as": _form(network),
        "onnx_sha256": hashlib.sha256(data).hexdigest(),
        "facts": asdict(network.facts),
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.body.state_dict().items()}
    try:
        with replacing(onnx.with_suffix(".safetensors")) as temporary:
            temporary.write_bytes(save(tensors, {_HEADER: json.dumps(header)}))
        with replacing(onnx) as temporary:
            temporary.write_bytes(data)
    except OSError as exc:
        message = f"the backbone {onnx} could not be written: {exc.strerror or exc}"
        raise BackboneError(Reason.WRITE_FAILED, message) from exc


def continued(name: str) -> Continued | None:
    """The network that a path means; None for any other name and for files without weights of ours.

    Raises:
        BackboneError: `backbone_invalid` when the two files do not belong together, or the header is damaged.
    """
    path = Path(name)
    weights = path.with_suffix(".safetensors")
    if path.suffix not in (".onnx", ".safetensors") or not path.is_file() or not weights.is_file():
        return None
    header = _header(weights)
    if header is None:
        return None
    try:
        facts = header["facts"] | {
            "name": name,
            "mean": tuple(header["facts"]["mean"]),
            "std": tuple(header["facts"]["std"]),
        }
        found = Continued(str(header["built_as"]), NetworkFacts(**facts), weights)
        expected = str(header["onnx_sha256"])
    except (KeyError, TypeError, ValueError) as exc:
        message = f"{weights} is not described as this version expects ({exc!r}); pre-train anew"
        raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
    if path.suffix == ".onnx" and hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        message = f"{path} and the weights beside it, {weights.name}, are not of one network; name the weights to train them on"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    return found


def continued_facts(found: Continued, size: int | None) -> NetworkFacts:
    """What is known of it at a size in pixels (None: its own).

    Raises:
        SettingsError: `bad_setting` for another size of a network that takes one only.
    """
    facts = found.facts
    if size is None or size == facts.size_px:
        return facts
    if facts.fixed:
        message = f"{facts.name} takes images of {facts.size_px} px only, got size {size}; leave the size out"
        raise SettingsError(Reason.BAD_SETTING, message)
    return replace(facts, size_px=size, spec=str(PreprocessSpec.parse(facts.spec).at_size(size)))


def continued_body(found: Continued, facts: NetworkFacts, drop_path: float, start: str = "pretrained") -> Body:
    """Its body with its weights, or with fresh ones for the start "scratch".

    Raises:
        BackboneError: `backbone_invalid` when the weights are not of this form.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    body = _empty(found, facts, drop_path, fresh=start == "scratch")
    if start == "scratch":
        return body
    try:
        body.load_state_dict(load_file(found.weights))
    except (OSError, SafetensorError, RuntimeError) as exc:
        message = f"{found.weights} does not hold the weights of {found.built_as}: {str(exc).splitlines()[0]}"
        raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
    return body


def _header(weights: Path) -> dict[str, Any] | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "np") as file:
            found = json.loads((file.metadata() or {}).get(_HEADER, "null"))
    except (OSError, SafetensorError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _form(network: Network) -> str:
    name = network.name
    if Path(name).suffix not in (".onnx", ".safetensors"):
        return name
    before = continued(name)
    if before is not None:
        return before.built_as
    timm: Any = network.body
    return f"timm/{timm.network.pretrained_cfg['architecture']}"


def _has_norms(weights: Path) -> bool:
    """Whether `builtin` was trained from scratch: the shipped weights have normalisation folded in."""
    from safetensors import safe_open

    with safe_open(weights, "np") as file:
        return any(".norm." in name for name in file.keys())  # noqa: SIM118  a handle is no mapping


def _empty(found: Continued, facts: NetworkFacts, drop_path: float, *, fresh: bool) -> Body:
    from tellapart.training.networks.classic_networks import CLASSIC, classic_body

    if found.built_as == "builtin":
        from tellapart.training.networks.builtin import BuiltinBody

        return BuiltinBody(norm=fresh or _has_norms(found.weights))
    if found.built_as in CLASSIC:
        return classic_body(found.built_as, facts.size_px)
    from tellapart.training.networks.timm_source import TimmSource, timm_body

    architecture = found.built_as.removeprefix("timm/").partition("@")[0]
    source = TimmSource(facts.name, architecture.partition(".")[0], {}, facts.licence, facts.source)
    return timm_body(source, facts, drop_path)
