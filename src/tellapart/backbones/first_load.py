"""The first time a foreign ONNX file is opened: converted or checked, and run once; see `apart`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tellapart.backbones.apart import limit_memory
from tellapart.backbones.convert import convert
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import CARD_KEY
from tellapart.backbones.source_card import SourceCard
from tellapart.image.preprocess import PreprocessSpec


def first_load(source: str, target: str, card: str | None) -> dict[str, Any]:
    """Write the canonical form of `source` to `target`; `card` is a source card as JSON, None for one beside the file.

    A file that is canonical already is run once and copied. For a process of its own, whose memory it limits.

    Raises:
        BackboneError: `backbone_invalid`.
    """
    limit_memory()
    path = Path(source)
    data = path.read_bytes()
    if CARD_KEY.encode() in data:
        _run_once(OnnxBackbone.open(data))
        Path(target).write_bytes(data)
        return {"max_difference": 0.0}
    described = SourceCard.beside(path) if card is None else SourceCard.from_json(card)
    result = convert(data, described)
    Path(target).write_bytes(result.data)
    return {"max_difference": result.max_difference}


def _run_once(backbone: OnnxBackbone) -> None:
    height, width = PreprocessSpec.parse(backbone.default_spec).size
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    backbone.run(pixels)
