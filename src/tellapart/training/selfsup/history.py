"""What was measured after every epoch, as values, as a table and as pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tellapart.training.selfsup.monitor import Spread


@dataclass(frozen=True, slots=True)
class Epoch:
    """Epoch `number`, 0 before the first: then `loss` and `learning_rate` are None.

    `embeddings` and `projections` tell how vectors of images without augmentation lie, those that are kept and those that the
    loss compares. `neighbours` is the share of them labelled right by their nearest (0 to 1), None without labels. `seconds`
    are those of this epoch.
    """

    number: int
    loss: float | None
    learning_rate: float | None
    embeddings: Spread
    projections: Spread
    neighbours: float | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Epoch:
        """Inverse of `to_json`."""
        spreads = {name: Spread(**values[name]) for name in ("embeddings", "projections")}
        return cls(**{**values, **spreads})

    def row(self) -> dict[str, Any]:
        """One line of the table, spreads in columns of their own."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Spread):
                found |= {f"{field.name}_deviation": value.deviation, f"{field.name}_rank": value.rank}
            else:
                found[field.name] = value
        return found


def as_csv(history: Sequence[Epoch]) -> str:
    """A header and a line per epoch; nothing measured is an empty field."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(history[0].row()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(epoch.row() for epoch in history)
    return stream.getvalue()
