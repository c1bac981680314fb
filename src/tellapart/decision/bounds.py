"""Figures against the bounds of a condition: `at_least` includes its figure, `below` does not."""

from __future__ import annotations

from typing import Any

from tellapart.decision.figures import rounded


def within(one: Any, value: float) -> bool:
    """Whether a figure lies between the bounds of a condition."""
    value = rounded(value)
    return (one.at_least is None or value >= one.at_least) and (one.below is None or value < one.below)


def told(one: Any, value: float) -> str:
    """The figure with its bounds: 0.650 (at least 0.9 counts)."""
    bounds = [] if one.at_least is None else [f"at least {one.at_least:g}"]
    bounds += [] if one.below is None else [f"below {one.below:g}"]
    return f"{value:.3f} ({' and '.join(bounds)} counts)"
