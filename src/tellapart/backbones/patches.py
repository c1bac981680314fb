"""A backbone's view of each place of an image: its graph cut at a mid-level map, whose cells become the embedding.

What a network's last layers make of an image tells what it shows; the layers below keep where, and how it looks there.
Each cell of such a map is a patch as PatchCore has it (Roth et al. 2022, https://arxiv.org/abs/2106.08265). The cells
have length 1, since their length follows the light, and are brought to few channels by a random projection that is the
same for equal networks (Johnson & Lindenstrauss 1984). They are not averaged with their neighbours: on surfaces that hid
the small defects (docs/anomaly.md has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.onnx import RUNTIME_ERRORS, open_session
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.backbones.surgery import Net, prune
from tellapart.errors import BackboneError, Reason
from tellapart.image.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import onnx

CHANNELS = 96
"""Of each patch: 64 to 192 served alike on the tiles."""
_COARSEST_STRIDE = 16
_FEWEST_CONVOLUTIONS = 3


@dataclass(frozen=True, slots=True)
class PatchNetwork:
    """A canonical backbone whose embedding is (rows · columns · channels) of an image, row by row, and that grid."""

    data: bytes
    rows: int
    columns: int
    channels: int


@dataclass(frozen=True, slots=True)
class _Map:
    """A tensor (n, c, h', w') of the graph."""

    name: str
    channels: int
    rows: int
    columns: int


def patch_network(backbone: bytes, preprocess: str, *, channels: int = CHANNELS) -> PatchNetwork:
    """The patches of a canonical backbone for images as `preprocess` makes them; equal input gives equal bytes.

    The map is the last one below the network's feature map whose cells are at most 16 px apart and that at least three
    convolutions made; of a vision transformer it is the grid of its tokens.

    Raises:
        BackboneError: `backbone_invalid` for a network without a feature map, or one that cannot see images of this size.
        SpecError: `bad_spec`.
    """
    import onnx
    from onnx import helper

    size = PreprocessSpec.parse(preprocess).size
    model = onnx.load_model_from_string(backbone)
    card = BackboneCard.from_json(next(entry.value for entry in model.metadata_props if entry.key == CARD_KEY))
    if card.feature_map_channels is None:
        raise _refused(card, "has no feature map, so it cannot tell where in an image something is")
    found = _chosen(_maps(model, card, size), size)
    kept = min(channels, found.channels)
    dim = found.rows * found.columns * kept
    prune(model.graph, [found.name])
    _end(model, found, kept)
    _fix_shapes(model, size, dim)
    ours = replace(
        card,
        name=f"{card.name}-patches",
        preprocess=preprocess,
        embedding_dim=dim,
        feature_map_channels=None,
        smallest_px=None,
        notes=f"{found.rows}x{found.columns} patches of {kept} values. {card.notes}".strip(),
    )
    helper.set_model_props(model, {CARD_KEY: ours.to_json()})
    onnx.checker.check_model(model)
    return PatchNetwork(serialise(model), found.rows, found.columns, kept)


def _maps(model: onnx.ModelProto, card: BackboneCard, size: tuple[int, int]) -> list[_Map]:
    """Maps through which all that the feature map knows has passed, from the image up; the feature map is the last."""
    net = Net(model.graph)
    needed = net.ancestors("feature_map")
    gates = [
        node.output[0]
        for node in model.graph.node
        if node.output[0] in needed and node.op_type != "Constant" and net.is_gate(node, "feature_map")
    ]
    deep = [name for name in gates if name == "feature_map" or _n_convolutions(net, name) >= _FEWEST_CONVOLUTIONS]
    values = _run(model, card, deep, size)
    maps = [_Map(name, *value.shape[1:]) for name, value in zip(deep, values, strict=True) if value.ndim == 4]
    # Channels in the last place, or tokens in a row, are no map: theirs is not the image's shape.
    return [one for one in maps if one.rows * size[1] == one.columns * size[0] or one.name == "feature_map"]


def _n_convolutions(net: Net, tensor: str) -> int:
    nodes = {id(node): node for name in net.ancestors(tensor) if (node := net.producer.get(name)) is not None}
    return sum(node.op_type in ("Conv", "ConvInteger", "QLinearConv") for node in nodes.values())


def _run(
    model: onnx.ModelProto, card: BackboneCard, names: Sequence[str], size: tuple[int, int]
) -> list[NDArray[np.float32]]:
    """Values of tensors for a grey image."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {one.name for one in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = open_session(serialise(copy), f"the backbone {card.name!r}")
    try:
        return list(session.run(list(names), {"image": np.full((1, *size, 3), 128, np.uint8)}))
    except RUNTIME_ERRORS as exc:
        reason = f"cannot see images of {size[1]}x{size[0]} px; its own preprocess string is {card.preprocess!r}"
        raise _refused(card, reason) from exc


def _chosen(maps: Sequence[_Map], size: tuple[int, int]) -> _Map:
    """The last map below the feature map that is fine enough; the feature map itself where there is none."""
    top = maps[-1]
    # Passed on under another name, the feature map is still the top.
    below = [one for one in maps if (one.channels, one.rows, one.columns) != (top.channels, top.rows, top.columns)]
    fine = [one for one in below if size[0] <= one.rows * _COARSEST_STRIDE]
    return fine[-1] if fine else top


def _end(model: onnx.ModelProto, found: _Map, kept: int) -> None:
    """Nodes from the map to `embedding`: length 1, fewer channels, channels last, in a row."""
    g = GraphBuilder("patches/")
    squares = g.add("ReduceSum", g.add("Mul", found.name, found.name), g.ints(1), keepdims=1)
    cells = g.add("Div", found.name, g.add("Sqrt", g.add("Add", squares, g.floats(1e-12))))
    if kept < found.channels:
        cells = g.add("Conv", cells, g.constant(_projection(found.channels, kept)[:, :, None, None]))
    last = g.add("Transpose", cells, perm=[0, 2, 3, 1])
    g.add("Flatten", last, output="embedding", axis=1)
    model.graph.node.extend(g.nodes)
    model.graph.initializer.extend(g.constants)


def _projection(channels: int, kept: int) -> NDArray[np.float32]:
    """Random directions (kept, channels) that keep distances on average."""
    drawn = np.random.default_rng(0).standard_normal((kept, channels))
    return np.asarray(drawn / np.sqrt(kept), np.float32)


def _fix_shapes(model: onnx.ModelProto, size: tuple[int, int], dim: int) -> None:
    del model.graph.input[:]
    model.graph.input.append(image_input(*size))
    model.graph.output.append(float_output("embedding", ["n", dim]))


def _refused(card: BackboneCard, why: str) -> BackboneError:
    return BackboneError(Reason.BACKBONE_INVALID, f"the backbone {card.name!r} {why}")
