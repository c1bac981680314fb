"""Sinks that are slow, hang or fail: decisions do not wait for them, and it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.workflows.watch.streams import frames, stream, watched

from tellapart.errors import Reason, StreamError
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.streams.event import Event, Seen
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange
from tellapart.workflows.watch import outgoing, sending
from tellapart.workflows.watch.health import StreamHealth
from tellapart.workflows.watch.sending import Sending


class Held:
    """A sink that does nothing until it is let go, and notes what it got."""

    name = "held"

    def __init__(self) -> None:
        self.go, self.began = threading.Event(), threading.Event()
        self.got: list[Event] = []
        self.n_closed = 0
        self.error: Exception | None = None

    def emit(self, event: Event) -> None:
        self.began.set()
        assert self.go.wait(60)
        if self.error is not None:
            raise self.error
        self.got.append(event)

    def close(self) -> None:
        self.n_closed += 1


def event(number: int, *, changed: bool = True, n_bytes: int = 0) -> Event:
    """A decision with one image behind it, twice: two of its regions."""
    at_s = float(number)
    decision = Decision(f"{number:016x}", at_s, "state", "s", at_s, changed, "r", "b", (), "p@1")
    frame = Frame("a", number, at_s, np.zeros((1, max(1, n_bytes // 3), 3), np.uint8))
    seen = Seen(frame, None, Observation(at_s, "a", f"a@{number}", {"x": 1.0}, ("x",)))
    return Event("line", at_s, decision=decision, evidence=lambda: (seen, seen))


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ended(one: Sending, timeout_s: float = 30.0) -> None:
    one.end()
    one.wait(timeout_s)


def test_events_wait_for_a_slow_sink_and_come_in_their_order() -> None:
    sink = Held()
    one = Sending(sink)
    for number in range(5):
        one.put(event(number))
        one.put(event(number, changed=False))  # not asked for
    assert sink.began.wait(30)
    told = one.channel()
    assert (told.name, told.n_waiting, told.n_failed, told.is_failing) == ("held", 5, 0, False)
    sink.go.set()
    ended(one)
    assert [each.at_s for each in sink.got] == [0, 1, 2, 3, 4]
    assert sink.got[0].evidence() == ()
    assert sink.n_closed == 1
    assert one.channel().n_waiting == 0


def test_everything_where_it_is_asked_for_and_images_as_they_were() -> None:
    sink = Held()
    sink.go.set()
    one = Sending(sink, emit="all", images=True)
    there = [event(1).evidence()]
    decision = event(1, changed=False).decision
    one.put(Event("line", 1.0, decision=decision, evidence=lambda: there.pop() if there else ()))
    one.put(Event("line", 1.0, camera=CameraChange("a", 1.0, "gone", "live")))
    ended(one)
    assert [len(each.evidence()) for each in sink.got] == [2, 0]


@pytest.mark.parametrize("limit", ["events", "bytes"])
def test_what_comes_too_fast_is_dropped_and_counted(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, *(("MOST_EVENTS", 3) if limit == "events" else ("MOST_BYTES", 4 * 3000)))
    sink = Held()
    one = Sending(sink, images=True)
    one.put(event(0, n_bytes=3000))
    assert sink.began.wait(30)
    for number in range(1, 9):
        one.put(event(number, n_bytes=3000))
    told = one.channel()
    assert (told.n_failed, told.is_failing, told.message) == (5, True, "it is too slow: 3 events wait for it")
    sink.go.set()
    until(lambda: len(sink.got) == 4)
    until(lambda: not one.channel().is_failing)
    one.put(event(9, n_bytes=100_000))  # larger than all that may wait, and alone
    ended(one)
    assert [each.at_s for each in sink.got] == [0, 1, 2, 3, 9]


def test_a_failure_is_told_though_nothing_follows_and_forgotten_with_the_next_that_is_well() -> None:
    sink = Held()
    sink.go.set()
    sink.error = StreamError(Reason.SINK_FAILED, "no space left")
    one = Sending(sink)
    one.put(event(1))
    until(lambda: one.channel().is_failing)
    assert (one.channel().n_failed, one.channel().message) == (1, "no space left")
    sink.error = None
    one.put(event(2))
    until(lambda: not one.channel().is_failing)
    sink.error = ValueError("whatever")
    one.put(event(3))
    ended(one)
    told = one.channel()
    assert (told.n_failed, told.is_failing, told.message) == (2, True, "whatever")
    assert sink.n_closed == 1


def test_a_sink_that_hangs_is_told_and_does_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Held()
    one = Sending(sink)
    for number in range(3):
        one.put(event(number))
    assert sink.began.wait(30)
    monkeypatch.setattr(sending, "SLOW_S", -1.0)
    told = one.channel()
    assert (told.is_failing, told.message) == (True, "it has been with one event for 0 s")
    ended(one, 0.05)
    told = one.channel()
    assert (told.n_failed, told.message) == (3, "it was too slow at the end: 3 events are lost")
    one.put(event(9))
    assert one.channel().n_failed == 4
    sink.go.set()
    one.wait(30)
    assert len(sink.got) == 1
    assert one.channel().n_failed == 4


def test_decisions_are_made_while_a_sink_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Held()
    heard: list[StreamHealth] = []
    monkeypatch.setattr(outgoing, "open_sinks", lambda *_: (sink,))
    monkeypatch.setattr(outgoing, "CLOSE_S", 0.05)
    of = stream(tmp_path, sinks=[{"evidence": "evidence"}])
    result, changes = watched(of, frames(["blue", "red", "green", "blue"]), at_once=1, view=heard.append)
    assert [state for _, _, state in changes] == ["blue", "red", "green", "blue"]
    assert result.failures == {"held": 4 + 3}  # the camera was connecting, live and ended
    sink.go.set()
    told = next(one for one in heard[-1].channels if one["name"] == "held")
    assert told["failing"]
