"""What a pre-training gave: a backbone, its course and what was refused, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.records import Refusal

if TYPE_CHECKING:
    from tellapart.training.selfsup.history import Epoch


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A backbone that was written. `history` begins with epoch 0, before the training; `source` is that of its card."""

    output: Path
    source: str
    licence: str
    preprocess: str
    n_images: int
    refusals: tuple[Refusal, ...]
    fingerprint: str
    history: tuple[Epoch, ...]
    seconds: float

    @property
    def n_seen(self) -> int:
        """Accepted and refused."""
        return self.n_images + len(self.refusals)

    def summary(self) -> list[str]:
        """Lines for people."""
        first, last = self.history[0], self.history[-1]
        lines = [
            f"images      {self.n_images:,} of {self.n_seen:,} used, {len(self.refusals):,} refused",
            *[f"refused     {refusal.sentence}" for refusal in self.refusals],
            f"backbone    {self.source}, {self.preprocess}, licence {self.licence}",
            f"loss        {_number(self.history[1].loss)} in the first epoch, {_number(last.loss)} in the last",
            f"embeddings  before: {first.embeddings}; after: {last.embeddings}",
        ]
        if last.neighbours is not None and first.neighbours is not None:
            lines.append(
                f"neighbours  {first.neighbours:.1%} right before, {last.neighbours:.1%} after: by the labels of the folder, "
                "on images that were trained on"
            )
        return [*lines, f"time        {self.seconds:.0f} s"]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "output": str(self.output),
            "weights": str(self.output.with_suffix(".safetensors")),
            "source": self.source,
            "licence": self.licence,
            "preprocess": self.preprocess,
            "images": {"seen": self.n_seen, "accepted": self.n_images, "refused": len(self.refusals)},
            "refusals": [refusal.to_json() for refusal in self.refusals],
            "fingerprint": self.fingerprint,
            "epochs": [epoch.to_json() for epoch in self.history],
            "seconds": self.seconds,
        }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
