"""Turn a checkpoint (EMA weights) into the backbone's file: uint8 NHWC in, `embedding` and `feature_map` out, card inside.

The graph is written by hand: batch normalisation folded into the convolutions, normalisation of the image in front (folded
into no convolution, so that zero padding stays exactly what it was in training).
"""

from __future__ import annotations

import argparse
import hashlib
import logging
from pathlib import Path

import numpy as np
import torch
from model import MEAN, STD, Backbone, ConvBn, Residual, Shape, normalise
from torch import Tensor, nn
from torch.nn import functional

from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.pooling import deviation, quarters
from tellapart.backbones.protocol import CARD_KEY, BackboneCard

log = logging.getLogger("pretrain.export")


def conv(g: GraphBuilder, layer: ConvBn, x: str) -> str:
    """Append a folded ConvBn."""
    weight, bias = layer.folded()
    kernel, pad = layer.conv.kernel_size[0], layer.conv.kernel_size[0] // 2
    attributes = {"kernel_shape": [kernel] * 2, "strides": list(layer.conv.stride), "pads": [pad] * 4}
    out = g.add("Conv", x, g.constant(weight.numpy()), g.constant(bias.numpy()), **attributes)
    return g.add("Relu", out) if layer.relu else out


def module(g: GraphBuilder, part: nn.Module, x: str) -> str:
    """Append a ConvBn, a Residual or a Sequential of them."""
    if isinstance(part, ConvBn):
        return conv(g, part, x)
    if isinstance(part, Residual):
        return g.add("Relu", g.add("Add", x, conv(g, part.second, conv(g, part.first, x))))
    if isinstance(part, nn.Sequential):
        for child in part:
            x = module(g, child, x)
        return x
    raise TypeError(f"no ONNX form for {type(part).__name__}")


def normalised(g: GraphBuilder) -> str:
    """Append uint8 NHWC → normalised float32 NCHW."""
    mean, scale = (np.array(values, np.float32).reshape(3, 1, 1) * 255 for values in (MEAN, STD))
    image = g.add("Cast", g.add("Transpose", "image", perm=[0, 3, 1, 2]), to=1)
    return g.add("Div", g.add("Sub", image, g.constant(mean)), g.constant(scale))


def build(backbone: Backbone, card: BackboneCard) -> bytes:
    """The file: the head's means first, then spread and places of the maps below it."""
    g = GraphBuilder()
    early = module(g, backbone.early, normalised(g))
    late = module(g, backbone.late, early)
    head = g.add("Identity", module(g, backbone.head, late), output="feature_map")
    means = g.add("ReduceMean", head, g.ints(2, 3), keepdims=0)
    parts = [means, deviation(g, late), quarters(g, late), deviation(g, early), quarters(g, early)]
    g.add("Concat", *parts, axis=1, output="embedding")
    channels = backbone.shape.head
    outputs = [float_output("embedding", ["n", card.embedding_dim])]
    outputs.append(float_output("feature_map", ["n", channels, "fh", "fw"]))
    model = g.model(card.name, inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: card.to_json()})
    return serialise(model)


def embedding(maps: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The same in torch."""
    early, late, head = maps
    return torch.cat([head.mean((2, 3)), spread(late), places(late), spread(early), places(early)], 1)


def spread(x: Tensor) -> Tensor:
    """Standard deviation over all places."""
    return (x.var((2, 3), correction=0) + 1e-8).sqrt()


def places(x: Tensor) -> Tensor:
    """Means of the four quarters, each with all channels."""
    return functional.adaptive_avg_pool2d(x, 2).permute(0, 2, 3, 1).flatten(1)


def max_difference(backbone: Backbone, data: bytes) -> float:
    """Largest difference torch ↔ ONNX Runtime on random images of several sizes, relative to the largest feature."""
    opened = OnnxBackbone.open(data)
    rng = np.random.default_rng(0)
    worst = 0.0
    for shape in [(2, 64, 64), (1, 224, 224), (1, 97, 131), (1, 512, 384)]:
        images = rng.integers(0, 256, (*shape, 3), np.uint8)
        with torch.inference_mode():
            maps = backbone(normalise(torch.from_numpy(images)))
        found = opened.run(images)
        for ours, theirs in ((found.embedding, embedding(maps)), (found.feature_map, maps[2])):
            worst = max(worst, float(np.abs(ours - theirs.numpy()).max() / theirs.abs().max()))
    return worst


def load_backbone(checkpoint: Path | None, seed: int = 0) -> Backbone:
    """The backbone with a checkpoint's EMA weights, or (None) as it is before training, in evaluation mode."""
    if checkpoint is None:
        torch.manual_seed(seed)
        backbone = Backbone(Shape())
        for layer in backbone.modules():
            if isinstance(layer, Residual):  # zero at the start of training: as if the layers were not there
                nn.init.ones_(layer.second.norm.weight)
        return backbone.eval()
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    backbone = Backbone(Shape(**state["shape"]))
    prefix = "backbone."
    weights = {key.removeprefix(prefix): value for key, value in state["ema"].items() if key.startswith(prefix)}
    backbone.load_state_dict(weights)
    return backbone.eval()


def make_card(backbone: Backbone, name: str, notes: str) -> BackboneCard:
    """The card; what it says of figures and limits is in docs/backbones.md."""
    shape = backbone.shape
    return BackboneCard(
        name=name,
        licence="Apache-2.0",
        source="tools/pretrain",
        preprocess="decode|upright|squash(128)",
        embedding_dim=shape.head + 5 * (shape.stride16 + shape.stride8),
        feature_map_channels=(0, shape.head),
        notes=notes,
        smallest_px=64,
    )


def main() -> None:
    """Export, compare with torch, print size and checksum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="written by train.py; without it, random weights")
    parser.add_argument("--name", default="builtin")
    parser.add_argument("--notes", default="")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    backbone = load_backbone(args.checkpoint)
    data = build(backbone, make_card(backbone, args.name, args.notes))
    log.info("max difference torch <-> ONNX Runtime: %.2e of the largest feature", max_difference(backbone, data))
    args.out.write_bytes(data)
    log.info("%s: %d bytes, sha256 %s", args.out.name, len(data), hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
