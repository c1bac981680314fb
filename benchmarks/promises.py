"""How often an aim is promised, and how often falsely: simulated data whose true precision and recall are known."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from tellapart.heads.aims import Aim
from tellapart.heads.thresholds import fit_thresholds
from tellapart.records import LabelSchema, Task

SCHEMA = LabelSchema.from_names(["good", "scratch"], task=Task.BINARY)
SHARE, GAP, SPREAD, REPETITIONS = 0.3, 3.0, 1.2, 300


def true_rate(value: float, kind: str) -> float:
    """True precision or recall of a threshold."""
    z = np.log(value / (1 - value)) / 2
    recall = 1 - NormalDist(GAP / 2, SPREAD).cdf(z)
    alarms = 1 - NormalDist(-GAP / 2, SPREAD).cdf(z)
    return recall if kind == "recall" else SHARE * recall / (SHARE * recall + (1 - SHARE) * alarms)


def promises(aim: Aim, n: int, copies: int, named: bool) -> tuple[float, float]:
    """Shares of data sets with a promise and with a false one."""
    rng = np.random.default_rng(0)
    promised = false = 0
    for _ in range(REPETITIONS):
        targets = (rng.uniform(size=n) < SHARE).astype(np.int64)
        z = GAP * (targets - 0.5) + rng.standard_normal(n) * SPREAD
        groups = np.repeat(np.arange(n), copies)
        p = 1 / (1 + np.exp(-2 * (z[groups] + 1e-3 * rng.standard_normal(len(groups)))))
        found = fit_thresholds(
            np.stack([1 - p, p], axis=1), targets[groups], schema=SCHEMA, aim=aim, groups=groups if named else None
        )
        promised += found.reached[1]
        false += found.reached[1] and true_rate(found.values[1], aim.kind) < aim.value
    return promised / REPETITIONS, false / REPETITIONS


def main() -> None:
    """Print a table in Markdown."""
    print("| aim | images | groups named | promised | falsely |")
    print("| --- | --- | --- | --- | --- |")
    for text in ("precision>=0.95", "precision>=0.8", "recall>=0.95"):
        for n, copies, named in ((150, 1, True), (600, 1, True), (3000, 1, True), (600, 6, True), (100, 6, False)):
            promised, false = promises(Aim.parse(text), n, copies, named)
            size = f"{n} × {copies}" if copies > 1 else str(n)
            print(f"| `{text}` | {size} | {'yes' if named else 'no'} | {promised:.0%} | {false:.0%} |")


if __name__ == "__main__":
    main()
