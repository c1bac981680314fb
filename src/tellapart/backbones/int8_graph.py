"""The graph's side of quantisation: what may become int8, what must not, and the canonical form around the result."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tellapart.backbones.graph import serialise
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.backbones.surgery import Net, used_by
from tellapart.errors import BackboneError, Reason

if TYPE_CHECKING:
    import onnx

KEPT = ("first", "last")
"""Layers that can be left in float by name."""

_HISTOGRAMS = tuple(f"tellapart.backbones.{name}" for name in ("classic", "hog", "sift"))
"""Sources on cards of backbones that count gradients instead of weighting them."""

_WEIGHTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
_INTEGER = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger")


def parsed(data: bytes) -> tuple[onnx.ModelProto, BackboneCard]:
    """A canonical file as a model with its card.

    Raises:
        BackboneError: `backbone_invalid`: not canonical, in int8 already, or without trained weights.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as exc:
        raise _invalid(f"the backbone is not an ONNX file, or is cut short: {exc}") from exc
    cards = [entry.value for entry in model.metadata_props if entry.key == CARD_KEY]
    if not cards:
        raise _invalid(f"the backbone has no card under {CARD_KEY!r}; convert it first (tellapart.backbones.convert)")
    card = BackboneCard.from_json(cards[0])
    if any(node.op_type in _INTEGER or node.op_type.startswith("QLinear") for node in model.graph.node):
        raise _invalid(f"the backbone {card.name!r} is in int8 already; quantise the float file it was made of")
    if card.source in _HISTOGRAMS:
        raise _invalid(
            f"the backbone {card.name!r} has no trained weights that int8 could make smaller or faster, and its histograms "
            "would lose their precision; quantise models with a trained network"
        )
    if not weighted_nodes(model.graph):
        raise _invalid(
            f"the backbone {card.name!r} has no layer with weights (convolution, matrix product) to make int8"
        )
    return model, card


def with_named_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a name of its own for each node, as the tool addresses them; marked as prepared for it."""
    from onnx import helper

    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type.lower()}_{index}"
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return model


def weighted_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Layers with weights, in order; products of two activations (attention) are none."""
    net = Net(graph)
    image = net.inputs[0].name
    layers = [node for node in graph.node if node.op_type in _WEIGHTED]
    return [node for node in layers if image not in net.ancestors(node.input[1])]


def float_nodes(graph: onnx.GraphProto, keep_float: Collection[str]) -> list[str]:
    """Names of the nodes that stay in float: all but the layers with weights and what stands between two of them.

    Raises:
        BackboneError: `backbone_invalid` when every layer stays in float.
    """
    layers = weighted_nodes(graph)
    chosen = layers[int("first" in keep_float) : len(layers) - int("last" in keep_float)]
    if not chosen:
        raise _invalid(
            f"the backbone has {len(layers)} layers with weights and all of them are kept in float; keep fewer of them"
        )
    net = Net(graph)
    feeding = set().union(*(net.ancestors(node.input[0]) for node in chosen))
    names = {node.name for node in chosen}
    fed: set[str] = set()
    for node in graph.node:
        from_int8 = any(name in fed for name in used_by(node))
        if node.name in names or from_int8:
            fed.update(node.output)
        if from_int8 and node.op_type not in _WEIGHTED and feeding.intersection(node.output):
            names.add(node.name)
    return [node.name for node in graph.node if node.name not in names]


def finished(model: onnx.ModelProto, original: onnx.ModelProto, card: BackboneCard) -> bytes:
    """The tool's result with the original's inputs and outputs, the card, and nothing else beside the graph."""
    import onnx
    from onnx import helper

    graph = model.graph
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.extend(original.graph.input)
    graph.output.extend(original.graph.output)
    graph.doc_string = model.doc_string = model.domain = model.producer_version = ""
    graph.name, model.producer_name = original.graph.name, "tellapart"
    domains = {node.domain or "" for node in graph.node}
    opsets = [one for one in model.opset_import if one.domain in domains]
    del model.opset_import[:], model.metadata_props[:]
    model.opset_import.extend(opsets)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    onnx.checker.check_model(model)
    return serialise(model)


def _invalid(message: str) -> BackboneError:
    return BackboneError(Reason.BACKBONE_INVALID, message)
