"""From frames to what the models say about them: every core busy, answers in the order in which the frames came.

A worker that is free takes what waits, of all cameras, as one batch for each model: nobody waits for a batch to fill. Each
worker decodes and infers by itself, as `classifier.pipeline` does and for the same reasons.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame

BATCH = 8


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a frame: what was seen of it, and one sentence for each look that could not be answered.

    `refused` are images that cannot be used, `failed` those on which a model failed, by the name of the model.
    """

    frame: Frame
    seen: tuple[Seen, ...]
    refused: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


Looker = Callable[[Sequence[Frame]], list[Answered]]


class Analyst:
    """Worker threads around `look`, which must be safe to call from several."""

    def __init__(self, look: Looker, workers: int) -> None:
        self._look, self._n = look, workers
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Frame]] = deque()
        self._done: dict[int, Answered] = {}
        self._next_in = self._next_out = 0
        self._stopped = False
        self._threads = [threading.Thread(target=self._work, name=f"analyst-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def n_taken(self) -> int:
        """Frames submitted so far."""
        return self._next_in

    @property
    def n_out(self) -> int:
        """Frames handed back so far."""
        return self._next_out

    @property
    def is_hungry(self) -> bool:
        """Whether less than a batch waits for a worker: there is room for what waits at the cameras."""
        return len(self._waiting) < BATCH

    def submit(self, frames: Iterable[Frame]) -> None:
        """Take frames, oldest first."""
        with self._changed:
            for frame in frames:
                self._waiting.append((self._next_in, frame))
                self._next_in += 1
            self._changed.notify_all()

    def wait(self, timeout_s: float, *, for_room: bool) -> None:
        """Until an answer is ready, there is room for further frames (if that is waited for), or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._next_out in self._done or (for_room and self.is_hungry), timeout_s)

    def ready(self) -> list[Answered]:
        """Answers that are complete, in the order of their frames."""
        with self._changed:
            found = []
            while self._next_out in self._done:
                found.append(self._done.pop(self._next_out))
                self._next_out += 1
            return found

    def finish(self, timeout_s: float) -> list[Answered]:
        """Answer what was submitted, then stop; after `timeout_s` what is not done stays undone."""
        with self._changed:
            self._changed.wait_for(lambda: self._next_out + len(self._done) >= self._next_in, timeout_s)
        self.stop()
        return self.ready()

    def stop(self) -> None:
        """No further batch is begun; may be called twice."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def _claim(self) -> list[tuple[int, Frame]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            if self._stopped:
                return []
            # Shared among the workers, so that none idles while another has a long row before it.
            size = min(BATCH, -(-len(self._waiting) // self._n))
            claimed = [self._waiting.popleft() for _ in range(size)]
            self._changed.notify_all()
            return claimed

    def _work(self) -> None:
        while claimed := self._claim():
            answered = self._looked([frame for _, frame in claimed])
            with self._changed:
                self._done |= {number: one for (number, _), one in zip(claimed, answered, strict=True)}
                self._changed.notify_all()

    def _looked(self, frames: Sequence[Frame]) -> list[Answered]:
        try:
            return self._look(frames)
        except Exception as error:  # noqa: BLE001  a worker that died would stop the stream
            return [Answered(frame, (), refused=(f"{type(error).__name__}: {error}",)) for frame in frames]
