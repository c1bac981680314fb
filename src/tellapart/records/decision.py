"""What a policy made of predictions: a business state with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Decision:
    """The state of one track of a policy at one instant.

    `subject` is what it is about: a region such as "bay-1/door", a piece. `id` follows from subject, policy, track, instant
    and evidence: a replay of the same images gives the same ids.
    `since_s` is when the state began. `changed` is True where it differs from the one before, or is the first. `rule` is the
    name of the rule that holds ("fallback" where none does), `because` its reason in a sentence. `evidence` are the ids of
    the observations that the rule looked at, `models` the ids of the models behind them.
    """

    id: str
    at_s: float
    track: str
    state: str
    since_s: float
    changed: bool
    rule: str
    because: str
    evidence: tuple[str, ...]
    policy: str
    models: tuple[str, ...] = ()
    episode: int | None = None
    final: bool = False
    subject: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values; `episode` only where the policy decides by episodes."""
        value: dict[str, Any] = {
            "decisionId": self.id,
            "at": round(self.at_s, 6),
            "subject": self.subject,
            "track": self.track,
            "state": self.state,
            "since": round(self.since_s, 6),
            "changed": self.changed,
            "rule": self.rule,
            "because": self.because,
            "evidence": list(self.evidence),
            "policy": self.policy,
            "models": list(self.models),
        }
        if self.episode is not None:
            value |= {"episode": self.episode, "final": self.final}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Decision:
        """Inverse of `to_json`; other keys are ignored.

        Raises:
            KeyError, TypeError, ValueError: it is no decision.
        """
        return cls(
            id=str(value["decisionId"]),
            at_s=float(value["at"]),
            track=str(value["track"]),
            state=str(value["state"]),
            since_s=float(value["since"]),
            changed=bool(value["changed"]),
            rule=str(value["rule"]),
            because=str(value["because"]),
            evidence=tuple(map(str, value["evidence"])),
            policy=str(value["policy"]),
            models=tuple(map(str, value["models"])),
            episode=value.get("episode"),
            final=bool(value.get("final", False)),
            subject=str(value.get("subject", "")),
        )
