"""Recorded sequences with labelled episodes, made from a seed: a model that is right more or less often."""

from __future__ import annotations

from typing import Any

import numpy as np

from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation

POLICY = """# Line 4
policy: 1
name: line-4          # agreed with QS
states: {ok: fine, bad: "a part is missing"}
fallback: ok
window: {last: 3}
rules:
  - state: bad
    if: {mean: defect, at_least: 0.15}   # taken from the trial run
stable:
  enter: {bad: 1}
"""


def recorded(
    n_sequences: int, *, seed: int = 0, n_images: int = 240, n_episodes: int = 4, shift: float = 2.5
) -> tuple[dict[str, list[Observation]], dict[str, list[TrueEpisode]]]:
    """Sequences with an image each second; in episodes of 12 s the log odds of "defect" are higher by `shift`.

    With shift 0 the images say nothing about the truth.
    """
    generator = np.random.default_rng(seed)
    images, truth = {}, {}
    for number in range(n_sequences):
        name = f"day-{number}"
        begins = np.sort(generator.choice(np.arange(1, n_images // 20 - 1), n_episodes, replace=False)) * 20.0
        truth[name] = [TrueEpisode(float(begin), float(begin) + 12, "bad") for begin in begins]
        odds = generator.normal(-1.5, 1.2, n_images)
        for begin in begins:
            odds[int(begin) : int(begin) + 12] += shift
        images[name] = [_seen(name, i, float(1 / (1 + np.exp(-one)))) for i, one in enumerate(odds)]
    return images, truth


def _seen(name: str, at_s: int, p: float) -> Observation:
    answer = ("defect",) if p > 0.5 else ("good",)
    return Observation(float(at_s), "image", f"{name}-{at_s}", {"defect": p, "good": 1 - p}, answer)


def plain(**track: Any) -> dict[str, Any]:
    """A policy as plain values."""
    return {"policy": 1, "name": "p", "states": {"ok": None, "bad": None}, "fallback": "ok", **track}
