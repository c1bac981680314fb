"""A recording looked at again: the same path as live behind the source, so that the same images give the same decisions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.errors import Reason, SettingsError, SpecError
from tellapart.image.types import DecodeLimits
from tellapart.records.decision import Decision
from tellapart.settings.stream import Stream
from tellapart.settings.stream_file import read_stream
from tellapart.streams.event import Event, Seen
from tellapart.streams.frame import Frame
from tellapart.streams.memory import MemoryCameras
from tellapart.streams.recording import Kept, Recording
from tellapart.streams.run_lines import RecordedRun
from tellapart.workflows.replay_result import ReplayResult, RunReplayed
from tellapart.workflows.replay_stream import with_policies_of
from tellapart.workflows.watch.analyst import Answered, Looker
from tellapart.workflows.watch.looking import Looking
from tellapart.workflows.watch.outgoing import Listener, Outgoing
from tellapart.workflows.watch.plan import Plan, plan_of
from tellapart.workflows.watch.run import Run, View
from tellapart.workflows.watch.watch import load_models

RECORDED_MODEL = "recorded"


class RecordedCameras(MemoryCameras):
    """Cameras of a run that was recorded. After the last image time goes on to the end of the run."""

    def __init__(
        self, frames: Iterator[Frame], run: RecordedRun, changes: Any, names: Any, speed: float | None
    ) -> None:
        super().__init__(frames, names=names, changes=changes, speed=speed)
        self._ended_s = run.ended_s

    def now_s(self) -> float:
        """The time of the last image, and of the end of the run after it."""
        now_s = super().now_s()
        return max(now_s, self._ended_s) if self._next is None and self._ended_s is not None else now_s


def replay(
    stream: Stream | str | Path,
    recording: str | Path,
    *,
    speed: float | None = None,
    predictions: bool = False,
    policy_dir: str | Path | None = None,
    until: Callable[[], bool] | None = None,
    on_event: Listener | None = None,
    view: View | None = None,
    workers: int = 0,
    provider: str = "cpu",
    limits: DecodeLimits | None = None,
) -> ReplayResult:
    """Decide once more on everything that was recorded, run after run. Nothing is written.

    `speed` 1 is as fast as it was, 10 ten times as fast, None as fast as this machine can. `predictions` takes what the
    models said then and loads none. `policy_dir` holds policy files that take the place of those of the same name.

    Raises:
        SpecError: `bad_stream` or `bad_policy`.
        DataError: `dataset_not_found`, `recording_damaged`.
        ModelError: a model cannot be loaded.
        SettingsError: `bad_setting` for a speed that is none.
    """
    if speed is not None and not (math.isfinite(speed) and speed > 0):
        raise SettingsError(Reason.BAD_SETTING, f"the speed of a replay is a number above 0, got {speed:g}")
    stream = stream if isinstance(stream, Stream) else read_stream(stream)
    if policy_dir is not None:
        stream = with_policies_of(stream, Path(policy_dir))
    source = Recording(recording)
    if predictions:
        plan, look_at = plan_of(stream), None
        models = dict.fromkeys(stream.models, RECORDED_MODEL)
    else:
        loaded = load_models(stream, provider=provider, limits=limits)
        plan = plan_of(stream, {name: one.schema for name, one in loaded.items()})
        look_at = Looking(plan.looks, loaded)
        models = {name: one.card.model_id for name, one in loaded.items()}
    replayed = []
    for run in source.runs:
        if until is not None and until():
            break
        once = _Replay(plan, source, run, speed, models, on_event, view, workers)
        replayed.append(once.with_model(look_at, until) if look_at else once.with_answers(until))
    return ReplayResult(str(recording), tuple(replayed), predictions)


@dataclass(slots=True)
class _Replay:
    """One run, decided on once more."""

    plan: Plan
    source: Recording
    run: RecordedRun
    speed: float | None
    models: Mapping[str, str]
    on_event: Listener | None
    view: View | None
    workers: int
    decisions: list[Decision] = field(default_factory=list)

    def with_model(self, look: Looker, until: Callable[[], bool] | None) -> RunReplayed:
        """The models look at the images again."""
        return self._replayed(self.source.frames(self.run), look, until, self.source.kept(self.run))

    def with_answers(self, until: Callable[[], bool] | None) -> RunReplayed:
        """What the models said then is taken."""
        said: dict[tuple[str, int, float], tuple[Seen, ...]] = {}

        def frames() -> Iterator[Frame]:
            for frame, seen in self.source.answers(self.run):
                said[frame.camera, frame.number, frame.at_s] = seen
                yield frame

        def look(waiting: Sequence[Frame]) -> list[Answered]:
            return [Answered(one, said.pop((one.camera, one.number, one.at_s))) for one in waiting]

        return self._replayed(frames(), look, until, None)

    def _replayed(
        self, frames: Iterator[Frame], look: Looker, until: Callable[[], bool] | None, kept: Kept | None
    ) -> RunReplayed:
        changes = self.source.camera_changes(self.run)
        cameras = RecordedCameras(self._known(frames), self.run, changes, self.plan.looks, self.speed)
        going = Run(
            self.plan,
            cameras,
            look,
            Outgoing(self.plan, self._hear, keep=False),
            models=self.models,
            workers=self.workers or 1,
            view=self.view,
        )
        with cameras:
            result = going.run(until)
        return RunReplayed(self.run, result, tuple(self.decisions), self._lived(), kept)

    def _known(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if frame.camera not in self.plan.looks:
                raise SpecError(
                    Reason.BAD_STREAM,
                    f"the recording has images of the camera {frame.camera!r}, which the stream does not have; "
                    f"its cameras are {', '.join(map(repr, self.plan.looks))}",
                )
            yield frame

    def _hear(self, event: Event) -> None:
        if event.decision is not None and (event.decision.changed or event.decision.final):
            self.decisions.append(event.decision)
        if self.on_event is not None:
            self.on_event(event)

    def _lived(self) -> tuple[Decision, ...]:
        """What was decided live during the run."""
        return tuple(self.source.decisions(self.run))
