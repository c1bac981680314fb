"""A fake backbone for everyone's tests: a few kilobytes, deterministic, tells colours and simple textures apart."""

from __future__ import annotations

import functools

import numpy as np

from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.protocol import CARD_KEY, BackboneCard

TINY_DIM = 16


@functools.cache
def tiny_backbone_bytes(name: str = "tiny", spec: str = "decode|upright|fit(32)", *, feature_map: bool = True) -> bytes:
    """A canonical backbone file: any image size from 4 px, 16 columns, all of them means of the feature map.

    Channels 0–2 are mean colours, 3–5 their darkness, the others rectified edges of each colour in four directions.
    """
    g = GraphBuilder()
    x = g.add("Transpose", g.add("Cast", "image", to=1), perm=[0, 3, 1, 2])
    x = g.add("Mul", x, g.constant(np.float32(1 / 255)))
    weight, bias = tiny_filters()
    x = g.add("Conv", x, g.constant(weight), g.constant(bias), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = g.add("Relu", x, output="feature_map")
    g.add("ReduceMean", x, g.ints(2, 3), output="embedding", keepdims=0)
    card = BackboneCard(
        name=name,
        licence="Apache-2.0",
        source="tests/builders_onnx.py",
        preprocess=spec,
        embedding_dim=TINY_DIM,
        feature_map_channels=(0, TINY_DIM) if feature_map else None,
    )
    outputs = [float_output("embedding", ["n", TINY_DIM])]
    if feature_map:
        outputs.append(float_output("feature_map", ["n", TINY_DIM, "fh", "fw"]))
    return serialise(g.model("tiny", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: card.to_json()}))


def tiny_filters() -> tuple[np.ndarray, np.ndarray]:
    """Float32 (16, 3, 3, 3) filters and (16,) biases."""
    weight = np.zeros((TINY_DIM, 3, 3, 3), np.float32)
    bias = np.zeros(TINY_DIM, np.float32)
    for colour in range(3):
        weight[colour, colour, 1, 1] = 1
        weight[3 + colour, colour, 1, 1] = -1
        bias[3 + colour] = 1
    for channel in range(6, TINY_DIM):
        angle = np.pi * (channel - 6) / 5
        y, x = np.mgrid[-1:2, -1:2]
        weight[channel, (channel - 6) % 3] = np.cos(angle) * x + np.sin(angle) * y
    return weight, bias
