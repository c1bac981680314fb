"""Tiny foreign networks as other tools export them: with logits, in NCHW or NHWC, some of them broken."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def classifier_net(
    layout: str = "NCHW",
    *,
    pool: str = "GlobalAveragePool",
    head: bool = True,
    gate: bool = True,
    size: int | str = "s",
    batch: int | str = "n",
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
) -> bytes:
    """Conv → ReLU → squeeze and excitation (`gate`) → pool → [hidden layer (`head`)] → linear layer with 5 logits."""
    rng = np.random.default_rng(7)

    def tensor(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((rng.standard_normal(shape) * 0.3).astype(np.float32), name)

    constants = [
        tensor("w0", 8, 3, 3, 3),
        tensor("b0", 8),
        tensor("gw", 8, 8, 1, 1),
        tensor("w1", 8, 6),
        tensor("w2", 6, 5),
    ]
    if not head:
        constants[-2:] = [tensor("w2", 8, 5)]
    nodes: list[onnx.NodeProto] = []

    def add(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    x = "image"
    if layout == "NHWC":
        x = add("Transpose", [x], "nchw", perm=[0, 3, 1, 2])
    if kind != TensorProto.FLOAT:
        x = add("Cast", [x], "float", to=TensorProto.FLOAT)
    x = add("Relu", [add("Conv", [x, "w0", "b0"], "conv", pads=[1, 1, 1, 1], strides=[2, 2])], "relu")
    if gate:
        squeezed = add("Conv", [add("GlobalAveragePool", [x], "squeezed"), "gw"], "excited")
        x = add("Mul", [x, add("Sigmoid", [squeezed], "gate")], "gated")
    x = _pool(add, x, pool)
    if head:
        x = add("Relu", [add("MatMul", [x, "w1"], "hidden")], "embedding")
    add("Gemm", [x, "w2"], "logits")
    shape = [batch, 3, size, size] if layout == "NCHW" else [batch, size, size, 3]
    inputs = [helper.make_tensor_value_info("image", kind, shape)]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 5])]
    graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))


def _pool(add: Any, x: str, pool: str) -> str:
    if pool == "GlobalAveragePool":
        return str(add("Flatten", [add("GlobalAveragePool", [x], "pooled")], "flat"))
    if pool == "ReduceMean":
        return str(add("ReduceMean", [x], "flat", axes=[-2, -1], keepdims=0))
    if pool == "ReduceMean last":
        moved = add("Transpose", [x], "nhwc", perm=[0, 2, 3, 1])
        return str(add("ReduceMean", [moved], "flat", axes=[1, 2], keepdims=0))
    # A maximum is no mean: such a net has no feature map, only what enters its last linear layer.
    return str(add("Flatten", [add("GlobalMaxPool", [x], "pooled")], "flat"))


def transformer_net(summary: str = "class", *, registers: int = 0, side: int = 32) -> bytes:
    """Patches of 8 px → tokens of 6 channels, with a class token (and registers) in front → a layer → 5 logits.

    `summary` is "class" (its token), "mean" (of all tokens; none in front) or "tokens" (no logits: the tokens themselves).
    """
    rng = np.random.default_rng(11)
    n_front = 0 if summary == "mean" else 1 + registers
    shapes = {"w0": (6, 3, 8, 8), "front": (1, n_front, 6), "mix": (6, 6), "w2": (6, 5)}
    constants = [
        numpy_helper.from_array((rng.standard_normal(shape) * 0.3).astype(np.float32), name)
        for name, shape in shapes.items()
        if 0 not in shape
    ]
    constants += [
        numpy_helper.from_array(np.array(value, np.int64), name)
        for name, value in {
            "flat": [0, 6, -1],
            "zero": 0,
            "one": [1],
            "nothing": [0],
            "start": [0],
            "axis": [0],
        }.items()
    ]
    nodes: list[onnx.NodeProto] = []

    def add(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    x = add("Conv", ["image", "w0"], "patches", strides=[8, 8])
    x = add("Transpose", [add("Reshape", [x, "flat"], "columns")], "patch_tokens", perm=[0, 2, 1])
    if n_front:
        n = add("Slice", [add("Shape", [x], "shape"), "start", "one", "axis"], "n")
        expanded = add("Expand", ["front", add("Concat", [n, "one", "one"], "times", axis=0)], "fronts")
        x = add("Concat", [expanded, x], "all_tokens", axis=1)
    x = add("Tanh", [add("MatMul", [x, "mix"], "mixed")], "tokens")
    outputs = [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["n", n_front + (side // 8) ** 2, 6])]
    if summary != "tokens":
        x = (
            add("Gather", [x, "zero"], "embedding", axis=1)
            if summary == "class"
            else add("ReduceMean", [x], "embedding", axes=[1], keepdims=0)
        )
        add("Gemm", [x, "w2"], "logits")
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 5])]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, side, side])]
    graph = helper.make_graph(nodes, "vit", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))
