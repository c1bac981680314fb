"""What a backbone is: uint8 pixels in, one embedding per image out, with its card travelling in the file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import BackboneError, Reason

CARD_KEY = "tellapart.backbone"
"""The key in an ONNX file's `metadata_props` under which the card stands, as JSON."""

CARD_VERSION = 1


@dataclass(frozen=True, slots=True)
class Features:
    """What a backbone sees in a batch of n images.

    `embedding` is float32 (n, d). `feature_map` is float32 (n, c, h', w') or None; where there is one, its mean over
    h' and w' equals the embedding's columns `card.feature_map_channels`, so that a linear head turns it into a heatmap.
    """

    embedding: NDArray[np.float32]
    feature_map: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class BackboneCard:
    """Where a backbone comes from and how it wants its images.

    `preprocess` is the preprocess string it was made for. `feature_map_channels` is (start, stop) of the embedding's
    columns whose values are the feature map's spatial means, None without a feature map. `origin_sha256` is the
    sha256 of the file that was converted, "" for graphs that tellapart writes itself. `notes` are for people.
    `smallest_px` is the side of the smallest image it was trained for, where that is less than `preprocess` asks for:
    small images need not be enlarged beyond use.
    """

    name: str
    licence: str
    source: str
    preprocess: str
    embedding_dim: int
    feature_map_channels: tuple[int, int] | None = None
    origin_sha256: str = ""
    notes: str = ""
    smallest_px: int | None = None

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, with the version of its form; `smallest_px` only where there is one."""
        values = {"version": CARD_VERSION, **asdict(self)}
        if self.smallest_px is None:
            del values["smallest_px"]  # cards of before it are written as they were: a file's sha256 holds its card
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> BackboneCard:
        """Read a card; all faults are named at once.

        Raises:
            BackboneError: `backbone_invalid` when the text is no card.
        """
        try:
            values = json.loads(text)
        except ValueError as exc:
            raise BackboneError(Reason.BACKBONE_INVALID, f"the backbone's card is not JSON: {exc}") from exc
        faults = _card_faults(values)
        if faults:
            message = f"the backbone's card is not one that this version reads: {'; '.join(faults)}"
            raise BackboneError(Reason.BACKBONE_INVALID, message)
        known = {field.name for field in fields(cls)}
        channels = values.get("feature_map_channels")
        values["feature_map_channels"] = None if channels is None else (channels[0], channels[1])
        return cls(**{key: value for key, value in values.items() if key in known})


def _card_faults(values: Any) -> list[str]:
    if not isinstance(values, dict):
        return [f"expected a JSON object, got {type(values).__name__}"]
    faults = []
    if values.get("version") != CARD_VERSION:
        faults.append(f"version must be {CARD_VERSION}, got {values.get('version')!r}")
    faults += [
        f"{key} must be a text that is not empty, got {values.get(key)!r}"
        for key in ("name", "licence", "source", "preprocess")
        if not (isinstance(values.get(key), str) and values[key])
    ]
    faults += [
        f"{key} must be a text, got {values[key]!r}"
        for key in ("origin_sha256", "notes")
        if not isinstance(values.get(key, ""), str)
    ]
    dim = values.get("embedding_dim")
    if not isinstance(dim, int) or isinstance(dim, bool) or dim < 1:
        return [*faults, f"embedding_dim must be a whole number above 0, got {dim!r}"]
    smallest = values.get("smallest_px")
    if smallest is not None and not (_is_count(smallest) and smallest):
        faults.append(f"smallest_px must be a whole number above 0, got {smallest!r}")
    channels = values.get("feature_map_channels")
    if channels is not None and not _is_slice(channels, dim):
        faults.append(f"feature_map_channels must be [start, stop] within the {dim} columns, got {channels!r}")
    return faults


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_slice(value: Any, dim: int) -> bool:
    two = isinstance(value, list) and len(value) == 2 and all(_is_count(part) for part in value)
    return two and value[0] < value[1] <= dim


@runtime_checkable
class Backbone(Protocol):
    """Frozen features. Implementations pass `tests/contracts/test_backbones.py`.

    `run` is deterministic, safe to call from several threads at once, and an image's features do not depend on the
    batch it travels in (to 1e-5).
    """

    @property
    def card(self) -> BackboneCard:
        """Origin, licence and wishes."""

    @property
    def name(self) -> str:
        """The card's name."""

    @property
    def licence(self) -> str:
        """The card's licence."""

    @property
    def sha256(self) -> str:
        """Hex sha256 of `onnx_bytes()`: embeddings are cached under it."""

    @property
    def embedding_dim(self) -> int:
        """Number of columns of an embedding."""

    @property
    def default_spec(self) -> str:
        """The preprocess string the backbone was made for."""

    def onnx_bytes(self) -> bytes:
        """The canonical ONNX file, ready to be stored in a model folder."""

    def run(self, batch: NDArray[np.uint8]) -> Features:
        """Features of uint8 (n, h, w, 3) sRGB images, n at least 1."""
