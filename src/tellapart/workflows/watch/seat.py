"""One policy at work on a stream: what it hears, in order, and what it decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from tellapart.decision.engine import Engine
from tellapart.decision.sorter import Sorter
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation


class Seat:
    """`inputs` are the names of looks by those of the policy's inputs; `backlogs` the cameras among them that are files."""

    def __init__(
        self, subject: str, engine: Engine, sorter: Sorter, inputs: Mapping[str, str], backlogs: tuple[str, ...] = ()
    ) -> None:
        self.subject, self.backlogs = subject, backlogs
        self.latest: dict[str, Decision] = {}
        """The last decision of each track."""
        self._engine, self._sorter = engine, sorter
        self._called: dict[str, list[str]] = {}
        for of_policy, look in inputs.items():
            self._called.setdefault(look, []).append(of_policy)

    @property
    def hears(self) -> Iterable[str]:
        """Names of looks."""
        return self._called

    @property
    def n_late(self) -> int:
        """Images that came after their instant was decided."""
        return self._sorter.n_late

    def push(self, observation: Observation) -> None:
        """Take what a model said of a look that this seat hears."""
        for name in self._called[observation.input]:
            self._sorter.push([dataclasses.replace(observation, input=name)])

    def ready(self, now_s: float) -> list[Decision]:
        """Decisions on the instants that are complete as far as may be known at `now_s`."""
        return self._stepped(self._sorter.ready(now_s))

    def until(self, now_s: float) -> list[Decision]:
        """Decisions that time alone brought."""
        return self._kept(self._engine.until(self._sorter.safe_s(now_s)))

    def close(self) -> list[Decision]:
        """Nothing more comes: what waits is decided, and episodes under way end."""
        return [*self._stepped(self._sorter.rest()), *self._kept(self._engine.close())]

    def _stepped(self, instants: list[list[Observation]]) -> list[Decision]:
        return [one for instant in instants for one in self._kept(self._engine.step(instant))]

    def _kept(self, decisions: list[Decision]) -> list[Decision]:
        for one in decisions:
            self.latest[one.track] = one
        return decisions
