"""What a training did about labels that are probably wrong, for its card, its summary and its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.wording import count
from tellapart.data.labels import format_labels
from tellapart.training.label_noise import Doubted

_LISTED, _SHOWN = 1_000, 10
_CLEARLY = 0.5


def noise_facts(how: str, doubted: Doubted | None, fitted_on: Dataset) -> dict[str, Any]:
    """Plain facts: what was done, to how many of the images fitted on, the share of wrong labels, and which, worst first.

    `images` are those that count less than half, at most 1,000.
    """
    if doubted is None:
        return {"how": how}
    weights = doubted.by_image
    below = np.argsort(weights, kind="stable")[: int((weights < _CLEARLY).sum())]
    uris = fitted_on.uris
    return {
        "how": how,
        "of": len(weights),
        "probably_wrong": int(doubted.wrong.sum()),
        "share_of_wrong_labels": round(doubted.rate, 4),
        "left_out": int((weights == 0).sum()),
        "count_less_than_half": len(below),
        "images": [{"uri": uris[row], "weight": round(float(weights[row]), 3)} for row in below[:_LISTED].tolist()],
    }


def noise_line(doubted: Doubted | None, fitted_on: Dataset) -> str:
    """One sentence; empty where nothing was to be done."""
    if doubted is None:
        return ""
    weights = doubted.by_image
    n, worst = len(weights), int(weights.argmin())
    labels = format_labels(fitted_on.samples[worst].labels or ()) or "(none)"
    example = f"such as {fitted_on.uris[worst]} labelled {labels!r}"
    if doubted.how == "drop":
        if weights.min() == 1:
            return f"nothing says that any of {count(n, 'label')} is wrong, so all count"
        out = f"{int((weights == 0).sum()):,} of {count(n, 'image')}"
        if doubted.weights.ndim == 1:
            return f"{out} left out of the fit, as their labels are probably wrong, {example}"
        return f"{out} have labels that are left out of the fit, as they are probably wrong, {example}"
    less = int((weights < _CLEARLY).sum())
    if not less:
        return f"all of {count(n, 'label')} are believed, so all count at least half"
    return f"{less:,} of {count(n, 'image')} count less than half, as a model doubts their labels, {example}"


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as a report shows them: a list of a thousand files belongs into the card."""
    images = [one["uri"] for one in facts.get("images", ())][:_SHOWN]
    rest = {key: value for key, value in facts.items() if key != "images"}
    return {**rest, "the_least_believed": images} if images else rest
