"""Truth and decisions as a letter for each second: what is compared can be read off the page."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from tellapart.evaluation.episode_matching import judge_sequence
from tellapart.evaluation.episodes import EpisodeOutcome, Run, SequenceOutcome, Terms, cost_matrix
from tellapart.records.episode import TrueEpisode

STATES = {".": "rest", "a": "ok", "b": "bad", "?": "ask"}


def terms(**more: Any) -> Terms:
    """Nothing named is at rest; "ask" is no answer. Costs are 0 or 1, a question at rest is free."""
    states = tuple(STATES.values())
    costs = cost_matrix(states, {"rest": {"ask": 0.0}} | more.pop("costs", {}))
    return Terms(states, "rest", costs, asking="ask", **more)


def true(text: str, start_s: float = 0.0) -> list[TrueEpisode]:
    """A letter a second; "." is not labelled, and "|" parts episodes that touch."""
    found, now_s = [], start_s
    for letter, group in groupby(text):
        n = len(list(group))
        if letter == "|":
            continue
        if letter != ".":
            found.append(TrueEpisode(now_s, now_s + n, STATES[letter]))
        now_s += n
    return found


def decided(text: str) -> list[Run]:
    """A letter a second; what a run rests on is the image that began it."""
    runs, now_s = [], 0.0
    for letter, group in groupby(text):
        n = len(list(group))
        runs.append(Run(STATES[letter], now_s, now_s + n, (now_s,)))
        now_s += n
    return runs


def judged(truth: str, states: str, **more: Any) -> SequenceOutcome:
    """An image at the beginning of each second."""
    return outcome(true(truth), decided(states), len(states), **more)


def outcome(truth: list[TrueEpisode], runs: list[Run], seconds: int, **more: Any) -> SequenceOutcome:
    """An image at the beginning of each second."""
    return judge_sequence(runs, truth, terms(**more), seen_s=np.arange(seconds, dtype=float), end_s=float(seconds))


def told(one: EpisodeOutcome) -> str:
    """`found bad +2 s 2` with `early` or `late`, or how it ended and the answer."""
    if one.how != "found":
        return f"{one.how} {one.answer}"
    delay = "" if one.delay_s is None else f" +{one.delay_s:g} s {one.delay_frames}"
    return f"found{delay}{' early' * one.early}{' late' * one.late}"
