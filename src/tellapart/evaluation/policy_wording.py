"""Figures of policies as people read them."""

from __future__ import annotations

import math

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.wording import between, number

FIGURES = {
    "recall": "recall",
    "precision": "precision",
    "false_alarms_per_hour": "false alarms per hour",
    "flicker_per_hour": "flicker per hour",
    "cost": "cost per episode",
    "time_cost": "cost over time",
    "agreement": "images in the true state",
    "delay_s_median": "delay, median",
    "delay_s_p90": "delay, 9 of 10",
    "delay_frames_median": "delay in images, median",
    "delay_frames_p90": "delay in images, 9 of 10",
}
_SHARES = ("recall", "precision", "agreement")


def shown(name: str, estimate: Estimate | None) -> str:
    """A figure with its unit; `–` where there is none."""
    value = None if estimate is None else estimate.value
    if value is None:
        return "–"
    if name in _SHARES:
        return number(value)
    return f"{value:.0f}" if name.startswith("delay_frames") else f"{short(value)}{' s' * name.startswith('delay_s')}"


def spread(name: str, estimate: Estimate | None) -> str:
    """Its interval; "" where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    if name in _SHARES:
        return between(estimate)
    if name.startswith("delay_frames"):
        return f"{estimate.low:.0f}–{estimate.high:.0f}"
    return f"{short(estimate.low)}–{short(estimate.high)}"


def short(value: float) -> str:
    """Three digits that count, no more than two decimals from 1 on."""
    if not math.isfinite(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def three_digits(value: float, sign: str = "") -> str:
    """0.75, 24, 1,070: three digits that count, and no powers of ten; `sign` "+" writes the sign of gains as well."""
    return f"{value:{sign},.0f}" if abs(value) >= 999.5 else f"{value:{sign}.3g}"


def duration(hours: float) -> str:
    """1.50 hours, 12.0 minutes, 0.40 seconds."""
    for length, unit in ((hours, "hours"), (60 * hours, "minutes")):
        if length >= 1:
            return f"{short(length)} {unit}"
    return f"{short(3600 * hours)} seconds"


def with_spread(name: str, estimate: Estimate | None) -> str:
    """`0.900 (0.77–0.96)`."""
    about = spread(name, estimate)
    return shown(name, estimate) + (f" ({about})" if about else "")


def told(name: str, value: float) -> str:
    """A figure without its interval."""
    return number(value) if name in _SHARES else short(value)


def change(name: str, value: float) -> str:
    """A difference with its sign."""
    shown = f"{abs(value):.3f}" if name in _SHARES else short(abs(value))
    return f"{'−' if value < 0 else '+'}{shown}"


def change_spread(name: str, estimate: Estimate) -> str:
    """The interval of a difference; "" where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{change(name, estimate.low)} to {change(name, estimate.high)}"
