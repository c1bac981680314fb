"""A policy over a recording: what it decides, sequence by sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.records import Refusal
from tellapart.records.decision import Decision
from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy
from tellapart.workflows.policy_evaluate import decide, labels_by_track
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.recordings import read_recording
from tellapart.workflows.truth import read_truth


@dataclass(frozen=True, slots=True)
class PolicyRun:
    """All decisions of a policy by sequence, in order; each has its sequence as its subject.

    `observations` are what they were made from, `truth` what was labelled, by track and sequence, as far as it was given.
    `refusals` are lines of the recording, or rows of the truth, that could not be used.
    """

    policy: Any
    decisions: Mapping[str, tuple[Decision, ...]]
    observations: Mapping[str, list[Observation]]
    truth: Mapping[str, Mapping[str, list[TrueEpisode]]]
    refusals: tuple[Refusal, ...] = ()
    n_foreign: int = 0

    @property
    def identity(self) -> str:
        """Name and hash of the policy."""
        return identity(self.policy)

    def changes(self, sequence: str) -> list[Decision]:
        """Changes of state and ends of episodes."""
        return [one for one in self.decisions[sequence] if one.changed or one.final]


def run_policy(
    policy: str | Path | Any,
    recording: str | Path,
    *,
    truth: str | Path | None = None,
    fps: float = 1.0,
    inputs: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> PolicyRun:
    """Decide over a recording (`read_recording`), each sequence from its beginning; `truth` is read beside it.

    Raises:
        SpecError: `bad_policy`.
        DataError: the recording or the truth cannot be read.
    """
    policy = read_policy(policy) if isinstance(policy, str | Path) else policy
    recorded = read_recording(recording, policy=policy, fps=fps, inputs=inputs)
    labelled = read_truth(truth).matching(recorded) if truth is not None else None
    decisions = {}
    for number, (name, observations) in enumerate(recorded.items(), 1):
        decisions[name] = tuple(decide(policy, observations, name))
        progress("deciding", number, len(recorded))
    return PolicyRun(
        policy,
        decisions,
        recorded.sequences,
        {} if labelled is None else labels_by_track(policy, labelled),
        (*recorded.refusals, *(labelled.refusals if labelled else ())),
        recorded.n_foreign,
    )
