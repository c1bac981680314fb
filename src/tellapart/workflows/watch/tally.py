"""What a stream counts while it runs, and what it may tell of it: never a secret."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from tellapart.records.decision import Decision
from tellapart.settings.stream_secrets import hidden
from tellapart.streams.health import CameraHealth
from tellapart.workflows.watch.analyst import Answered
from tellapart.workflows.watch.channel import Channel
from tellapart.workflows.watch.health import Lags, ModelHealth
from tellapart.workflows.watch.plan import Plan
from tellapart.workflows.watch.result import WatchResult


class Tally:
    """Counts since the start."""

    def __init__(self, plan: Plan, models: Mapping[str, str]) -> None:
        """`models` are the ids of the models by their names."""
        self._stream = plan.stream
        self._models = {name: ModelHealth(name, model_id) for name, model_id in models.items()}
        self._model_of = {look.name: look.model for looks in plan.looks.values() for look in looks}
        self._refused: Counter[str] = Counter()
        self._entered: Counter[tuple[str, str, str]] = Counter()
        self._n_frames, self._lags, self._last_refusal = 0, Lags(), ""

    def answered(self, one: Answered) -> None:
        """A frame was answered or refused."""
        self._n_frames += 1
        if one.refused:
            self._refused[one.frame.camera] += 1
            self._last_refusal = self.safe(one.refused[-1])
        for seen in one.seen:
            name = self._model_of.get(seen.observation.input)
            if name is not None:  # a recording may have regions that are gone
                self._models[name].n_answered += 1
        for name, message in one.failed:
            self._models[name].n_failed += 1
            self._models[name].message = self.safe(message)

    def lagged(self, lag_s: float) -> None:
        """An image was decided on so long after its capture."""
        self._lags.add(lag_s)

    def entered(self, one: Decision) -> None:
        """A state began, or an episode ended in it."""
        self._entered[one.subject, one.track, one.state] += 1

    def safe(self, text: str) -> str:
        """Without secrets of the stream file."""
        return hidden(text, self._stream.secrets)

    def cameras(self, found: Mapping[str, CameraHealth]) -> dict[str, CameraHealth]:
        """In the order of the file; images that no model could use count as refused here."""
        order = [*(name for name in self._stream.cameras if name in found), *found]
        return {
            name: dataclasses.replace(
                found[name],
                n_refused=found[name].n_refused + self._refused[name],
                message=self.safe(found[name].message),
            )
            for name in dict.fromkeys(order)
        }

    def figures(self) -> dict[str, Any]:
        """Fields of a `StreamHealth`."""
        return {
            "models": tuple(map(copy, self._models.values())),
            "n_frames": self._n_frames,
            "n_refused": sum(self._refused.values()),
            "last_refusal": self._last_refusal,
            "lag_p50_s": self._lags.at(0.5),
            "lag_p99_s": self._lags.at(0.99),
        }

    def result(
        self, seconds: float, found: Mapping[str, CameraHealth], channels: Sequence[Channel], n_late: int
    ) -> WatchResult:
        """What came of it all."""
        failed = [one for one in channels if one.n_failed]
        messages = [f"{one.name}: {self.safe(one.message)}" for one in failed]
        messages += [f"model {one.name}: {one.message}" for one in self._models.values() if one.n_failed]
        return WatchResult(
            stream=self._stream.name,
            seconds=seconds,
            n_frames=self._n_frames,
            n_refused=sum(self._refused.values()),
            n_failed=sum(one.n_failed for one in self._models.values()),
            n_late=n_late,
            cameras=self.cameras(found),
            decisions=dict(self._entered),
            failures={one.name: one.n_failed for one in failed},
            messages=messages,
            lag_p50_s=self._lags.at(0.5),
            lag_p99_s=self._lags.at(0.99),
        )
