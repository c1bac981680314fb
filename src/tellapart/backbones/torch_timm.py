"""timm networks as canonical ONNX files. The one home of torch and timm among the backbones; runs in a process of its own.

Weights come from safetensors, never from a pickle: a folder holds `model.safetensors` and timm's `config.json`, as the
hub and `timm.models.save_for_hf` write them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.backbones.apart import limit_memory
from tellapart.backbones.graph import serialise
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.backbones.source_card import SourceCard
from tellapart.errors import BackboneError, MissingExtra, Reason
from tellapart.extras import require

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 1e-3
_OPSET = 18


def preferred_tag(model: str) -> str:
    """The pretrained tag that timm prefers for an architecture.

    Raises:
        BackboneError: `backbone_unknown`, with near names.
        MissingExtra: without timm.
    """
    timm = _timm()
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
    import torch

    torch.manual_seed(0)
    network = _load(Path(weights), Path(config), size)
    wishes = _wishes(network, name, source, licence, size)
    module = _canonical(network, wishes)
    fixed = _is_fixed(network)
    pixels = _examples(wishes.size, n_sizes=1 if fixed else 2)
    with torch.inference_mode():
        expected = [[part.numpy() for part in module(torch.from_numpy(one))] for one in pixels]
    card = _card(wishes, [part.shape for part in expected[0]], Path(weights))
    data = _exported(module, pixels[0], card, fixed=fixed)
    worst = _prove(data, pixels, expected)
    Path(target).write_bytes(data)
    return {"max_difference": worst}


def _timm() -> Any:
    require("torch", extra="timm", feature="a backbone from a timm checkpoint")
    try:
        return require("timm", extra="timm", feature="a backbone from a timm checkpoint")
    except (RuntimeError, ImportError, AttributeError) as exc:
        # torchvision, which timm imports, built for another torch.
        message = f"timm is installed but does not load ({exc}): pip install --upgrade 'tellapart[timm]' torchvision"
        raise MissingExtra(Reason.MISSING_EXTRA, message) from exc


def _load(weights: Path, config: Path, size: int | None) -> nn.Module:
    """The network in evaluation mode. timm reads a folder in which nothing but these two files lies."""
    timm = _timm()
    described = _read_config(config)
    options: dict[str, Any] = {"exportable": True}
    if size is not None and described.get("pretrained_cfg", {}).get("fixed_input_size"):
        options["img_size"] = size
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
    result: nn.Module = network.eval()
    return result


def _beside(source: Path, target: Path) -> None:
    """The same file in another folder: a link where the system allows one, else a copy."""
    try:
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise BackboneError(Reason.BACKBONE_INVALID, f"{path.name} is not timm's config.json: {exc}") from exc
    if not isinstance(values, dict) or not isinstance(values.get("architecture"), str):
        message = f'{path.name} is not timm\'s config.json: it must name an "architecture"'
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    return values


def _wishes(network: nn.Module, name: str, source: str, licence: str, size: int | None) -> SourceCard:
    """How the network wants its images, from its pretrained configuration."""
    config: Any = network.pretrained_cfg
    height, width = (size, size) if size else config["input_size"][1:]
    kind = config.get("interpolation") or "bilinear"
    return SourceCard(
        name=name,
        licence=licence,
        source=source,
        size=(int(height), int(width)),
        mean=_three(config["mean"]),
        std=_three(config["std"]),
        interpolation=kind if kind in ("bilinear", "bicubic", "nearest", "lanczos") else "bicubic",
    )


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


def _is_fixed(network: nn.Module) -> bool:
    config: Any = network.pretrained_cfg
    return bool(config.get("fixed_input_size")) or hasattr(network, "pos_embed")


def _canonical(network: nn.Module, wishes: SourceCard) -> nn.Module:
    """uint8 (n, h, w, 3) → embedding and, where the network has places, its feature map.

    Where it ends in a map, the embedding is the map's mean. A transformer's embedding is its own summary (class token or
    attention pool) followed by the mean of its patches, as DINOv2 is judged (Oquab et al. 2023, section 7.1).
    """
    import torch

    class Canonical(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("mean", torch.tensor(wishes.mean).view(1, 3, 1, 1) * 255)
            self.register_buffer("std", torch.tensor(wishes.std).view(1, 3, 1, 1) * 255)

        def forward(self, image: Tensor) -> tuple[Tensor, ...]:
            pixels = (image.permute(0, 3, 1, 2).float() - self.mean) / self.std
            return _features(self.network, pixels)

    return Canonical().eval()


def _features(network: Any, pixels: Tensor) -> tuple[Tensor, ...]:
    import torch

    features: Tensor = network.forward_features(pixels)
    if features.ndim == 4:
        if getattr(network, "output_fmt", "NCHW") == "NHWC":
            features = features.permute(0, 3, 1, 2)
        return features.mean((2, 3)), features
    grid = getattr(getattr(network, "patch_embed", None), "grid_size", None)
    n_prefix = getattr(network, "num_prefix_tokens", 0)
    if features.ndim != 3 or grid is None or features.shape[1] != n_prefix + grid[0] * grid[1]:
        return (network.forward_head(features, pre_logits=True).flatten(1),)
    patches = features[:, n_prefix:]
    feature_map = patches.transpose(1, 2).reshape(-1, features.shape[2], grid[0], grid[1])
    mean = patches.mean(1)
    if getattr(network, "global_pool", "avg") == "avg":
        return mean, feature_map
    return torch.cat([network.forward_head(features, pre_logits=True), mean], 1), feature_map


def _examples(size: tuple[int, int], n_sizes: int) -> list[np.ndarray]:
    """Random batches; a second size, where the network takes any."""
    rng = np.random.default_rng(0)
    height, width = size
    shapes = [(2, height, width, 3), (3, height, width + 32, 3)][:n_sizes]
    return [rng.integers(0, 256, shape, np.uint8) for shape in shapes]


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


def _exported(module: nn.Module, example: np.ndarray, card: BackboneCard, *, fixed: bool) -> bytes:
    """The ONNX file with its card.

    torch's older exporter on purpose: over 25 families it took 0.5–9 s where the newer one took 15–360 s, and needs
    no further library.
    """
    import onnx
    import torch
    from onnx import helper

    names = ["embedding", "feature_map"] if card.feature_map_channels else ["embedding"]
    axes = {"image": {0: "n"}, "embedding": {0: "n"}, "feature_map": {0: "n", 2: "fh", 3: "fw"}}
    if not fixed:
        axes["image"] |= {1: "h", 2: "w"}
    with TemporaryDirectory() as folder, _quiet():
        path = Path(folder, "network.onnx")
        torch.onnx.export(
            module,
            (torch.from_numpy(example),),
            str(path),
            input_names=["image"],
            output_names=names,
            dynamic_axes={name: axes[name] for name in ["image", *names]},
            opset_version=_OPSET,
            dynamo=False,
        )
        model = onnx.load(path)
    model.producer_name, model.doc_string = "tellapart", ""
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return serialise(model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of every branch it traces; what it made is proven instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _prove(data: bytes, pixels: list[np.ndarray], expected: list[list[np.ndarray]]) -> float:
    """Largest difference torch ↔ ONNX Runtime, relative to the largest feature."""
    backbone = OnnxBackbone.open(data)
    differences = []
    for images, wanted in zip(pixels, expected, strict=True):
        features = backbone.run(images)
        found = [features.embedding, features.feature_map][: len(wanted)]
        pairs = zip(found, wanted, strict=True)
        differences += [np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-6) for ours, theirs in pairs]
    worst = float(np.max(differences))  # and not max: what is no number must not be passed over
    if not worst <= TOLERANCE:
        raise BackboneError(
            Reason.BACKBONE_INVALID,
            f"the converted network differs from torch by {worst:.2g} of its largest feature (at most {TOLERANCE:g})",
        )
    return worst
