"""Vision transformers in foreign ONNX graphs: where their tokens are, and the patches among them as a feature map."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.backbones.surgery import Net, mean_axes, penultimate

if TYPE_CHECKING:
    import onnx

_PASSES_ON = ("Identity", "Cast", "Flatten", "Squeeze", "Reshape", "LayerNormalization", "Dropout")
_N_PREFIX = (0, 1, 2, 5)
"""Tokens before the patches: none, a class token, one more for distillation, or four registers."""


def add_patch_grid(
    model: onnx.ModelProto, output: str, size: tuple[int, int], shape_of: Callable[[str], tuple[int, ...]]
) -> tuple[str, str] | None:
    """Append the patch grid (n, c, gh, gw) to a transformer; (summary tensor, grid tensor), or None for another network.

    The summary is what the network itself makes of its tokens before its last layer, "" where it takes their mean.
    `size` is the image's (height, width), which tells how the patches lie. `shape_of` runs the network and tells a
    tensor's shape (shape inference gives up at the class token, which is expanded to a free number of images).
    """
    net = Net(model.graph)
    found = _tokens(net, output, shape_of)
    if found is None:
        return None
    tokens, summary, (count, channels) = found
    layout = _layout(count, size)
    if layout is None:
        return None
    n_prefix, rows, columns = layout
    if summary is None and n_prefix:
        summary = _append(model, "Gather", [tokens, _ints(model, "token_first", 0)], "token_summary", axis=1)
    if summary == "" and n_prefix:
        return None  # a mean over patches and other tokens is no mean of the map
    ends = [
        _ints(model, f"token_{name}", [value]) for name, value in (("start", n_prefix), ("end", count), ("axis", 1))
    ]
    patches = _append(model, "Slice", [tokens, *ends], "token_patches")
    turned = _append(model, "Transpose", [patches], "token_turned", perm=[0, 2, 1])
    shape = _ints(model, "token_shape", [0, channels, rows, columns])
    return summary or "", _append(model, "Reshape", [turned, shape], "token_grid")


def _tokens(
    net: Net, output: str, shape_of: Callable[[str], tuple[int, ...]]
) -> tuple[str, str | None, tuple[int, int]] | None:
    """(tokens, summary, (count, channels)); the summary is None where the tokens are the network's answer, "" for a mean."""
    answer = shape_of(output)
    if len(answer) == 3:
        return output, None, (answer[1], answer[2])
    last = name = penultimate(net, output)
    while name is not None and (node := net.producer.get(name)) is not None:
        takes_one = node.op_type == "Gather" and _attribute(node, "axis") == 1
        if takes_one or mean_axes(net, node) in ([1], [-2]):
            shape = shape_of(node.input[0])
            return (node.input[0], last if takes_one else "", (shape[1], shape[2])) if len(shape) == 3 else None
        if node.op_type not in _PASSES_ON:
            return None
        name = node.input[0]
    return None


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((one.i for one in node.attribute if one.name == name), 0)


def _layout(count: int, size: tuple[int, int]) -> tuple[int, int, int] | None:
    """(tokens before the patches, rows, columns)."""
    height, width = size
    for n_prefix in _N_PREFIX:
        n = count - n_prefix
        rows = round(math.sqrt(max(n, 0) * height / width))
        if rows > 0 and n % rows == 0 and round(rows * width / height) == n // rows:
            return n_prefix, rows, n // rows
    return None


def _ints(model: onnx.ModelProto, name: str, value: int | list[int]) -> str:
    from onnx import numpy_helper

    model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    return name


def _append(model: onnx.ModelProto, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
    from onnx import helper

    model.graph.node.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
    return output
