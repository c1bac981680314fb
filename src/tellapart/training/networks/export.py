"""A trained network as what tellapart runs: a canonical ONNX backbone, and the arrays of its linear head."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tellapart.backbones.protocol import BackboneCard
from tellapart.backbones.torch_export import Canonical, answers, examples, exported, prove
from tellapart.errors import BackboneError
from tellapart.training.networks.lora import merge_lora
from tellapart.training.networks.network import Network


def canonical_bytes(network: Network, card_name: str, *, notes: str = "") -> bytes:
    """The body as an ONNX file: `image` uint8 (n, h, w, 3) → `embedding` (n, d) and, where there are places, `feature_map`.

    ONNX Runtime is made to answer as torch does before the file is let out. Adapters are folded in; the network that was
    given stays as it is. `card_name` is what reports call it; licence and source are those of the weights it began with.

    Raises:
        BackboneError: `backbone_invalid` for a network that cannot be written, or of which ONNX Runtime gives other
            features. It does not depend on what was learned: call it once before a long training.
    """
    finished = _finished(network)
    module = Canonical(finished.body, lambda pixels: _embedded(finished, pixels), finished.mean, finished.std).eval()
    card = _card(network, card_name, notes)
    if not network.facts.fixed:
        with contextlib.suppress(BackboneError):  # some networks are told of one size only when they are written
            return _proven(module, card, network.size_px, fixed=False)
    return _proven(module, card, network.size_px, fixed=True)


def _proven(module: Canonical, card: BackboneCard, size_px: int, *, fixed: bool) -> bytes:
    pixels = examples((size_px, size_px), n_sizes=1 if fixed else 2)
    expected = [answers(module, one) for one in pixels]
    data = exported(module, pixels[0], card, fixed=fixed)
    prove(data, pixels, expected)
    return data


def head_arrays(network: Network) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight (d, k) and bias (k,): logits are embedding @ weight + bias."""
    weight, bias = (part.detach().cpu().float().numpy() for part in (network.head.weight, network.head.bias))
    return np.ascontiguousarray(weight.T), bias.copy()


def _finished(network: Network) -> Network:
    """A copy on the CPU, in evaluation mode, without adapters."""
    finished = copy.deepcopy(network)
    finished.cpu().float().eval()
    merge_lora(finished)
    return finished


def _embedded(network: Network, pixels: Tensor) -> tuple[Tensor, ...]:
    embedding, feature_map = network.embed(pixels)
    return (embedding,) if feature_map is None else (embedding, feature_map)


def _card(network: Network, name: str, notes: str) -> BackboneCard:
    return BackboneCard(
        name=name,
        licence=network.licence,
        source=network.source,
        preprocess=network.spec,
        embedding_dim=network.embedding_dim,
        feature_map_channels=network.map_channels,
        origin_sha256=network.facts.origin_sha256,
        notes=notes,
    )
