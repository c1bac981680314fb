"""Where decisions go: recording, journal, sinks and whoever listens. What fails is counted, told, and tried again.

The journal is written at once: it must have a decision before anything else tells it. All the others have threads of their own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tellapart.records.decision import Decision
from tellapart.settings.policy_file import identity
from tellapart.settings.stream import sink_kind
from tellapart.streams.event import Event
from tellapart.streams.health import CameraChange
from tellapart.streams.journal import Journal
from tellapart.streams.layout import new_run
from tellapart.streams.protocol import Sink
from tellapart.streams.recorder import Recorder
from tellapart.streams.sinks import open_sinks
from tellapart.workflows.watch.analyst import Answered
from tellapart.workflows.watch.channel import Channel
from tellapart.workflows.watch.plan import Plan, Ruling
from tellapart.workflows.watch.sending import Sending

Listener = Callable[[Event], None]


CLOSE_S = 5.0
"""How long sinks may take together to write what waits, at the end."""


class Outgoing:
    """All of it, from one thread. `keep` False keeps and sends nothing: only the listener hears."""

    def __init__(self, plan: Plan, listener: Listener | None = None, *, keep: bool = True) -> None:
        """Takes the stream's folder for itself.

        Raises:
            StreamError: `stream_in_use`, or `sink_failed` where the folder cannot be written.
            SpecError: `bad_stream` for a sink that cannot be.
        """
        self._name, self._listener = plan.stream.name, listener
        folder = Path(plan.stream.folder or f"{plan.stream.name}.watch")
        self._journal: Journal | None = None
        self._recorder: Recorder | None = None
        self._sending: list[Sending] = []
        self._keeping, self._writing = Channel("recording"), Channel("journal")
        if keep:
            run = new_run()
            sinks = open_sinks(plan.stream.sinks, plan.stream.name, folder)
            self._journal = Journal(folder, run=run)
            self._recorder = Recorder(
                folder, plan.stream.record, cameras=_cameras_of(plan.rulings), reach_s=reach_s(plan), run=run
            )
            self._sending = [_sending(sink, one) for sink, one in zip(sinks, plan.stream.sinks, strict=True)]
        for ruling in plan.rulings:
            self._keep_policy(ruling)

    @property
    def channels(self) -> Sequence[Channel]:
        """Everything that may fail."""
        kept = [self._recording(), self._writing] if self._journal is not None else []
        return (*kept, *(one.channel() for one in self._sending))

    def _recording(self) -> Channel:
        """What raised here, and what the recorder's thread could not write."""
        if self._recorder is None:
            return self._keeping
        counts, here = self._recorder.counts, self._keeping
        lost, failing = counts.n_failed + counts.n_dropped, here.is_failing or counts.is_failing
        said = counts.message or ("images came faster than they could be written" if counts.n_dropped else "")
        return replace(here, n_failed=here.n_failed + lost, is_failing=failing, message=here.message or said)

    def recorded(self) -> dict[str, Any] | None:
        """What the recorder counts; None where nothing is recorded."""
        return self._recorder.counts.to_json() if self._recorder is not None else None

    def saw(self, answered: Answered) -> None:
        """A frame was answered, or refused."""
        if self._recorder is not None:
            self._keeping.attempt(self._recorder.saw, answered.frame, answered.seen)

    def decided(self, decision: Decision) -> None:
        """A decision was made, whether it changes anything or not."""
        recorder = self._recorder
        if recorder is not None and self._journal is not None and (decision.changed or decision.final):
            self._keeping.attempt(recorder.decided, decision)
            self._writing.attempt(self._journal.decided, decision, recorder.behind(decision))
        if self._sending or self._listener:
            evidence = (lambda: recorder.evidence(decision)) if recorder is not None else tuple
            self._send(Event(self._name, decision.at_s, decision=decision, evidence=evidence))

    def camera(self, change: CameraChange) -> None:
        """A camera changed its state."""
        if self._journal is not None:
            self._writing.attempt(self._journal.camera, change)
        self._send(Event(self._name, change.at_s, camera=change))

    def tick(self, now_s: float) -> None:
        """Time goes by."""
        if self._recorder is not None:
            self._keeping.attempt(self._recorder.tick, now_s)

    def ended(self, at_s: float) -> None:
        """All is decided; time had come to `at_s`. A replay ends there."""
        if self._recorder is not None:
            self._keeping.attempt(self._recorder.ended, at_s)

    def close(self) -> None:
        """Write what waits, and let go of everything; may be called twice."""
        until_s = time.monotonic() + CLOSE_S
        for one in self._sending:
            one.end()
        for one in self._sending:
            one.wait(max(0.0, until_s - time.monotonic()))
        if self._recorder is not None:
            self._keeping.close(self._recorder.close)
        if self._journal is not None:
            self._writing.close(self._journal.close)

    def _send(self, event: Event) -> None:
        for one in self._sending:
            one.put(event)
        if self._listener is not None:
            self._listener(event)

    def _keep_policy(self, ruling: Ruling) -> None:
        if self._journal is None:
            return
        text = ""
        if ruling.file:
            with suppress(OSError, ValueError):
                text = Path(ruling.file).read_text(encoding="utf-8-sig")
        text = text or _as_text(ruling)
        self._writing.attempt(self._journal.keep_policy, identity(ruling.policy), text)


def reach_s(plan: Plan) -> float:
    """The longest window in seconds of any policy: so far back decisions look."""
    windows = [track.window for ruling in plan.rulings for track in ruling.policy.tracks.values()]
    return max((window.seconds for window in windows if window.seconds), default=0.0)


def _sending(sink: Sink, settings: Any) -> Sending:
    return Sending(sink, emit=settings.emit, images=sink_kind(settings) == "evidence")


def _cameras_of(rulings: Iterable[Ruling]) -> dict[str, tuple[str, ...]]:
    return {
        ruling.subject: tuple(dict.fromkeys(look.partition("/")[0] for look in ruling.inputs.values()))
        for ruling in rulings
    }


def _as_text(ruling: Ruling) -> str:
    """A policy that stands in no file, as one: JSON is YAML."""
    value = ruling.policy.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
