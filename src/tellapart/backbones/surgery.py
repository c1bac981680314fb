"""Looking into and cutting foreign ONNX graphs: who makes what, what may be removed, where the features are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

_LINEAR = ("Gemm", "MatMul")
_POOLS = ("GlobalAveragePool", "ReduceMean")


class Net:
    """A graph with its lookups: constants by name, producer by tensor."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.producer = {name: node for node in graph.node for name in node.output if name}
        self.inputs = [one for one in graph.input if one.name not in self.constants]

    def consumers(self, tensor: str) -> list[onnx.NodeProto]:
        """Nodes that read a tensor, also from inside a subgraph."""
        return [node for node in self.graph.node if tensor in used_by(node)]

    def ancestors(self, tensor: str, *, without: onnx.NodeProto | None = None) -> set[str]:
        """Names of all tensors that a tensor depends on, itself included; `without` is taken out of the graph."""
        seen: set[str] = set()
        waiting = [tensor]
        while waiting:
            name = waiting.pop()
            node = self.producer.get(name)
            if name in seen:
                continue
            seen.add(name)
            if node is not None and node is not without:
                waiting.extend(used_by(node))
        return seen

    def is_gate(self, node: onnx.NodeProto, output: str) -> bool:
        """Whether every path from the image to `output` goes through `node`."""
        return self.inputs[0].name not in self.ancestors(output, without=node)

    def value(self, name: str) -> np.ndarray | None:
        """Value of an initializer or of a Constant node, None for a computed tensor."""
        from onnx import numpy_helper

        if name in self.constants:
            return np.asarray(numpy_helper.to_array(self.constants[name]))
        node = self.producer.get(name)
        if node is not None and node.op_type == "Constant" and node.attribute[0].name == "value":
            return np.asarray(numpy_helper.to_array(node.attribute[0].t))
        if node is not None and node.op_type == "Identity":
            return self.value(node.input[0])
        return None


def used_by(node: onnx.NodeProto) -> Iterator[str]:
    """Names a node reads, those of its subgraphs included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from used_by(inner)


def pool_axes(net: Net, node: onnx.NodeProto) -> tuple[int, ...] | None:
    """Axes (of a four-axis tensor, not negative) over which a pool takes its mean; None for anything else."""
    if node.op_type == "GlobalAveragePool":
        return (2, 3)
    found = tuple(sorted(axis % 4 for axis in mean_axes(net, node)))
    return found if found in ((2, 3), (1, 2)) else None


def mean_axes(net: Net, node: onnx.NodeProto) -> list[int]:
    """The axes of a ReduceMean as they are written; none for anything else, or where they are computed."""
    if node.op_type != "ReduceMean":
        return []
    axes = next((list(one.ints) for one in node.attribute if one.name == "axes"), None)
    if axes is None and len(node.input) > 1:
        value = net.value(node.input[1])
        axes = None if value is None else value.reshape(-1).tolist()
    return [int(axis) for axis in axes or []]


def last_pool(net: Net, output: str) -> tuple[str, bool] | None:
    """The feature map that a global average pool ends: (tensor, channels are first), or None.

    Pools inside squeeze-and-excitation blocks do not count: the image also flows around them.
    """
    needed = net.ancestors(output)
    for node in reversed(net.graph.node):
        if node.op_type in _POOLS and node.output[0] in needed:
            axes = pool_axes(net, node)
            if axes is not None and net.is_gate(node, output):
                return node.input[0], axes == (2, 3)
    return None


def penultimate(net: Net, output: str) -> str | None:
    """What enters the last linear layer in front of `output`, or None where there is none."""
    needed = net.ancestors(output)
    for node in reversed(net.graph.node):
        if node.op_type in _LINEAR and node.output[0] in needed and net.value(node.input[1]) is not None:
            return node.input[0] if net.is_gate(node, output) else None
    return None


def keeps_weights_elsewhere(model: onnx.ModelProto) -> bool:
    """Whether any tensor, however deep in subgraphs and functions, lies in another file (external data)."""
    import onnx

    return any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model))


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                yield from _graph_tensors(graph)


def prune(graph: onnx.GraphProto, outputs: Iterable[str]) -> None:
    """Drop, in place, every node, constant and shape note that the given tensors do not need."""
    net = Net(graph)
    needed = set().union(*(net.ancestors(name) for name in outputs))
    nodes = [node for node in graph.node if needed.intersection(node.output)]
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)


def rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give tensors other names, in place, subgraphs included."""
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                rename(inner, names)
    for one in (*graph.initializer, *graph.input, *graph.output):
        one.name = names.get(one.name, one.name)
