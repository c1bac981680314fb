"""Observations from a few words, and what a policy makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tellapart.decision.engine import Engine
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy


def seen(at_s: float, defect: float | None, **facts: Any) -> Observation:
    """An image with that confidence in "defect", the rest in "good"; None: the model does not know it."""
    p = 0.5 if defect is None else defect
    answer = ("defect",) if p > 0.5 else ("good",)
    name = facts.pop("input", "image")
    given = {"predicted": () if defect is None else answer, "unknown": defect is None, **facts}
    return Observation(at_s, name, f"{name}-{at_s:g}", {"defect": p, "good": 1 - p}, **given)


def policy(**track: Any) -> dict[str, Any]:
    """A policy of one track with the states ok, defective and ask."""
    states = {"ok": "fine", "defective": None, "ask": None}
    return {"policy": 1, "name": "line", "states": states, "fallback": "ask", **track}


def rules(condition: dict[str, Any], **track: Any) -> dict[str, Any]:
    """A policy whose only rule finds "defective"."""
    return policy(rules=[{"state": "defective", "if": condition}], **track)


def decided(values: dict[str, Any], observations: Iterable[Observation]) -> list[Decision]:
    """All decisions over a recording."""
    found = read_policy(values)
    return list(Engine(found, identity(found)).run(observations))


def states(values: dict[str, Any], observations: Iterable[Observation]) -> str:
    """One letter for each decision: o, d or a."""
    return "".join(one.state[0] for one in decided(values, observations))
