"""Look at cameras, folders and videos, and decide, as a stream file says."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.cores import available_cores
from tellapart.classifier.storage import load
from tellapart.image.types import DecodeLimits
from tellapart.settings.stream import Stream
from tellapart.settings.stream_file import read_stream
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import CameraSet
from tellapart.workflows.watch.looking import Looking
from tellapart.workflows.watch.outgoing import Listener, Outgoing
from tellapart.workflows.watch.plan import Plan, plan_of
from tellapart.workflows.watch.result import WatchResult
from tellapart.workflows.watch.run import Run, View


def watch(
    stream: Stream | str | Path,
    *,
    cameras: CameraSet | None = None,
    until: Callable[[], bool] | None = None,
    for_s: float = math.inf,
    idle_s: float = math.inf,
    on_event: Listener | None = None,
    view: View | None = None,
    keep: bool = True,
    workers: int = 0,
    provider: str = "cpu",
    limits: DecodeLimits | None = None,
) -> WatchResult:
    """Watch until `until()` is true, `for_s` seconds are over, no image came for `idle_s`, or all sources have ended, which
    cameras and folders never do.

    `cameras` take the place of those that the stream names (`streams.memory.MemoryCameras`); they are stopped at the end.
    `on_event` hears every decision, also those that change nothing, and every change of a camera. `view` is given the
    `StreamHealth` four times a second. `keep` False writes nothing: no journal, recording, health file or sink.

    Raises:
        SpecError: `bad_stream` or `bad_policy`.
        ModelError: a model cannot be loaded.
        StreamError: `stream_in_use` while another process watches with the same folder.
    """
    if not isinstance(stream, Stream):
        stream = read_stream(stream)
    models = load_models(stream, provider=provider, limits=limits)
    plan = plan_of(stream, {name: one.schema for name, one in models.items()})
    outgoing = Outgoing(plan, on_event, keep=keep)
    try:
        cameras = cameras if cameras is not None else open_cameras(plan)
    except BaseException:
        outgoing.close()
        raise
    run = Run(
        plan,
        cameras,
        Looking(plan.looks, models),
        outgoing,
        models={name: one.card.model_id for name, one in models.items()},
        workers=workers or available_cores(),
        health_folder=Path(stream.folder or f"{stream.name}.watch") if keep else None,
        view=view,
    )
    with ExitStack() as stack:
        if isinstance(cameras, AbstractContextManager):
            stack.enter_context(cameras)
        return run.run(until, for_s=for_s, idle_s=idle_s)


def load_models(stream: Stream, *, provider: str = "cpu", limits: DecodeLimits | None = None) -> dict[str, Classifier]:
    """The models by name, each folder loaded once, one thread each: workers look beside one another."""
    loaded: dict[str, Classifier] = {}
    for path in stream.models.values():
        if path not in loaded:
            loaded[path] = load(path, threads=1, provider=provider, limits=limits)
    return {name: loaded[path] for name, path in stream.models.items()}


def open_cameras(plan: Plan) -> CameraSet:
    """The cameras of a stream; they start with the block `with`.

    Raises:
        MissingExtra: a source needs OpenCV.
    """
    from tellapart.streams.cameras import Cameras

    return Cameras(
        plan.stream.cameras,
        Clock.started_now(),
        triggers={name: Path(one.file) for name, one in plan.stream.triggers.items()},
        regions=plan.regions(),
    )
