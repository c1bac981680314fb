"""Trials in words: what a row of the study tells people."""

from __future__ import annotations

from typing import Any

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.searched import Tried
from tellapart.settings.recipe import Recipe
from tellapart.training.search.space import METHOD

_ENDED: dict[str, Any] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
_SHORT = {"name": "loss", "preset": "augment"}


def tried(row: dict[str, Any]) -> Tried:
    score = None if row["score"] is None else Estimate(row["score"], None, None, 0)
    score = Estimate(**row["estimate"]) if "estimate" in row else score
    return Tried(
        number=row["number"],
        method=row["method"],
        differs=row["differs"],
        score=score,
        seconds=row.get("seconds", 0.0),
        n_bytes=row.get("n_bytes", 0),
        ended=_ENDED[row["state"]],
        why=row.get("why", ""),
    )


def differs(chosen: Any, base: Recipe) -> str:
    """What a trial tries that the recipe does not say, in short."""
    parts = []
    for path, value in chosen.items():
        own: Any = base
        for name in path:
            own = getattr(own, name)
        if path != METHOD and value != own:
            shown = f"{value:.2g}" if isinstance(value, float) else value
            parts.append(f"{_SHORT.get(path[-1], path[-1])} {shown}")
    return ", ".join(parts) or "–"
