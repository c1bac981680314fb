"""The first time a foreign ONNX file is opened: converted or checked, and run once; see `apart`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.backbones.apart import limit_memory
from tellapart.backbones.convert import convert, parse
from tellapart.backbones.graph import serialise
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import CARD_KEY, Features
from tellapart.backbones.source_card import SourceCard
from tellapart.errors import BackboneError, Reason
from tellapart.image.preprocess import PreprocessSpec

_TOLERANCE = 1e-3


def first_load(source: str, target: str, card: str | None, identity: dict[str, str] | None = None) -> dict[str, Any]:
    """Write the canonical form of `source` to `target`; `card` is a source card as JSON, None for one beside the file.

    A file that is canonical already is checked, run, and written anew; `identity` (name, licence, source) then replaces what
    its own card claims to be. For a process of its own, whose memory it limits.

    Raises:
        BackboneError: `backbone_invalid`.
    """
    limit_memory()
    path = Path(source)
    data = path.read_bytes()
    if CARD_KEY.encode() in data:
        Path(target).write_bytes(_canonical(data, identity))
        return {"max_difference": 0.0}
    described = SourceCard.beside(path) if card is None else SourceCard.from_json(card)
    result = convert(data, described)
    Path(target).write_bytes(result.data)
    return {"max_difference": result.max_difference}


def _canonical(data: bytes, identity: dict[str, str] | None) -> bytes:
    from onnx import helper

    model = parse(data)
    checked = serialise(model)
    backbone = OnnxBackbone.open(checked)
    _check_answers(backbone)
    if identity is None:
        return checked
    del model.metadata_props[:]
    name, licence, source = (identity[key] for key in ("name", "licence", "source"))
    card = replace(backbone.card, name=name, licence=licence, source=source)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return serialise(model)


def _check_answers(backbone: OnnxBackbone) -> None:
    """What every backbone promises: an image's features do not depend on its batch, and the map's mean is in the embedding."""
    height, width = PreprocessSpec.parse(backbone.default_spec).size
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    both, first = backbone.run(pixels), backbone.run(pixels[:1])
    if not _differ(both.embedding[:1], first.embedding) <= _TOLERANCE:
        raise _invalid("an image's features depend on the other images of its batch")
    if not _map_fits(backbone, both):
        raise _invalid("the mean of its feature map is not in the embedding where its card says so")


def _map_fits(backbone: OnnxBackbone, features: Features) -> bool:
    channels = backbone.card.feature_map_channels
    if channels is None or features.feature_map is None:
        return channels is None
    columns = features.embedding[:, channels[0] : channels[1]]
    means = features.feature_map.mean(axis=(2, 3))
    return columns.shape == means.shape and _differ(means, columns) <= _TOLERANCE


def _differ(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-6))


def _invalid(why: str) -> BackboneError:
    return BackboneError(Reason.BACKBONE_INVALID, f"the network cannot be used as a backbone: {why}")
