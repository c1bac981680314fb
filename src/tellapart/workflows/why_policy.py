"""The rule by which something was decided, in the words of the policy that did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import SpecError
from tellapart.settings.policy_file import read_policy
from tellapart.streams.layout import policy_file

_OF_LABELS = ("confidence", "vote", "any", "every", "max", "mean", "running", "bayes")
_VOTES = ("vote", "any", "every")


@dataclass(frozen=True, slots=True)
class RuleText:
    """`text` is the rule as YAML on one line, "" where none held. `thresholds` are confidences by label, of all rules."""

    text: str
    thresholds: Mapping[str, tuple[float, ...]]
    meaning: str
    file: Path


def rule_of(folder: Path, decision: Mapping[str, Any]) -> RuleText | None:
    """From the policy's text in the stream's folder; None where it was not kept or cannot be read any more."""
    path = policy_file(folder, str(decision["policy"]))
    with suppress(SpecError):
        track = read_policy(path).tracks.get(str(decision["track"]))
        if track is not None:
            rules = [one.model_dump(mode="json", exclude_defaults=True, by_alias=True) for one in track.rules]
            names = [one.name or f"rule {number} ({one.state})" for number, one in enumerate(track.rules, 1)]
            told = str(decision["rule"])
            text = _flow(rules[names.index(told)]) if told in names else ""
            return RuleText(text, _thresholds(rules), track.states.get(str(decision["state"])) or "", path)
    return None


def _flow(value: Mapping[str, Any]) -> str:
    import yaml

    dumped: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=True, width=10_000)
    return dumped.strip()


def _thresholds(rules: list[dict[str, Any]]) -> dict[str, tuple[float, ...]]:
    found: dict[str, set[float]] = {}
    for leaf in (leaf for rule in rules for leaf in _leaves(rule)):
        kind = next((name for name in reversed(_OF_LABELS) if name in leaf), None)
        if kind is None:
            continue
        labels = leaf[kind] if isinstance(leaf[kind], list) else [leaf[kind]]
        bounds = ("confidence",) if kind in _VOTES else ("at_least", "below")
        for bound in (leaf.get(name) for name in bounds):
            if isinstance(bound, int | float) and 0 <= bound <= 1:
                for label in labels:
                    found.setdefault(str(label), set()).add(float(bound))
    return {label: tuple(sorted(values)) for label, values in found.items()}


def _leaves(value: Any) -> Iterator[dict[str, Any]]:
    """All conditions, those inside others too: whatever is an object."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
