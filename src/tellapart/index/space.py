"""Which vectors may be compared with which: those that came about in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from tellapart.errors import DataError, Reason


@dataclass(frozen=True, slots=True)
class Space:
    """How vectors of `dim` numbers came about; distances mean something only between vectors of one space.

    `backbone` is the network's name and `backbone_sha256` the sha256 of its canonical file; `preprocess` the string by
    which it sees images and `preprocess_hash` that of what the string means; `projection_sha256` that of the learned
    projection behind it, "" without one. `normalised`: every vector has length 1. Of vectors that others made nothing is
    known but their size (`Space.unknown`).
    """

    backbone: str
    backbone_sha256: str
    preprocess: str
    preprocess_hash: str
    projection_sha256: str
    normalised: bool
    dim: int

    @classmethod
    def unknown(cls, dim: int, *, normalised: bool = False) -> Space:
        """The space of vectors that come without a description."""
        return cls("", "", "", "", "", normalised, dim)

    @property
    def known(self) -> bool:
        """Whether a backbone is named."""
        return bool(self.backbone_sha256)

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Space:
        """Inverse of `to_json`; other names are ignored.

        Raises:
            ValueError: when a field is missing or of another type; who reads a file says which file that is.
        """
        kinds = {"normalised": bool, "dim": int}
        for field in fields(cls):
            kind = kinds.get(field.name, str)
            if type(value.get(field.name)) is not kind:
                raise ValueError(f"{field.name} must be of type {kind.__name__}, got {value.get(field.name)!r}")
        if value["dim"] < 1:
            raise ValueError(f"dim must be 1 or more, got {value['dim']}")
        return cls(**{field.name: value[field.name] for field in fields(cls)})

    def check_same(self, other: Space, what: str) -> None:
        """Refuse vectors of another space; `what` names them at the beginning of the sentence ("q.parquet").

        Raises:
            DataError: `foreign_vectors`, with the first thing that differs and what to do.
        """
        difference = self.difference(other)
        if difference is not None:
            raise DataError(
                Reason.FOREIGN_VECTORS, f"{what}: these vectors cannot be compared with the others: {difference}"
            )

    def difference(self, other: Space) -> str | None:
        """The first thing in which vectors of `other` differ from these and what to do, as half a sentence; None: nothing."""
        if self.dim != other.dim:
            return f"they have {other.dim} numbers each, expected {self.dim}{_embed_alike(self)}"
        if self.known != other.known:
            there, here = ("not known", self._named) if self.known else (other._named, "not known")
            return f"the backbone they come from is {there}, expected {here}{_embed_alike(self)}"
        if self.backbone_sha256 != other.backbone_sha256:
            return f"they come from the backbone {other._named}, expected {self._named}{_embed_alike(self)}"
        if self.preprocess_hash != other.preprocess_hash:
            return f"their images were prepared by {other.preprocess!r}, expected {self.preprocess!r}; embed them so"
        if self.projection_sha256 != other.projection_sha256:
            there, here = _projected(other), _projected(self)
            return f"they went through {there}, expected {here}; embed them with the same projection"
        if self.normalised != other.normalised:
            there, here = ("length 1", "their own length") if other.normalised else ("their own length", "length 1")
            return f"they have {there}, expected {here}; embed both with or both without normalising"
        return None

    @property
    def _named(self) -> str:
        return f"{self.backbone!r} ({self.backbone_sha256[:8]})"


def _embed_alike(space: Space) -> str:
    return f"; embed them with the backbone {space.backbone!r}" if space.known else ""


def _projected(space: Space) -> str:
    return f"the projection {space.projection_sha256[:8]}" if space.projection_sha256 else "no projection"
