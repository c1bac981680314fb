"""A sink at work in a thread of its own: whatever it takes to write an event, decisions do not wait for it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque

from tellapart.streams.event import Event, Seen
from tellapart.streams.protocol import Sink
from tellapart.streams.sinks import wanted
from tellapart.workflows.watch.channel import Channel

MOST_EVENTS = 1000
MOST_BYTES = 128_000_000
SLOW_S = 5.0
"""A sink that is with one event for so long is called failing, though it may still come to its end."""


class Sending:
    """Events in their order. At most 1,000 wait, with 128 MB of images; what comes on top of them is dropped and counted."""

    def __init__(self, sink: Sink, *, emit: str = "changes", images: bool = False) -> None:
        """`emit` says what the sink takes, `images` whether it asks for the images behind a decision."""
        self._sink, self._emit, self._images = sink, emit, images
        self._channel = Channel(sink.name)
        self._waiting: deque[tuple[Event, int]] = deque()
        self._bytes = self._bytes_now = 0
        self._began_s: float | None = None
        self._changed = threading.Condition()
        self._closing = self._given_up = False
        self._thread = threading.Thread(target=self._run, name="tellapart-sink", daemon=True)
        self._thread.start()

    def channel(self) -> Channel:
        """What became of it so far."""
        with self._changed:
            now = dataclasses.replace(self._channel, n_waiting=len(self._waiting) + (self._began_s is not None))
            taken_s = None if self._began_s is None else time.monotonic() - self._began_s
        if taken_s is not None and taken_s > SLOW_S:
            now.is_failing, now.message = True, f"it has been with one event for {taken_s:.0f} s"
        return now

    def put(self, event: Event) -> None:
        """Send it soon. Images are looked up now: memory lets go of them."""
        if not wanted(event, self._emit):
            return
        seen = event.evidence() if self._images else ()
        n_bytes = _bytes_of(seen)
        with self._changed:
            full = len(self._waiting) >= MOST_EVENTS or (self._bytes and self._bytes + n_bytes > MOST_BYTES)
            if self._closing or full:
                self._channel.failed(f"it is too slow: {len(self._waiting):,} events wait for it")
                return
            self._bytes += n_bytes
            self._waiting.append((dataclasses.replace(event, evidence=lambda: seen), n_bytes))
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more comes: once what waits is sent, the sink is closed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """After `end`: until it is done. What waits then is dropped and counted; may be called twice."""
        self._thread.join(timeout_s)
        with self._changed:
            self._given_up = True
            n = len(self._waiting) + (self._began_s is not None)
            if n:
                self._channel.failed(f"it was too slow at the end: {n:,} events are lost", n)
            self._waiting.clear()
            self._began_s = None

    def _run(self) -> None:
        while (event := self._next()) is not None:
            self._attempt(event)
            del event
        self._channel.close(self._sink.close)

    def _next(self) -> Event | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._given_up or not self._waiting:
                return None
            event, n_bytes = self._waiting.popleft()
            self._began_s, self._bytes_now = time.monotonic(), n_bytes
            return event

    def _attempt(self, event: Event) -> None:
        of_this = Channel(self._channel.name)
        of_this.attempt(self._sink.emit, event)
        with self._changed:
            self._began_s = None
            self._bytes -= self._bytes_now
            self._channel.is_failing = of_this.is_failing
            if of_this.is_failing and not self._given_up:
                self._channel.failed(of_this.message)


def _bytes_of(seen: tuple[Seen, ...]) -> int:
    """Of images that are behind several regions once."""
    return sum({id(one.frame): one.frame.n_bytes for one in seen}.values())
