"""A small writer of ONNX graphs: names are counted, so that equal calls give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

OPSET = 18
IR_VERSION = 9
"""Opset 18 and IR 9 are read by ONNX Runtime 1.15 and later."""


class GraphBuilder:
    """Collects nodes and constants; `model()` turns them into a checked ONNX model."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def constant(self, value: NDArray[Any]) -> str:
        """Name of an initializer with this value; equal values share one."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(value)
        key = (array.dtype.str, np.shape(value), array.tobytes())
        if key not in self._known:
            name = f"{self._prefix}constant_{len(self._known)}"
            self._known[key] = name
            self._constants.append(numpy_helper.from_array(array.reshape(np.shape(value)), name))
        return self._known[key]

    def floats(self, *values: float) -> str:
        """Float32 constant of shape (len(values),)."""
        return self.constant(np.array(values, np.float32))

    def ints(self, *values: int) -> str:
        """Int64 constant of shape (len(values),)."""
        return self.constant(np.array(values, np.int64))

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Append a node with one output and return that output's name."""
        return self.add_many(operator, inputs, 1, names=None if output is None else [output], **attributes)[0]

    def add_many(
        self, operator: str, inputs: Sequence[str], count: int, *, names: Sequence[str] | None = None, **attributes: Any
    ) -> list[str]:
        """Append a node with `count` outputs and return their names."""
        from onnx import helper

        label = f"{self._prefix}{operator.lower()}_{len(self._nodes)}"
        outputs = list(names) if names is not None else [f"{label}_{index}" for index in range(count)]
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, name=label, **attributes))
        return outputs

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """The nodes so far, in topological order."""
        return self._nodes

    @property
    def constants(self) -> list[onnx.TensorProto]:
        """The initializers so far."""
        return self._constants

    def model(
        self,
        name: str,
        *,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        metadata: Mapping[str, str] | None = None,
    ) -> onnx.ModelProto:
        """The finished model."""
        from onnx import helper

        graph = helper.make_graph(self._nodes, name, list(inputs), list(outputs), self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="tellapart",
        )
        helper.set_model_props(model, dict(metadata or {}))
        return model


def image_input(height: int | str = "h", width: int | str = "w") -> onnx.ValueInfoProto:
    """The canonical input: `image`, uint8 (n, h, w, 3)."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", height, width, 3])


def float_output(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """A float32 output."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def serialise(model: onnx.ModelProto) -> bytes:
    """Bytes of a model, equal for equal models."""
    return bytes(model.SerializeToString(deterministic=True))
