"""Scores of strangeness as nodes of an ONNX graph, beside the plain distance of `fuse`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.fuse import DistanceGraph, Floats, distance_graph
from tellapart.backbones.graph import GraphBuilder
from tellapart.errors import BackboneError, Reason


@dataclass(frozen=True, slots=True)
class ClassDistanceGraph:
    """Distance to the nearest of `centres` (k, r) beside that from the subspace of `space`, float (n,).

    With z and p as in `DistanceGraph`: `sqrt(min over classes of sum((p * weight - centre)²) + sum((z - p @ basisᵀ)²) * rest)`.
    """

    space: DistanceGraph
    centres: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the score's nodes; returns the score (n,)."""
        points, remainder = self.space.parts(g, embedding)
        return g.add("Sqrt", g.add("Add", _nearest(g, points, self.centres), remainder))


@dataclass(frozen=True, slots=True)
class RelativeDistanceGraph:
    """With p = (x - mean) @ directions: `min over classes of sum((p - centre)²) - sum(p² * background)`, scaled; float (n,).

    `mean` (d,), `directions` (d, m), `centres` (k, m), `background` (m,), `range` (2,): the values that become 0 and 1.
    """

    mean: Floats
    directions: Floats
    centres: Floats
    background: Floats
    range: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the score's nodes; returns the score (n,)."""
        points = g.add("MatMul", g.add("Sub", embedding, g.constant(self.mean)), g.constant(self.directions))
        squares = g.add("Mul", points, points)
        background = g.add("ReduceSum", g.add("Mul", squares, g.constant(self.background)), g.ints(1), keepdims=0)
        return _scaled(g, g.add("Sub", _nearest(g, points, self.centres), background), self.range)


@dataclass(frozen=True, slots=True)
class EnergyGraph:
    """`-log Σ exp(x @ weight + bias)`, scaled: float (n,). `weight` (d, k), `bias` (k,), `range` (2,) as above."""

    weight: Floats
    bias: Floats
    range: Floats

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        """Add the score's nodes; returns the score (n,)."""
        logits = g.add("Gemm", embedding, g.constant(self.weight), g.constant(self.bias))
        largest = _largest(g, logits)
        total = g.add("ReduceSum", g.add("Exp", g.add("Sub", logits, largest)), g.ints(1), keepdims=1)
        evidence = g.add("Squeeze", g.add("Add", g.add("Log", total), largest), g.ints(1))
        return _scaled(g, g.add("Neg", evidence), self.range)


def class_distance_graph(arrays: Mapping[str, NDArray[Any]]) -> ClassDistanceGraph:
    """From the arrays of `distance_graph` and `ood_centres`.

    Raises:
        BackboneError: `backbone_invalid` when an array is missing.
    """
    return ClassDistanceGraph(distance_graph(arrays), *_named(arrays, ["ood_centres"]))


def relative_distance_graph(arrays: Mapping[str, NDArray[Any]]) -> RelativeDistanceGraph:
    """From the arrays `ood_mean`, `ood_directions`, `ood_centres`, `ood_background`, `ood_range`.

    Raises:
        BackboneError: `backbone_invalid` when an array is missing.
    """
    names = ("mean", "directions", "centres", "background", "range")
    return RelativeDistanceGraph(*_named(arrays, [f"ood_{name}" for name in names]))


def energy_graph(arrays: Mapping[str, NDArray[Any]]) -> EnergyGraph:
    """From the head's `weight` and `bias`, and `ood_range`.

    Raises:
        BackboneError: `backbone_invalid` when an array is missing.
    """
    return EnergyGraph(*_named(arrays, ["weight", "bias", "ood_range"]))


def _nearest(g: GraphBuilder, points: str, centres: Floats) -> str:
    """Squared distance (n,) of points (n, r) to the nearest of centres (k, r), not below 0."""
    own = g.add("ReduceSum", g.add("Mul", points, points), g.ints(1), keepdims=0)
    lengths = -np.einsum("ij,ij->i", centres, centres)
    closeness = g.add("Gemm", points, g.constant(np.ascontiguousarray(2 * centres.T)), g.constant(lengths))
    return g.add("Relu", g.add("Sub", own, g.add("Squeeze", _largest(g, closeness), g.ints(1))))


def _largest(g: GraphBuilder, x: str) -> str:
    """The largest of each row: (n, k) → (n, 1). ReduceMax takes its axis in another way from opset 18 on, TopK does not."""
    return g.add_many("TopK", [x, g.ints(1)], 2, axis=1, largest=1, sorted=1)[0]


def _scaled(g: GraphBuilder, value: str, bounds: Floats) -> str:
    """`max(0, (value - lowest) / (level - lowest))`."""
    lowest, level = (float(np.float32(bound)) for bound in bounds)
    away = g.add("Sub", value, g.floats(lowest))
    return g.add("Relu", g.add("Div", away, g.floats(level - lowest)))


def _named(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> list[NDArray[Any]]:
    missing = [name for name in names if name not in arrays]
    if missing:
        message = f"the score of strangeness cannot be fused, arrays are missing: {', '.join(missing)}"
        raise BackboneError(Reason.BACKBONE_INVALID, message)
    return [arrays[name] for name in names]
