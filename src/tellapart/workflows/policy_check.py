"""Is a policy what its author means? Faults, states that cannot come about, and what happens at the edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import Reason, SpecError
from tellapart.settings.policy import Policy
from tellapart.settings.policy_file import identity, read_policy
from tellapart.settings.policy_meaning import contradictions
from tellapart.settings.policy_reach import unreachable
from tellapart.workflows.policy_edges import Edge, edges
from tellapart.workflows.policy_stability import stability


@dataclass(frozen=True, slots=True)
class PolicyCheck:
    """What was found out about one policy; `identity` is "" and `edges` is empty where it cannot be read."""

    policy: str
    identity: str
    faults: tuple[str, ...]
    edges: tuple[Edge, ...] = ()

    @property
    def ok(self) -> bool:
        """True without any fault."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "policy": self.policy,
            "identity": self.identity,
            "ok": self.ok,
            "faults": list(self.faults),
            "edges": [
                {
                    "track": e.track,
                    "about": e.about,
                    "shown": e.shown,
                    "state": e.state,
                    "rule": e.rule,
                    "because": e.because,
                }
                for e in self.edges
            ],
        }


def check_policy(
    source: str | Path | Mapping[str, Any] | Policy, *, models: Mapping[str, str | Path] | str | Path | None = None
) -> PolicyCheck:
    """Look at a policy from all sides. A policy that cannot be read is no error but a result with its faults.

    `models` are the models behind its inputs, by input or one for all: then every label must be one that they have.

    Raises:
        ModelError: a model cannot be opened.
        SpecError: `bad_policy` when `models` names an input that the policy does not have.
    """
    called = "policy" if isinstance(source, Mapping | Policy) else str(source)
    try:
        policy = source if isinstance(source, Policy) else read_policy(source)
    except SpecError as exc:
        return PolicyCheck(called, "", tuple(_faults(exc)))
    faults = [*contradictions(_of_models(policy, models)), *unreachable(policy)]
    return PolicyCheck(called, identity(policy), tuple(faults), (*edges(policy), *stability(policy)))


def _faults(exc: SpecError) -> Sequence[str]:
    """The sentences of a refusal one by one; what it begins with is the same for all."""
    _, found, rest = str(exc).partition(" cannot be used: ")
    hinted = rest.replace("; did you mean", "\0did you mean")
    return [one.replace("\0", "; ") for one in hinted.split("; ")] if found else [str(exc)]


def _of_models(policy: Policy, models: Mapping[str, str | Path] | str | Path | None) -> Policy:
    """The policy with the labels that its models have."""
    if models is None:
        return policy
    labels = dict(_labels(policy, models))
    inputs = {
        name: one.model_copy(update={"labels": labels[name]}) if name in labels else one
        for name, one in policy.inputs.items()
    }
    return policy.model_copy(update={"inputs": inputs})


def _labels(policy: Policy, models: Mapping[str, str | Path] | str | Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    from tellapart.classifier.storage import read_card

    by_input = models if isinstance(models, Mapping) else dict.fromkeys(policy.inputs, models)
    for name, path in by_input.items():
        if name not in policy.inputs:
            known = ", ".join(map(repr, policy.inputs))
            raise SpecError(
                Reason.BAD_POLICY, f"the policy {policy.name} has no input {name!r}, its inputs are {known}"
            )
        yield name, tuple(label.name for label in read_card(path).schema.labels)
