"""The loop: frames in, decisions out, until the cameras have ended or somebody wants it to.

One thread waits for frames, decides and passes on; worker threads look (`Analyst`). Nothing that comes from outside ends
it: not a camera, an image, a model or a full disk.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tellapart import __version__
from tellapart.records.decision import Decision
from tellapart.settings.stream_paths import is_file
from tellapart.streams.frame import Frame
from tellapart.streams.memory import MemoryCameras
from tellapart.streams.protocol import CameraSet
from tellapart.workflows.watch.analyst import Analyst, Answered, Looker
from tellapart.workflows.watch.channel import Channel
from tellapart.workflows.watch.desk import Backlogs, Desk, Moment
from tellapart.workflows.watch.health import State, StreamHealth, memory_bytes
from tellapart.workflows.watch.health_file import HealthFile
from tellapart.workflows.watch.outgoing import Outgoing
from tellapart.workflows.watch.plan import Plan
from tellapart.workflows.watch.result import WatchResult
from tellapart.workflows.watch.tally import Tally

View = Callable[[StreamHealth], None]

IDLE_S = 0.1
"""How long to wait for images when there is nothing to do."""
BUSY_S = 0.01
"""How long to wait for images while others are looked at: their answers must not wait."""
LOOK_EVERY_S = 0.25
"""How often a live view is drawn."""
FINISH_S = 1.5
"""How long images that were taken already may take to be answered, once somebody wants the end."""
STOP_S = 2.0
"""How long cameras may take to let go."""


class Run:
    """A stream at work. `run` may be called once."""

    def __init__(
        self,
        plan: Plan,
        cameras: CameraSet,
        look: Looker,
        outgoing: Outgoing,
        *,
        models: Mapping[str, str],
        workers: int,
        health_folder: Path | None = None,
        view: View | None = None,
    ) -> None:
        """`models` are the ids of the models by their names; `health_folder` None writes no health file."""
        self._plan, self._cameras, self._out, self._view = plan, cameras, outgoing, view
        self._tally = Tally(plan, models)
        self._analyst, self._desk = Analyst(look, workers), Desk(plan.seats())
        # Images of memory come in order and were taken long ago: they neither catch up nor lag.
        live = {} if isinstance(cameras, MemoryCameras) else plan.stream.cameras
        files = [name for name, one in live.items() if is_file(one)]
        self._timed = frozenset(live).difference(name for name in files if not Path(live[name].source).is_dir())
        self._started_real_s, self._started_s = time.monotonic(), time.time()
        self._heard_real_s = self._started_real_s
        self._backlogs = Backlogs(files, self._started_real_s)
        self._marks: deque[tuple[int, Moment]] = deque()
        self._reached = Moment(-math.inf)
        self._state: State = "running"
        self._message = ""
        self._health_file = HealthFile(health_folder) if health_folder is not None else None
        self._health_written = Channel("health file")
        self._drawn_s = self._ticked_s = float("-inf")

    def run(
        self, until: Callable[[], bool] | None = None, *, for_s: float = math.inf, idle_s: float = math.inf
    ) -> WatchResult:
        """Until `until` says so (it is asked ten times a second at least), the cameras have ended, `for_s` seconds are over,
        or no image came for `idle_s`."""
        ended: State = "failed"
        try:
            while not self._is_over(for_s, idle_s) and not (until is not None and until()):
                self._turn()
            self._finish()
            ended = "stopped"
        except BaseException as error:
            self._message = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._end(ended)
        seconds = time.monotonic() - self._started_real_s
        return self._tally.result(seconds, self._cameras.health(), self._channels(), self._desk.n_late)

    def _is_over(self, for_s: float, idle_s: float) -> bool:
        now_s = time.monotonic()
        if now_s - self._heard_real_s >= idle_s and self._is_connecting():
            self._heard_real_s = now_s  # who has not begun is not idle, however slow the machine is
        if now_s - self._started_real_s >= for_s or now_s - self._heard_real_s >= idle_s:
            return True
        return self._cameras.ended and self._analyst.n_out == self._analyst.n_taken

    def _is_connecting(self) -> bool:
        return any(one.state == "connecting" for one in self._cameras.health().values())

    def _turn(self) -> None:
        ended = self._cameras.ended
        if self._analyst.is_hungry and not ended:
            busy = self._analyst.n_out < self._analyst.n_taken
            frames = self._cameras.wait(BUSY_S if busy else IDLE_S)
            real_s = time.monotonic()
            self._heard_real_s = real_s if frames else self._heard_real_s
            self._backlogs.note(frames, real_s)
            self._analyst.submit(map(self._nameless, frames))
            self._mark(self._backlogs.moment(self._cameras.now_s(), real_s))
        else:
            self._analyst.wait(IDLE_S, for_room=not ended)
        self._take(self._analyst.ready())
        self._now_and_then()

    def _mark(self, moment: Moment) -> None:
        """This moment counts once everything that was taken before it is answered."""
        if self._marks and self._marks[-1][0] == self._analyst.n_taken:
            self._marks.pop()
        self._marks.append((self._analyst.n_taken, moment))

    def _take(self, answers: Iterable[Answered]) -> None:
        taken = self._analyst.n_out
        answers = list(answers)
        before = taken - len(answers)
        self._reach(before)
        for number, answered in enumerate(answers, before + 1):
            self._tally.answered(answered)
            self._out.saw(answered)
            self._tell(self._desk.hear(seen.observation for seen in answered.seen))
            if answered.frame.camera in self._timed:
                self._tally.lagged(self._cameras.now_s() - answered.frame.at_s)
            self._reach(number)

    def _reach(self, n_out: int) -> None:
        """Every moment before which all is answered."""
        while self._marks and self._marks[0][0] <= n_out:
            self._reached = self._marks.popleft()[1]
            self._tell(self._desk.tick(self._reached))

    def _tell(self, decisions: Iterable[Decision]) -> None:
        for one in decisions:
            if one.changed or one.final:
                self._tally.entered(one)
                self._changed()
            self._out.decided(one)

    def _now_and_then(self) -> None:
        for change in self._cameras.changes():
            self._out.camera(dataclasses.replace(change, message=self._safe(change.message)))
            self._changed()
        real_s = time.monotonic()
        if real_s - self._ticked_s >= 1.0:
            self._ticked_s = real_s
            self._out.tick(self._cameras.now_s())
        if self._health_file is not None and self._health_file.is_due(real_s):
            self._health_written.attempt(self._health_file.write, self.health(), real_s)
        if self._view is not None and real_s - self._drawn_s >= LOOK_EVERY_S:
            self._drawn_s = real_s
            self._view(self.health())

    def _changed(self) -> None:
        if self._health_file is not None:
            self._health_file.changed()

    def _finish(self) -> None:
        """What was taken is answered, what waits is decided, episodes under way end."""
        self._state = "stopping"
        self._cameras.stop(STOP_S)
        self._mark(self._backlogs.moment(self._cameras.now_s(), time.monotonic()))
        self._take(self._analyst.finish(FINISH_S))
        self._tell(self._desk.close())
        self._now_and_then()
        # Not now: images that nobody answered in time held the decisions up.
        self._out.ended(self._reached.latest(tuple(self._plan.looks)))

    def _end(self, state: State) -> None:
        """Let go of everything, however it ended."""
        self._state = state
        self._cameras.stop(STOP_S)
        self._analyst.stop()
        self._out.close()
        if self._health_file is not None:
            self._health_written.attempt(self._health_file.write, self.health(), time.monotonic())
        if self._view is not None and state == "stopped":
            self._view(self.health())

    def health(self) -> StreamHealth:
        """How everything does now."""
        return StreamHealth(
            stream=self._plan.stream.name,
            state=self._state,
            pid=os.getpid(),
            version=__version__,
            at_s=self._started_s + time.monotonic() - self._started_real_s,
            started_s=self._started_s,
            now_s=self._cameras.now_s(),
            cameras=self._tally.cameras(self._cameras.health()),
            decisions=tuple(one for seat in self._desk.seats for one in seat.latest.values()),
            channels=tuple({**one.to_json(), "message": self._safe(one.message)} for one in self._channels()),
            n_late=self._desk.n_late,
            memory_bytes=memory_bytes(),
            recording=self._out.recorded(),
            message=self._safe(self._message),
            waiting=self._analyst.n_taken - self._analyst.n_out,
            **self._tally.figures(),
        )

    def _channels(self) -> list[Channel]:
        return [*self._out.channels, *([self._health_written] if self._health_file is not None else [])]

    def _nameless(self, frame: Frame) -> Frame:
        """Without what its address should not tell."""
        return dataclasses.replace(frame, uri=self._safe(frame.uri)) if "://" in frame.uri else frame

    def _safe(self, text: str) -> str:
        return self._tally.safe(text)
