"""Networks in torch as canonical ONNX files, proven: ONNX Runtime gives what torch gives."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.backbones.graph import serialise
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.errors import BackboneError, Reason

TOLERANCE = 1e-3
"""Largest difference torch ↔ ONNX Runtime that is let through, relative to the largest feature."""

_OPSET = 18
Features = Callable[[Tensor], tuple[Tensor, ...]]


class Canonical(nn.Module):
    """uint8 (n, h, w, 3) → what `features` makes of the normalised pixels: the embedding and, if there is one, a map."""

    def __init__(self, network: nn.Module, features: Features, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self._features = features
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map uint8 (n, h, w, 3) to float32 (n, d) and perhaps (n, c, h', w')."""
        return self._features((image.permute(0, 3, 1, 2).float() - self.mean) / self.std)


def examples(size: tuple[int, int], n_sizes: int) -> list[NDArray[np.uint8]]:
    """Random batches of (height, width); a second, wider size where `n_sizes` is 2."""
    rng = np.random.default_rng(0)
    height, width = size
    shapes = [(2, height, width, 3), (3, height, width + 32, 3)][:n_sizes]
    return [rng.integers(0, 256, shape, np.uint8) for shape in shapes]


def answers(module: nn.Module, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """What a canonical module in evaluation mode says of uint8 (n, h, w, 3)."""
    with torch.inference_mode():
        return [part.numpy() for part in module(torch.from_numpy(pixels))]


def exported(module: nn.Module, example: NDArray[np.uint8], card: BackboneCard, *, fixed: bool) -> bytes:
    """The ONNX file with its card; `fixed` networks take images of the example's size only.

    torch's older exporter on purpose: over 25 families it took 0.5–9 s where the newer one took 15–360 s, and needs
    no further library.

    Raises:
        BackboneError: `backbone_invalid` for a network that the exporter cannot write.
    """
    import onnx
    from onnx import helper

    names = ["embedding", "feature_map"] if card.feature_map_channels else ["embedding"]
    axes = {"image": {0: "n"}, "embedding": {0: "n"}, "feature_map": {0: "n", 2: "fh", 3: "fw"}}
    if not fixed:
        axes["image"] |= {1: "h", 2: "w"}
    with TemporaryDirectory() as folder, _quiet():
        path = Path(folder, "network.onnx")
        torch.onnx.register_custom_op_symbolic("aten::rms_norm", _rms_norm, _OPSET)
        try:
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
        except RuntimeError as exc:  # the exporter's own errors are such, too
            first = str(exc).strip().split(". ", 1)[0]
            message = f"the network {card.name} cannot be written as ONNX: {first}"
            raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
        model = onnx.load(path)
    model.producer_name, model.doc_string = "tellapart", ""
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return serialise(model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of every branch it traces, and prints whole graphs when it fails; what it made is proven instead."""
    # Its switch for the log (torch 2.10 to 2.13) is ignored: `setup_onnx_logging` asks for a function's truth, not its answer.
    log = getattr(torch._C, "_jit_onnx_log", None)
    torch._C._jit_onnx_log = _say_nothing
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._C._jit_onnx_log = log


def _say_nothing(*_: object) -> None:
    return


def _rms_norm(g: Any, x: Any, shape: Any, weight: Any, eps: Any) -> Any:
    """What the exporter lacks: the last axes divided by the root of their mean square, times a weight that may be none."""
    from torch.onnx import symbolic_helper as helper

    n_axes = len(helper._get_const(shape, "is", "normalized_shape"))
    epsilon = float(torch.finfo(torch.float32).eps) if helper._is_none(eps) else helper._get_const(eps, "f", "eps")
    axes = g.op("Constant", value_t=torch.arange(-n_axes, 0))
    mean = g.op("ReduceMean", g.op("Mul", x, x), axes, keepdims_i=1)
    root = g.op("Sqrt", g.op("Add", mean, g.op("Constant", value_t=torch.tensor(epsilon))))
    normed = g.op("Div", x, root)
    return normed if helper._is_none(weight) else g.op("Mul", normed, weight)


def prove(data: bytes, pixels: list[NDArray[np.uint8]], expected: list[list[NDArray[np.float32]]]) -> float:
    """Largest difference torch ↔ ONNX Runtime, relative to the largest feature.

    Raises:
        BackboneError: `backbone_invalid` where it is above `TOLERANCE`.
    """
    backbone = OnnxBackbone.open(data)
    differences = []
    for images, wanted in zip(pixels, expected, strict=True):
        features = backbone.run(images)
        found = [features.embedding, *([] if features.feature_map is None else [features.feature_map])]
        pairs = zip(found, wanted, strict=True)
        differences += [np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-6) for ours, theirs in pairs]
    worst = float(np.max(differences))  # and not max: what is no number must not be passed over
    if not worst <= TOLERANCE:
        raise BackboneError(
            Reason.BACKBONE_INVALID,
            f"the converted network differs from torch by {worst:.2g} of its largest feature (at most {TOLERANCE:g})",
        )
    return worst
