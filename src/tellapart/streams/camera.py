"""One camera as the watching process holds it: its capturing process, the images that wait, and how it does."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ImageError
from tellapart.image.decode import dimensions
from tellapart.streams.backoff import Backoff
from tellapart.streams.child import Child
from tellapart.streams.clock import Clock
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange, CameraHealth, CameraState
from tellapart.streams.sources.address import kind_of
from tellapart.streams.tally import Tally

_START_LIMIT_S = 60.0
_SILENT_LIMIT_S = 15.0
_FOLDER_LIMIT_S = 120.0
# To connect takes as long once more: an answer is waited for, and then the first image.
_OPENING_LIMIT_S = 10.0
_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class CameraOrder:
    """What a capturing process is started with: plain values, and what of them the parent needs itself."""

    name: str
    settings: Any
    order: dict[str, Any]

    @property
    def hangs_after_s(self) -> float:
        """A process in which nothing happens for so long hangs, and is killed: time-outs of its own have passed by then."""
        if kind_of(self.settings.source, self.settings.kind) == "folder":
            return _FOLDER_LIMIT_S
        return max(5.0, float(self.settings.stale_after_s)) + 10.0


class Camera:
    """Runs a thread that reads what the process says, and starts another process when one dies.

    `news` guards all of it and is notified of images and changes.
    """

    def __init__(self, order: CameraOrder, clock: Clock, news: threading.Condition) -> None:
        self._order, self._clock, self._news = order, clock, news
        self._settings = order.settings
        self.waiting: deque[Frame] = deque()
        self.changes: list[CameraChange] = []
        self._tally = Tally()
        self._report: dict[str, Any] = {"phase": "opening", "sign": "live", "message": ""}
        self._state: CameraState = "connecting"
        self._since_s = self._alive_s = self._busy_s = self._heard_s = clock.now_s()
        self._last_frame_s: float | None = None
        self._size: tuple[int, int] | None = None
        self._child: Child | None = None
        self._looked_s = self._lenient_until_s = self._since_s
        self._killed = ""
        self._fired = False
        self._stopped = threading.Event()
        self.changes.append(CameraChange(order.name, self._since_s, "connecting", None))
        self._thread = threading.Thread(target=self._run, name=f"camera {order.name}", daemon=True)

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The number of its process, None between two."""
        child = self._child
        return None if child is None else child.pid

    @property
    def ended(self) -> bool:
        """Whether its recording is over and was handed out."""
        return self._state == "ended" and not self.waiting

    def take(self) -> list[Frame]:
        """What waits; the process is told that there is room."""
        frames = list(self.waiting)
        self.waiting.clear()
        now_s = self._clock.now_s()
        for frame in frames:
            self._tally.delivered(now_s)
            self._last_frame_s = frame.at_s
            self._size = _size(frame.image) or self._size
        if frames and self._child is not None:
            self._child.tell({"taken": len(frames)})
        return frames

    def trigger(self, name: str) -> None:
        """Fire, where it samples by this trigger; between two processes the next one is told."""
        sample = self._settings.sample
        if sample is not None and sample.trigger == name:
            self._fired = True
            self._tell_trigger()

    def health(self) -> CameraHealth:
        """How it does now."""
        now_s = self._clock.now_s()
        count = self._tally.count
        return CameraHealth(
            camera=self._order.name,
            state=self._state,
            since_s=self._since_s,
            fps=self._tally.fps(now_s),
            last_frame_s=self._last_frame_s,
            n_captured=count("captured"),
            n_sampled=count("sampled"),
            n_dropped=count("dropped"),
            n_withheld=count("withheld"),
            n_refused=count("refused"),
            n_reconnects=count("reconnects"),
            size=self._size,
            message=self._report["message"],
        )

    def look(self) -> None:
        """See whether its state changed by time alone, and end a process that hangs."""
        now_s = self._clock.now_s()
        self._forgive(now_s)
        self._become(self._state_at(now_s), now_s)
        child = self._child
        if child is not None and not self._killed and (why := self._hangs(now_s)):
            self._killed = why
            child.kill()

    def let_go(self) -> None:
        """Tell the process to hang up, and start no other."""
        self._stopped.set()
        if self._child is not None:
            self._child.let_go()

    def end(self, timeout_s: float) -> bool:
        """Whether thread and process are gone within the time; the process is killed where it has not hung up."""
        self._thread.join(timeout_s / 2)
        child = self._child
        if child is not None:
            child.kill()
        self._thread.join(timeout_s / 2)
        return not self._thread.is_alive()

    def _run(self) -> None:
        reconnect = self._settings.reconnect
        backoff = Backoff(reconnect.first_s, reconnect.longest_s, f"{self._order.name} process")
        while not self._stopped.is_set():
            child = self._started()
            while child is not None and (message := child.receive()) is not None:
                self._hear(*message, backoff)
            if child is not None and self._finished(child):
                return
            self._stopped.wait(backoff.failed())

    def _started(self) -> Child | None:
        """A new process; None where the system gives none at the moment."""
        with self._news:
            now_s = self._clock.now_s()
            started_s = now_s + _START_LIMIT_S  # by then; a machine that is busy takes its time to start a process
            self._heard_s, self._killed = started_s - _SILENT_LIMIT_S, ""
            self._busy_s = max(now_s, started_s - self._order.hangs_after_s)
            try:
                child = self._child = Child(self._order.order)
            except OSError as exc:
                why = f"no process to capture with could be started ({exc.strerror})"
                self._report = self._report | {"phase": "waiting", "message": why}
                return None
            self._tell_trigger()
            if self._stopped.is_set():
                child.let_go()
            return child

    def _hear(self, head: dict[str, Any], image: NDArray[np.uint8] | None, backoff: Backoff) -> None:
        with self._news:
            report = head["report"]
            if report["phase"] == "opening" and not report["message"]:  # a new process, and why the last one ended
                report["message"] = self._report["message"]
            self._report = report
            self._heard_s = self._clock.now_s()
            self._alive_s, self._busy_s = max(self._alive_s, report["alive"]), report["busy"]
            if self._tally.report(report["counts"]):
                self._fired = False
            if image is not None:
                self._queue(head["frame"], image)
                backoff.well(self._heard_s)
            changed = self._become(self._state_at(self._heard_s), self._heard_s)
            if changed or image is not None:
                self._news.notify_all()

    def _tell_trigger(self) -> None:
        if self._fired and self._child is not None:
            self._child.tell({"trigger": self._settings.sample.trigger})

    def _queue(self, head: dict[str, Any], image: NDArray[np.uint8]) -> None:
        if len(self.waiting) >= self._settings.queue:
            self.waiting.popleft()
            self._tally.dropped()
        pixels = image.tobytes() if head["shape"] is None else image.reshape(head["shape"])
        number = self._tally.received() + head["number"]
        self.waiting.append(Frame(self._order.name, number, head["at"], pixels, head["uri"], head["trigger"]))

    def _finished(self, child: Child) -> bool:
        """Take note of the end of a process; whether there is to be no other."""
        while (code := child.ended(1.0)) is None and not self._stopped.is_set():
            child.kill()  # its pipe is closed; it hangs in the system, and another one would hang there as well
        with self._news:
            ended = self._report["phase"] == "ended"
            lost = not ended and not self._stopped.is_set()  # one that was told to hang up is no fault of the camera
            self._tally.process_ended(lost=lost)
            self._child = None
            child.close()
            if lost:
                why = self._killed or f"the capturing process ended (exit code {code})"
                message = why if self._report["phase"] != "waiting" else self._report["message"] or why
                self._report = self._report | {"phase": "waiting", "message": message}
            self._news.notify_all()
        return not lost

    def _state_at(self, now_s: float) -> CameraState:
        phase = self._report["phase"]
        if phase == "ended":
            return "ended"
        silent = now_s - self._alive_s > self._settings.stale_after_s
        if phase in ("opening", "waiting"):
            return "gone" if silent else "connecting"
        sign: CameraState = self._report["sign"]
        return "stale" if silent else sign

    def _hangs(self, now_s: float) -> str:
        if now_s < self._lenient_until_s:
            return ""
        if now_s - self._heard_s > _SILENT_LIMIT_S:
            return "the capturing process did not answer any more and was started anew"
        limit_s = self._order.hangs_after_s + (_OPENING_LIMIT_S if self._report["phase"] == "opening" else 0.0)
        if self._report["phase"] in ("opening", "reading") and now_s - self._busy_s > limit_s:
            return f"the source hung for {limit_s:.0f} s; its process was started anew"
        return ""

    def _forgive(self, now_s: float) -> None:
        """Where this process itself was stopped (Ctrl-Z), what the other said meanwhile is heard before it is judged."""
        if now_s - self._looked_s > _PAUSE_S:
            self._lenient_until_s = now_s + _PAUSE_S
        self._looked_s = now_s

    def _become(self, state: CameraState, now_s: float) -> bool:
        if state == self._state or self._stopped.is_set():
            return False
        self.changes.append(CameraChange(self._order.name, now_s, state, self._state, self._report["message"]))
        self._state, self._since_s = state, now_s
        self._news.notify_all()
        return True


def _size(image: NDArray[np.uint8] | bytes) -> tuple[int, int] | None:
    """(width, height) in pixels; of the bytes of a file as its head tells, None where it does not."""
    if not isinstance(image, bytes):
        return image.shape[1], image.shape[0]
    try:
        return dimensions(image)
    except ImageError:
        return None
