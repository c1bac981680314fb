"""The process of one camera: it connects, samples, looks for signs of blindness, and sends what is to be looked at.

    python -P -m tellapart.streams.capture < orders

It is told by lines of JSON what to capture, of triggers, and how many images were taken; it ends with its parent, and may
be killed at any time. What a library writes to the standard output or error goes nowhere: it may name passwords.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import TellapartError
from tellapart.records.roi import Roi
from tellapart.streams.backoff import Backoff
from tellapart.streams.clock import Clock
from tellapart.streams.outbox import Outbox, Phase, Report
from tellapart.streams.protocol import Shot, Source
from tellapart.streams.sampling import AtTrigger, Small, sampler_of
from tellapart.streams.signs import Signs
from tellapart.streams.sources.address import shown
from tellapart.streams.sources.small import small_copy
from tellapart.streams.wire import widen

_TEARDOWN_S = 1.0
_TRIGGER_EVERY_S = 0.02


class Capture:
    """One camera's loop: connect, deliver until it is lost, wait, connect again."""

    def __init__(self, order: dict[str, Any], output: BinaryIO) -> None:
        settings = json.loads(json.dumps(order["settings"]), object_hook=lambda fields: SimpleNamespace(**fields))
        self._clock = Clock(order["offset_s"])
        regions = tuple(Roi.from_json(one) for one in order["regions"])
        self._source = _opened(order["opener"], settings, self._clock)
        self._sampler = sampler_of(settings.sample, files=self._source.files, regions=regions)
        self._signs = None if self._source.files else Signs(settings.frozen_after_s, settings.black_below)
        self._check_every_s = min(1.0, settings.stale_after_s / 2)
        self._check_s = self._last_s = -1.0
        self._backoff = Backoff(settings.reconnect.first_s, settings.reconnect.longest_s, order["camera"])
        self._trigger = settings.sample.trigger if settings.sample is not None else None
        self._report = Report(busy_s=self._clock.now_s())
        self.outbox = Outbox(output, self._report, settings.queue, self._clock.now_s)
        self.outbox.lossless = self._source.finite
        self.stopped = threading.Event()
        self._needed = True

    def run(self) -> None:
        """Until a recording ends or the process is told to stop."""
        while not self.stopped.is_set():
            try:
                self._become("opening")
                self._deliver()
                break
            except (TellapartError, OSError) as exc:
                self._report.message = shown(str(exc))
            finally:
                self._source.close()
            self._become("waiting")
            self.stopped.wait(self._backoff.failed())
            self._report.counts["reconnects"] += 1
        if not self.stopped.is_set():
            self.outbox.close("ended")

    def fire(self) -> None:
        """The trigger of this camera fired."""
        if isinstance(self._sampler, AtTrigger):
            self._sampler.fire()

    def fail(self, fault: BaseException | None) -> None:
        """Say what the process ends of."""
        self._report.message = shown(f"{type(fault).__name__}: {fault}")
        self.outbox.close("waiting")

    def stop(self) -> None:
        """Hang up after the image that comes next."""
        self.stopped.set()
        self.outbox.abandon()

    def _become(self, phase: Phase) -> None:
        self._report.phase = phase
        self._report.busy_s = self._clock.now_s()
        self.outbox.hurry()

    def _deliver(self) -> None:
        for shot in self._source.frames(self._wants):
            self._report.busy_s = self._clock.now_s()
            if shot is None or self._take(shot):
                self._note_alive(self._report.busy_s)
            if self.stopped.is_set():
                return

    def _note_alive(self, now_s: float) -> None:
        self._report.alive_s = now_s
        self._backoff.well(now_s)
        if self._report.phase != "reading":
            self._report.message = ""
            self._become("reading")

    def _wants(self, at_s: float) -> bool:
        """Pixels are needed of images that may be sampled, and now and then to see how the camera does."""
        self._needed = self._sampler.due(at_s)
        return self._needed or (self._signs is not None and at_s >= self._check_s)

    def _take(self, shot: Shot) -> bool:
        """Whether it is an image, looked at or not."""
        self._report.counts["captured"] += 1
        if shot.refused:
            return self._refuse(shot.refused)
        if shot.image is None:
            return True
        small = small_copy(shot.image) if self._signs is not None or self._sampler.looks else None
        if small is None and self._signs is not None:
            return self._refuse("what was delivered is no image")
        # To the microsecond, as `Clock` tells it, and no two alike: the time names the image.
        at_s = self._last_s = round(max(shot.at_s, self._last_s + 2e-6), 6)
        self._judge(shot._replace(at_s=at_s), shot.image, small)
        return True

    def _judge(self, shot: Shot, image: NDArray[np.uint8] | bytes, small: Small | None) -> None:
        withheld = False
        if self._signs is not None and small is not None:
            self._check_s = shot.at_s + self._check_every_s
            sign, withheld = self._signs.judge(shot.at_s, image, small)
            self._show(sign)
        if not (self._needed and self._sampler.takes(shot.at_s, small)):
            return
        self._report.counts["sampled"] += 1
        if withheld:
            self._report.counts["withheld"] += 1
        else:
            self._send(shot, image)

    def _show(self, sign: Literal["live", "frozen", "black"]) -> None:
        if sign != self._report.sign:
            self._report.sign = sign
            self.outbox.hurry()

    def _send(self, shot: Shot, image: NDArray[np.uint8] | bytes) -> None:
        shape = None if isinstance(image, bytes) else image.shape
        number = self._report.counts["sampled"] - 1
        head = {"number": number, "at": shot.at_s, "uri": shot.uri, "trigger": self._trigger, "shape": shape}
        self.outbox.put(head, image)

    def _refuse(self, why: str) -> bool:
        self._report.counts["refused"] += 1
        self._report.message = why
        return False


def _opened(opener: str, settings: Any, clock: Clock) -> Source:
    module, _, name = opener.partition(":")
    source: Source = getattr(import_module(module), name)(settings, clock)
    return source


def main() -> None:
    """Capture as the first line of the standard input says, until it ends."""
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    widen(output)
    _silence()
    order = json.loads(sys.stdin.buffer.readline())
    capture = Capture(order, output)
    threading.Thread(target=_obey, args=(capture,), name="orders", daemon=True).start()
    threading.Thread(target=_mind_parent, name="parent", daemon=True).start()
    if order["trigger_file"] is not None:
        watch = threading.Thread(target=_watch_file, args=(Path(order["trigger_file"]), capture), daemon=True)
        watch.start()
    code = 1
    try:
        capture.run()
        code = 0
    finally:
        if code:
            capture.fail(sys.exc_info()[1])
        os._exit(code)  # threads that wait for orders would make an ordinary end wait, or crash


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _obey(capture: Capture) -> None:
    """Orders until the parent closes them or is gone: then there is a second to hang up, and then the end."""
    for line in sys.stdin.buffer:
        order = json.loads(line)
        capture.outbox.taken(order.get("taken", 0))
        if "trigger" in order:
            capture.fire()
    capture.stop()
    time.sleep(_TEARDOWN_S)
    os._exit(0)


def _mind_parent() -> None:
    """The pipe tells of the parent's end, unless another of its children keeps it open: then this does."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(0)


def _watch_file(path: Path, capture: Capture) -> None:
    """The trigger fires each time the file is made, written or touched."""
    last = _touched(path)
    while True:
        time.sleep(_TRIGGER_EVERY_S)
        now = _touched(path)
        if now is not None and now != last:
            capture.fire()
        last = now if now is not None else last


def _touched(path: Path) -> tuple[int, int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


if __name__ == "__main__":
    main()
