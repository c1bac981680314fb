"""The anomaly head as nodes of an ONNX graph: distances of patches, the largest of an image, its probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.fuse import Floats, Nodes
from tellapart.backbones.graph import GraphBuilder
from tellapart.errors import BackboneError, Reason

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class NearestPatchGraph:
    """The largest |patch · scale - memory| of an image's patches to their nearest of `memory` (m, c), float (n,)."""

    memory: Floats
    scale: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the score's nodes; returns the score (n,)."""
        channels = self.memory.shape[1]
        patches = g.add("Mul", g.add("Reshape", embedding, g.ints(0, -1, channels)), g.constant(self.scale))
        products = g.add("MatMul", patches, g.constant(np.ascontiguousarray(2 * self.memory.T)))
        squares = np.einsum("ij,ij->i", self.memory, self.memory).astype(np.float32)
        nearness = _largest(g, g.add("Sub", products, g.constant(squares)), axis=2)
        own = g.add("ReduceSum", g.add("Mul", patches, patches), g.ints(2), keepdims=0)
        square = _largest(g, g.add("Sub", own, nearness), axis=1)
        return g.add("Sqrt", g.add("Relu", square))


@dataclass(frozen=True, slots=True)
class PlaceGaussianGraph:
    """The largest of |(patch - mean of its place) @ whiten|, float (n,); `mean` (places, c), `whiten` (c, r)."""

    mean: Floats
    whiten: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the score's nodes; returns the score (n,)."""
        patches = g.add("Reshape", embedding, g.ints(0, *self.mean.shape))
        white = g.add("MatMul", g.add("Sub", patches, g.constant(self.mean)), g.constant(self.whiten))
        return g.add("Sqrt", _largest(g, g.add("ReduceSum", g.add("Mul", white, white), g.ints(2), keepdims=0), axis=1))


@dataclass(frozen=True, slots=True)
class AnomalyGraph:
    """Probabilities (n, 2) of a score: softmax(± (score - 1) / (2 · tail) / temperature + offset)."""

    score: Nodes
    positive: int
    tail: float
    temperature: Floats
    offset: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the head's nodes; returns the probabilities (n, 2)."""
        signs = np.array([[1, -1]] if self.positive == 0 else [[-1, 1]], np.float32)
        above = g.add("Unsqueeze", g.add("Sub", self.score(g, embedding), g.floats(1)), g.ints(1))
        logits = g.add("Mul", above, g.constant(signs / np.float32(2 * self.tail)))
        scaled = g.add("Add", g.add("Div", logits, g.constant(self.temperature)), g.constant(self.offset))
        return g.add("Softmax", scaled, axis=1)


def anomaly_score_graph(arrays: Arrays) -> Nodes:
    """The score from the arrays of an anomaly head.

    Raises:
        BackboneError: `backbone_invalid` when an array is missing.
    """
    if "memory" in arrays:
        return NearestPatchGraph(*_named(arrays, "memory", "scale"))
    return PlaceGaussianGraph(*_named(arrays, "mean", "whiten"))


def anomaly_graph(arrays: Arrays, activation: str) -> Nodes:  # noqa: ARG001  the signature of head graphs
    """The probabilities from the arrays of an anomaly head.

    Raises:
        BackboneError: `backbone_invalid` when an array is missing.
    """
    positive, tail, temperature, offset = _named(arrays, "positive", "tail", "temperature", "offset")
    return AnomalyGraph(anomaly_score_graph(arrays), int(positive.item()), float(tail.item()), temperature, offset)


def _named(arrays: Arrays, *names: str) -> list[NDArray[Any]]:
    missing = [name for name in names if name not in arrays]
    if missing:
        message = f"the anomaly head cannot be fused, arrays are missing: {', '.join(missing)}"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    return [arrays[name] for name in names]


def _largest(g: GraphBuilder, x: str, axis: int) -> str:
    """The maximum over an axis, by an operator that means the same in all opsets."""
    values, _ = g.add_many("TopK", [x, g.ints(1)], 2, axis=axis, largest=1, sorted=0)
    return g.add("Squeeze", values, g.ints(axis))
