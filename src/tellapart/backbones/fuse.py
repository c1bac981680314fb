"""One ONNX file from backbone and head: uint8 pixels in, probabilities out, everything a program needs inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.graph import GraphBuilder, float_output, serialise
from tellapart.backbones.surgery import prune
from tellapart.errors import BackboneError, Reason

Floats = NDArray[np.float32]

Nodes = Callable[[GraphBuilder, str], str]
"""Adds nodes that read a tensor (n, d) and returns the name of what they make.

The nodes keep to operators that mean the same in opsets 13 to 20 (no ReduceMin, ReduceMax, ReduceMean).
"""


@dataclass(frozen=True, slots=True)
class HeadGraph:
    """A linear head as arrays: `softmax or sigmoid ((x @ weight + bias) / temperature + offset)`.

    `weight` is float32 (d, k), `bias`, `temperature` and `offset` float32 (k,). `activation` is "softmax" or "sigmoid".
    """

    weight: Floats
    bias: Floats
    temperature: Floats
    offset: Floats
    activation: str

    def __post_init__(self) -> None:
        rows = {self.bias.shape, self.temperature.shape, self.offset.shape}
        if self.activation not in ("softmax", "sigmoid") or self.weight.ndim != 2 or rows != {self.weight.shape[1:]}:
            shapes = [one.shape for one in (self.weight, self.bias, self.temperature, self.offset)]
            raise ValueError(
                "HeadGraph wants weight (d, k), bias, temperature, offset (k,) and 'softmax' or 'sigmoid', "
                f"got {shapes} and {self.activation!r}"
            )

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the head's nodes; returns the probabilities (n, k)."""
        logits = g.add("Gemm", embedding, g.constant(self.weight), g.constant(self.bias))
        scaled = g.add("Add", g.add("Div", logits, g.constant(self.temperature)), g.constant(self.offset))
        return g.add("Softmax", scaled, axis=1) if self.activation == "softmax" else g.add("Sigmoid", scaled)


@dataclass(frozen=True, slots=True)
class DistanceGraph:
    """Distance from a low-rank Gaussian, float (n,): a score that grows with strangeness.

    With z = (x - mean) / scale and p = z @ basis: `sqrt(sum((p * weight)²) + sum((z - p @ basisᵀ)²) * rest)`; `mean` and
    `scale` (d,), `basis` (d, r), `weight` (r,), `rest` (1,), all float32.
    """

    mean: Floats
    scale: Floats
    basis: Floats
    weight: Floats
    rest: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the score's nodes; returns the score (n,)."""
        weighted, remainder = self.parts(g, embedding)
        return g.add("Sqrt", g.add("Add", _squares(g, weighted), remainder))

    def parts(self, g: GraphBuilder, embedding: str) -> tuple[str, str]:
        """`p * weight` (n, r), and the weighted square of what lies beside the basis (n,)."""
        z = g.add("Div", g.add("Sub", embedding, g.constant(self.mean)), g.constant(self.scale))
        inside = g.add("MatMul", z, g.constant(self.basis))
        outside = g.add("Sub", z, g.add("MatMul", inside, g.constant(np.ascontiguousarray(self.basis.T))))
        weighted = g.add("Mul", inside, g.constant(self.weight))
        return weighted, g.add("Mul", _squares(g, outside), g.constant(self.rest))


def _squares(g: GraphBuilder, x: str) -> str:
    """Sum of squares over the columns: (n, d) → (n,)."""
    return g.add("ReduceSum", g.add("Mul", x, x), g.ints(1), keepdims=0)


def linear_graph(arrays: Mapping[str, NDArray[Any]], activation: str) -> HeadGraph:
    """A linear head from its arrays, named as in `head.safetensors`; others are ignored.

    Raises:
        BackboneError: `backbone_invalid` when an array is missing.
    """
    weight, bias, temperature, offset = _named(arrays, ["weight", "bias", "temperature", "offset"])
    return HeadGraph(weight, bias, temperature, offset, activation)


def distance_graph(arrays: Mapping[str, NDArray[Any]]) -> DistanceGraph:
    """The distance from the arrays `ood_mean`, `ood_scale`, `ood_basis`, `ood_weight`, `ood_rest`; others are ignored.

    Raises:
        BackboneError: `backbone_invalid` when an array is missing.
    """
    return DistanceGraph(*_named(arrays, [f"ood_{field.name}" for field in fields(DistanceGraph)]))


def _named(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> list[NDArray[Any]]:
    missing = [name for name in names if name not in arrays]
    if missing:
        message = f"the head cannot be fused, arrays are missing: {', '.join(missing)}"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    return [arrays[name] for name in names]


def fuse(
    backbone: bytes,
    *,
    probabilities: Nodes,
    n_classes: int,
    ood_score: Nodes | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """One ONNX file: `image` uint8 (n, h, w, 3) → `probabilities` (n, k), `ood_score` (n,), `embedding` (n, d).

    `probabilities` is a `HeadGraph` or any other `Nodes`; without `ood_score` the file has no such output. `metadata`
    (labels, task, thresholds, preprocess string, model id, as text) is added to the backbone's card.

    Raises:
        BackboneError: `backbone_invalid` when the parts do not fit.
    """
    import onnx
    from onnx import helper

    model = onnx.load_model_from_string(backbone)
    graph = model.graph
    dim = _embedding_dim(model)
    prune(graph, ["embedding"])
    g = GraphBuilder("head/")
    made = {"probabilities": probabilities(g, "embedding")}
    if ood_score is not None:
        made["ood_score"] = ood_score(g, "embedding")
    for name, tensor in made.items():
        g.add("Identity", tensor, output=name)
    graph.node.extend(g.nodes)
    graph.initializer.extend(g.constants)
    shapes: dict[str, list[int | str]] = {"probabilities": ["n", n_classes], "ood_score": ["n"]}
    graph.output.extend(float_output(name, shapes[name]) for name in made)
    graph.output.append(float_output("embedding", ["n", dim]))
    known = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, dict(sorted({**known, **(metadata or {})}.items())))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as exc:
        message = f"backbone and head do not fit together: {str(exc).strip().splitlines()[-1]}"
        raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
    return serialise(model)


def _embedding_dim(model: object) -> int:
    import onnx

    from tellapart.backbones.protocol import CARD_KEY, BackboneCard

    if not isinstance(model, onnx.ModelProto):
        raise TypeError(f"expected a ModelProto, got {type(model).__name__}")
    cards = [entry.value for entry in model.metadata_props if entry.key == CARD_KEY]
    if not cards:
        message = f"the backbone has no card under {CARD_KEY!r}; convert it first (tellapart.backbones.convert)"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    return BackboneCard.from_json(cards[0]).embedding_dim
