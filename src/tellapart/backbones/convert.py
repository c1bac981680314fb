"""Turn any image ONNX file into the canonical form, and prove that both give the same features."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.graph import float_output, image_input, serialise
from tellapart.backbones.onnx import RUNTIME_ERRORS, OnnxBackbone, open_session
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.backbones.source_card import SourceCard
from tellapart.backbones.surgery import Net, keeps_weights_elsewhere, last_pool, penultimate, prune, rename
from tellapart.backbones.tokens import add_patch_grid
from tellapart.errors import BackboneError, Reason
from tellapart.image.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import onnx

_OLDEST_OPSET = 13
_OURS = ("image", "embedding", "feature_map")
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Conversion:
    """A canonical file and the proof: the largest difference to the original's features, relative to the largest."""

    data: bytes
    card: BackboneCard
    max_difference: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was found in a foreign graph; `image_size` holds 0 where an axis is free.

    Features are `embedding`, the mean of `feature_map`, or both in this order where there are both.
    """

    image: str
    channels_first: bool
    image_size: tuple[int, int]
    float16: bool
    integer: bool
    embedding: str = ""
    feature_map: str | None = None
    map_channels_first: bool = True


def convert_file(path: str | Path, card: SourceCard | None = None) -> Conversion:
    """Convert `net.onnx`; its card is read from `net.json` beside it unless given.

    Raises:
        BackboneError: `backbone_invalid`.
    """
    path = Path(path)
    card = card or SourceCard.beside(path)
    try:
        return convert(path.read_bytes(), card)
    except OSError as exc:
        raise _invalid(f"the network {str(path)!r} cannot be read: {exc.strerror or exc}") from exc


def convert(data: bytes, card: SourceCard) -> Conversion:
    """Convert an image ONNX file: normalisation moves into the graph, features become its outputs.

    Where the network ends in a global average pool, what enters the pool becomes `feature_map`. Original and result
    see the same random images; a difference above 0.001 of the largest feature is refused. A vision transformer's patches
    become the feature map, its embedding its own summary followed by the mean of the patches.

    Raises:
        BackboneError: `backbone_invalid` with what to write into the card.
        SpecError: `bad_spec` when the card's preprocess string does not parse.
    """
    spec = str(PreprocessSpec.parse(card.spec))
    model = parse(data)
    plan = _plan(model, card)
    images = _images(plan, card)
    expected = _reference(model, plan, images, card)
    dim, n_mapped = expected[0].shape[1], 0 if plan.feature_map is None else expected[1].shape[1]
    ours = BackboneCard(
        name=card.name,
        licence=card.licence,
        source=card.source,
        preprocess=spec,
        embedding_dim=dim,
        feature_map_channels=(dim - n_mapped, dim) if n_mapped else None,
        origin_sha256=hashlib.sha256(data).hexdigest(),
        notes=card.notes,
    )
    converted = _rebuild(model, plan, card, ours)
    return Conversion(converted, ours, _prove(converted, images, expected))


def parse(data: bytes) -> onnx.ModelProto:
    """A checked model, opset 13 at least, with all its weights inside.

    Raises:
        BackboneError: `backbone_invalid`.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as exc:
        raise _invalid(f"the network is not an ONNX file, or is cut short: {exc}") from exc
    if not model.graph.node:
        raise _invalid("the network is not an ONNX file, or is cut short: it has no graph")
    if keeps_weights_elsewhere(model):
        raise _invalid("the network keeps weights in a second file (external data); save it as one ONNX file")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as exc:
        raise _invalid(f"the network is not a valid ONNX file: {str(exc).splitlines()[0]}") from exc
    return _modern(model)


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in opset 13 at least: from there on the operators of a head keep their meaning."""
    from onnx import version_converter

    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), _OLDEST_OPSET)
    if opset >= _OLDEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, _OLDEST_OPSET)
    except (RuntimeError, ValueError) as exc:
        raise _invalid(
            f"the network is written in opset {opset} and cannot be lifted to {_OLDEST_OPSET}: {exc}; export it anew"
        ) from exc


def _plan(model: onnx.ModelProto, card: SourceCard) -> _Plan:
    from onnx import TensorProto

    net = Net(model.graph)
    if len(net.inputs) != 1:
        names = [one.name for one in net.inputs]
        raise _invalid(f"a backbone has one input, the image; the network has {len(names)}: {names}")
    kind = net.inputs[0].type.tensor_type
    shape = [axis.dim_value if axis.HasField("dim_value") else 0 for axis in kind.shape.dim]
    if kind.elem_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8):
        got = TensorProto.DataType.Name(kind.elem_type)
        raise _invalid(f"the network's input must be FLOAT, FLOAT16 or UINT8 pixels, got {got}")
    channels_first = _channels_first(shape, card.layout)
    plan = _Plan(
        image=net.inputs[0].name,
        channels_first=channels_first,
        image_size=(shape[2], shape[3]) if channels_first else (shape[1], shape[2]),
        float16=kind.elem_type == TensorProto.FLOAT16,
        integer=kind.elem_type == TensorProto.UINT8,
    )
    embedding, feature_map, map_channels_first = _find_features(model, net, plan, card)
    return replace(plan, embedding=embedding, feature_map=feature_map, map_channels_first=map_channels_first)


def _channels_first(shape: list[int], layout: str) -> bool:
    if len(shape) != 4:
        raise _invalid(f"the network's input must have four axes, got {len(shape)}")
    options = {
        "NCHW": shape[1] == 3 or (shape[1] == 0 and shape[3] != 3),
        "NHWC": shape[3] == 3 or (shape[3] == 0 and shape[1] != 3),
    }
    if layout == "auto":
        layout = "NCHW" if shape[1] == 3 and shape[3] != 3 else "NHWC" if shape[3] == 3 and shape[1] != 3 else ""
    if not options.get(layout, False):
        raise _invalid(
            f"the network's input has the shape {[size or 'free' for size in shape]}, which does not say where its 3 "
            'colour channels are, or contradicts the card; set "layout": "NCHW" or "NHWC" in the card'
        )
    return layout == "NCHW"


def _find_features(model: onnx.ModelProto, net: Net, plan: _Plan, card: SourceCard) -> tuple[str, str | None, bool]:
    """(embedding tensor, feature map tensor or None, channels first); an embedding "" is the feature map's mean."""
    output, wanted = net.graph.output[0].name, card.embedding
    if wanted in ("auto", "pooled"):
        pool = last_pool(net, output)
        if pool is not None:
            return "", *pool
        if wanted == "pooled":
            raise _invalid('the network does not end in a global average pool; set "embedding" in the card')
    if wanted == "auto":
        images = _images(plan, card)[:1]
        grid = add_patch_grid(
            model, output, images.shape[1:3], lambda name: _answers(model, plan, [name], images, card)[0].shape
        )
        if grid is not None:
            return *grid, True
    if wanted in ("auto", "penultimate"):
        tensor = penultimate(net, output)
        if tensor is None:
            raise _invalid(
                "no features were found in the network (neither a global average pool nor a last linear layer); "
                'set "embedding" in the card to the name of a tensor'
            )
        return tensor, None, True
    if wanted not in net.producer:
        raise _invalid(f"the card's embedding {wanted!r} is no tensor of the network; its output is {output!r}")
    return wanted, None, True


def _images(plan: _Plan, card: SourceCard) -> NDArray[np.uint8]:
    height, width = (fixed or wish for fixed, wish in zip(plan.image_size, card.size, strict=True))
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)


def _reference(
    model: onnx.ModelProto, plan: _Plan, images: NDArray[np.uint8], card: SourceCard
) -> list[NDArray[np.float32]]:
    """[embedding, feature map] of the untouched network, one image at a time, as float32 with channels second."""
    answers = [_answers(model, plan, _tensors(plan), images[row : row + 1], card) for row in range(len(images))]
    values = [np.concatenate(each).astype(np.float32) for each in zip(*answers, strict=True)]
    parts = [_as_columns(values[0], len(images))] if plan.embedding else []
    if plan.feature_map is None:
        return parts
    value = values[-1] if plan.map_channels_first else np.moveaxis(values[-1], 3, 1)
    return [np.concatenate([*parts, value.mean(axis=(2, 3))], axis=1), value]


def _answers(
    model: onnx.ModelProto, plan: _Plan, tensors: list[str], images: NDArray[np.uint8], card: SourceCard
) -> list[NDArray[np.generic]]:
    """Values of any tensors of the untouched network."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = [one.name for one in copy.graph.output]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in known)
    session = open_session(serialise(copy), "the network")
    try:
        return list(session.run(tensors, {plan.image: _normalised(images, plan, card)}))
    except RUNTIME_ERRORS as exc:
        raise _invalid(f"the network cannot run an image of {images.shape[1:3]}: {exc}") from exc


def _as_columns(value: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    if value.ndim < 2 or len(value) != count or value.size != count * value.shape[1]:
        raise _invalid(
            f"the embedding must have one row per image, got {value.shape} for {count} images; "
            'set "embedding" in the card to another tensor'
        )
    return value.reshape(count, -1)


def _normalised(images: NDArray[np.uint8], plan: _Plan, card: SourceCard) -> NDArray[np.generic]:
    pixels = images[..., ::-1] if card.colour == "BGR" else images
    if not plan.integer:
        scaled = (pixels * card.scale - np.array(card.mean)) / np.array(card.std)
        pixels = scaled.astype(np.float16 if plan.float16 else np.float32)
    return np.ascontiguousarray(np.moveaxis(pixels, 3, 1) if plan.channels_first else pixels)


def _rebuild(model: onnx.ModelProto, plan: _Plan, card: SourceCard, ours: BackboneCard) -> bytes:
    """The canonical model: prologue, the needed part of the network, epilogue."""
    import onnx
    from onnx import helper

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    prune(graph, _tensors(plan))
    taken = {name: f"source_{name}" for name in _OURS}
    rename(graph, taken)
    nodes = _prologue(graph, plan, card, taken.get(plan.image, plan.image))
    nodes += list(graph.node)
    nodes += _epilogue(plan, [taken.get(name, name) for name in _tensors(plan)])
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    height, width = plan.image_size
    graph.input.append(image_input(height or "h", width or "w"))
    graph.output.append(float_output("embedding", ["n", ours.embedding_dim]))
    if plan.feature_map is not None:
        start, stop = ours.feature_map_channels or (0, 0)
        graph.output.append(float_output("feature_map", ["n", stop - start, "fh", "fw"]))
    del result.metadata_props[:]
    result.producer_name, result.doc_string, graph.doc_string = "tellapart", "", ""
    helper.set_model_props(result, {CARD_KEY: ours.to_json()})
    try:
        onnx.checker.check_model(result)
    except onnx.checker.ValidationError as exc:
        raise _invalid(f"the network cannot be brought into canonical form: {str(exc).splitlines()[0]}") from exc
    return serialise(result)


def _tensors(plan: _Plan) -> list[str]:
    """The tensors that features are made of."""
    return [name for name in (plan.embedding, plan.feature_map) if name]


def _prologue(graph: onnx.GraphProto, plan: _Plan, card: SourceCard, image: str) -> list[onnx.NodeProto]:
    """Nodes from uint8 (n, h, w, 3) RGB to what the network wants.

    `(pixel * scale - mean) / std` is written as `(pixel - mean / scale) * (scale / std)`, and the factor moves into
    the first convolution where there is one: the zeros it pads with still mean `mean`, and one pass over all pixels
    is saved.
    """
    from onnx import TensorProto, helper, numpy_helper

    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if card.colour == "BGR":
        graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0], np.int64), "prologue_bgr"))
        steps.append(("Gather", ["prologue_bgr"], {"axis": 3}))
    if plan.channels_first:
        steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    if not plan.integer:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
        steps += _normalisation(graph, plan, card, image)
    if plan.float16:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT16}))
    nodes, current = [], "image"
    for index, (operator, more, attributes) in enumerate(steps):
        name = image if index == len(steps) - 1 else f"prologue_{index}"
        nodes.append(helper.make_node(operator, [current, *more], [name], name=f"prologue_{index}", **attributes))
        current = name
    return nodes or [helper.make_node("Identity", ["image"], [image], name="prologue_0")]


def _normalisation(
    graph: onnx.GraphProto, plan: _Plan, card: SourceCard, image: str
) -> list[tuple[str, list[str], dict[str, Any]]]:
    from onnx import numpy_helper

    shape = (3, 1, 1) if plan.channels_first else (3,)
    offset = (np.array(card.mean) / card.scale).reshape(shape).astype(np.float32)
    factor = card.scale / np.array(card.std)
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if offset.any():
        graph.initializer.append(numpy_helper.from_array(offset, "prologue_offset"))
        steps.append(("Sub", ["prologue_offset"], {}))
    if (factor != 1).any() and (plan.float16 or not _fold(graph, image, factor)):
        graph.initializer.append(numpy_helper.from_array(factor.reshape(shape).astype(np.float32), "prologue_factor"))
        steps.append(("Mul", ["prologue_factor"], {}))
    return steps


def _fold(graph: onnx.GraphProto, image: str, factor: NDArray[np.float64]) -> bool:
    """Multiply the first convolution's weights per input channel; False where the image goes elsewhere."""
    from onnx import numpy_helper

    net = Net(graph)
    users = net.consumers(image)
    if len(users) != 1 or users[0].op_type != "Conv" or users[0].input[0] != image:
        return False
    weight = net.constants.get(users[0].input[1])
    if weight is None or len(net.consumers(weight.name)) != 1 or len(weight.dims) != 4 or weight.dims[1] != 3:
        return False
    value = numpy_helper.to_array(weight).astype(np.float64) * factor.reshape(1, 3, 1, 1)
    weight.CopyFrom(numpy_helper.from_array(value.astype(np.float32), weight.name))
    return True


def _epilogue(plan: _Plan, features: list[str]) -> list[onnx.NodeProto]:
    from onnx import TensorProto, helper

    nodes, parts = [], []
    if plan.embedding:
        nodes.append(helper.make_node("Flatten", [features[0]], ["epilogue_flat"], name="epilogue_0", axis=1))
        nodes.append(helper.make_node("Cast", ["epilogue_flat"], ["epilogue_summary"], name="epilogue_1", to=1))
        parts.append("epilogue_summary")
    if plan.feature_map is not None:
        turn: dict[str, Any] = {} if plan.map_channels_first else {"perm": [0, 3, 1, 2]}
        operator = "Transpose" if turn else "Identity"
        nodes += [
            helper.make_node(operator, [features[-1]], ["epilogue_map"], name="epilogue_2", **turn),
            helper.make_node("Cast", ["epilogue_map"], ["feature_map"], name="epilogue_3", to=TensorProto.FLOAT),
            helper.make_node("GlobalAveragePool", ["feature_map"], ["epilogue_pooled"], name="epilogue_4"),
            helper.make_node("Flatten", ["epilogue_pooled"], ["epilogue_mean"], name="epilogue_5", axis=1),
        ]
        parts.append("epilogue_mean")
    return [*nodes, helper.make_node("Concat", parts, ["embedding"], name="epilogue_6", axis=1)]


def _prove(data: bytes, images: NDArray[np.uint8], expected: list[NDArray[np.float32]]) -> float:
    """Largest relative difference between the original one image at a time and the result as one batch."""
    features = OnnxBackbone.open(data).run(images)
    found = [features.embedding] + ([] if features.feature_map is None else [features.feature_map])
    # np.max and not max: what is no number must not be passed over.
    worst = float(
        np.max([np.abs(a - b).max() / max(np.abs(b).max(), 1e-6) for a, b in zip(found, expected, strict=True)])
    )
    if not worst <= _TOLERANCE:
        raise _invalid(
            f"the converted network differs from the original by {worst:.2g} of its largest feature "
            f"(at most {_TOLERANCE:g}); does it mix the images of a batch?"
        )
    return worst


def _invalid(message: str) -> BackboneError:
    return BackboneError(Reason.BACKBONE_INVALID, message)
