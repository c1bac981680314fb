"""timm networks as canonical ONNX files, made in a process of its own.

Weights come from safetensors, never from a pickle: a folder holds `model.safetensors` and timm's `config.json`, as the
hub and `timm.models.save_for_hf` write them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tellapart.backbones.apart import limit_memory
from tellapart.backbones.protocol import BackboneCard
from tellapart.backbones.source_card import INTERPOLATIONS, SourceCard
from tellapart.backbones.torch_libraries import load_timm
from tellapart.errors import BackboneError, Reason

if TYPE_CHECKING:
    from torch import Tensor, nn

_FEATURE = "a backbone from a timm checkpoint"


def preferred_tag(model: str) -> str:
    """The pretrained tag that timm prefers for an architecture.

    Raises:
        BackboneError: `backbone_unknown`, with near names.
        MissingExtra: without timm.
    """
    timm = load_timm(extra="timm", feature=_FEATURE)
    config = timm.get_pretrained_cfg(model) if timm.is_model(model) else None
    if config is not None and config.tag:
        return str(config.tag)
    import difflib

    near = difflib.get_close_matches(model, timm.list_models(), 3)
    hint = f"; did you mean {' or '.join(near)}?" if near and model not in near else ""
    what = "knows no pretrained weights of" if timm.is_model(model) else "has no network called"
    raise BackboneError(Reason.BACKBONE_UNKNOWN, f"timm {timm.__version__} {what} {model!r}{hint}")


def convert_checkpoint(
    weights: str, config: str, target: str, name: str, source: str, licence: str, size: int | None
) -> dict[str, Any]:
    """Write a checkpoint's canonical form to `target`; torch and ONNX Runtime must give equal features.

    `weights` is a safetensors file, `config` timm's config.json. `size` in pixels, None for the network's own.

    Raises:
        BackboneError: `backbone_invalid`.
        MissingExtra: without torch or timm.
    """
    limit_memory()
    network = load_checkpoint(Path(weights), Path(config), size).eval()
    import torch

    from tellapart.backbones.torch_export import Canonical, answers, examples, exported, prove

    torch.manual_seed(0)
    wishes = wishes_of(network.pretrained_cfg, name, source, licence, size)
    module = Canonical(network, partial(_features, network), wishes.mean, wishes.std).eval()
    fixed = is_fixed(network)
    pixels = examples(wishes.size, n_sizes=1 if fixed else 2)
    expected = [answers(module, one) for one in pixels]
    card = _card(wishes, [part.shape for part in expected[0]], Path(weights))
    data = exported(module, pixels[0], card, fixed=fixed)
    worst = prove(data, pixels, expected)
    Path(target).write_bytes(data)
    return {"max_difference": worst}


def load_checkpoint(weights: Path, config: Path, size: int | None = None, **options: Any) -> nn.Module:
    """A checkpoint's network with its weights; `options` are arguments of timm's `create_model`.

    It is built for export unless `exportable` is False: then with the operators that train fastest.

    Raises:
        BackboneError: `backbone_invalid`.
        MissingExtra: without torch or timm.
    """
    timm = load_timm(extra="timm", feature=_FEATURE)
    described = read_config(config)
    options.setdefault("exportable", True)
    if size is not None and described.get("pretrained_cfg", {}).get("fixed_input_size"):
        options["img_size"] = size
    # timm reads a folder in which nothing but these two files lies.
    with TemporaryDirectory() as folder:
        shutil.copyfile(config, Path(folder, "config.json"))
        _beside(weights, Path(folder, "model.safetensors"))
        try:
            network = timm.create_model(f"local-dir:{folder}", pretrained=True, **options)
        except Exception as exc:  # timm passes on whatever its hundred networks raise
            first = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
            message = (
                f"timm {timm.__version__} cannot build {described.get('architecture')!r} with {weights.name}: {first}"
            )
            raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
    result: nn.Module = network
    return result


def _beside(source: Path, target: Path) -> None:
    """The same file in another folder: a link where the system allows one, else a copy."""
    try:
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)


def read_config(path: Path) -> dict[str, Any]:
    """timm's config.json: at least its `architecture` (text).

    Raises:
        BackboneError: `backbone_invalid`.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise BackboneError(Reason.BACKBONE_INVALID, f"{path.name} is not timm's config.json: {exc}") from exc
    if not isinstance(values, dict) or not isinstance(values.get("architecture"), str):
        message = f'{path.name} is not timm\'s config.json: it must name an "architecture"'
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    return values


def wishes_of(config: Mapping[str, Any], name: str, source: str, licence: str, size: int | None) -> SourceCard:
    """How a network wants its images, from its pretrained configuration; `size` in pixels, None for the network's own."""
    height, width = (size, size) if size else config["input_size"][1:]
    kind = config.get("interpolation") or "bilinear"
    return SourceCard(
        name=name,
        licence=licence,
        source=source,
        size=(int(height), int(width)),
        mean=_three(config["mean"]),
        std=_three(config["std"]),
        interpolation=kind if kind in INTERPOLATIONS else "bicubic",
    )


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


def is_fixed(network: Any) -> bool:
    """Whether the network takes images of one size only, the one it was built for."""
    return bool(network.pretrained_cfg.get("fixed_input_size")) or hasattr(network, "pos_embed")


def feature_map_of(network: Any, features: Tensor) -> Tensor | None:
    """What `forward_features` gave as a map (n, c, h', w'); None where it has no places."""
    if features.ndim == 4:
        return features.permute(0, 3, 1, 2) if getattr(network, "output_fmt", "NCHW") == "NHWC" else features
    grid = getattr(getattr(network, "patch_embed", None), "grid_size", None)
    n_prefix = getattr(network, "num_prefix_tokens", 0)
    if features.ndim != 3 or grid is None or features.shape[1] != n_prefix + grid[0] * grid[1]:
        return None
    return features[:, n_prefix:].transpose(1, 2).reshape(-1, features.shape[2], grid[0], grid[1])


def _features(network: Any, pixels: Tensor) -> tuple[Tensor, ...]:
    """Embedding and, where the network has places, its feature map.

    Where it ends in a map, the embedding is the map's mean. A transformer's embedding is its own summary (class token or
    attention pool) followed by the mean of its patches, as DINOv2 is judged (Oquab et al. 2023, section 7.1).
    """
    import torch

    features: Tensor = network.forward_features(pixels)
    feature_map = feature_map_of(network, features)
    if feature_map is None:
        return (network.forward_head(features, pre_logits=True).flatten(1),)
    mean = feature_map.mean((2, 3))
    if features.ndim == 4 or getattr(network, "global_pool", "avg") == "avg":
        return mean, feature_map
    return torch.cat([network.forward_head(features, pre_logits=True), mean], 1), feature_map


def _card(wishes: SourceCard, shapes: list[tuple[int, ...]], weights: Path) -> BackboneCard:
    dim = shapes[0][1]
    with weights.open("rb") as file:
        origin = hashlib.file_digest(file, "sha256").hexdigest()
    return BackboneCard(
        name=wishes.name,
        licence=wishes.licence,
        source=wishes.source,
        preprocess=wishes.spec,
        embedding_dim=dim,
        feature_map_channels=(dim - shapes[1][1], dim) if len(shapes) > 1 else None,
        origin_sha256=origin,
    )
