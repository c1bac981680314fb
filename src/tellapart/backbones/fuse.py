"""One ONNX file from backbone and head: uint8 pixels in, probabilities out, everything a program needs inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    """Distance to the nearest centre in a projected space, float (n,): a score that grows with strangeness.

    `min over c of |(x - mean) @ projection - centres[c]|`; `mean` (d,), `projection` (d, r), `centres` (c, r). With the
    whitening matrix as projection and one centre at 0 it is the Mahalanobis distance.
    """

    mean: Floats
    projection: Floats
    centres: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the score's nodes; returns the score (n,)."""
        x = g.add("MatMul", g.add("Sub", embedding, g.constant(self.mean)), g.constant(self.projection))
        apart = g.add("Sub", g.add("Unsqueeze", x, g.ints(1)), g.constant(self.centres[None]))
        squares = g.add("ReduceSum", g.add("Mul", apart, apart), g.ints(2), keepdims=0)
        nearest = g.add_many("TopK", [squares, g.ints(1)], 2, axis=1, largest=0)[0]
        return g.add("Sqrt", g.add("Squeeze", nearest, g.ints(1)))


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
