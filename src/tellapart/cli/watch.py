"""`tellapart watch`."""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.environment import decode_limits, provider
from tellapart.cli.options import PATH, WORKERS, Headed, flag, headed
from tellapart.cli.output import note, one_line, plain
from tellapart.errors import Reason, SettingsError

if TYPE_CHECKING:
    from tellapart.streams.event import Event

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _duration(_context: Any, option: Any, text: str | None) -> float:
    if text is None:
        return math.inf
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if match is None or float(match[1]) == 0:
        raise SettingsError(
            Reason.BAD_SETTING, f"{option.opts[0]} takes a duration such as 30s, 10m or 2h, got {text!r}"
        )
    return float(match[1]) * _SECONDS[match[2]]


@click.command(cls=Headed)
@click.argument("stream", type=PATH, metavar="STREAM.YAML")
@headed(
    "The run",
    flag("--check", "check", "Only look whether it would run, and say what would."),
    click.option(
        "--for", "for_s", metavar="TIME", callback=_duration, help="End after 30s, 10m, 2h.  [default: never]"
    ),
    click.option(
        "--until-idle", "idle_s", metavar="TIME", callback=_duration, help="End when no image came for so long."
    ),
    WORKERS,
)
@headed(
    "What is printed",
    flag("--json", "as_json", "JSON Lines: an object for each change, and the summary as the last one."),
    flag("--all", "everything", "Print the decision for every image, not only changes."),
)
@headed(
    "Replay",
    click.option(
        "--replay", "recording", type=PATH, metavar="RECORDING", help="Decide once more on what was recorded."
    ),
    click.option(
        "--speed", type=float, metavar="TIMES", help="1 is as fast as it was.  [default: as fast as possible]"
    ),
    flag("--predictions", "predictions", "Take what the models said then, and load none."),
    click.option("--policies", type=PATH, metavar="FOLDER", help="Policy files in place of those of the same name."),
)
def watch(
    stream: Path,
    check: bool,
    for_s: float,
    idle_s: float,
    workers: int,
    as_json: bool,
    everything: bool,
    recording: Path | None,
    speed: float | None,
    predictions: bool,
    policies: Path | None,
) -> None:
    """Look at cameras, folders and videos, and decide what they show, as STREAM.YAML says.

    Ends with Ctrl-C or SIGTERM (episodes under way are closed, all is written), and by itself when all videos have ended.
    A second Ctrl-C ends it at once.
    """
    if recording is None and (speed is not None or predictions or policies is not None):
        raise SettingsError(Reason.BAD_SETTING, "--speed, --predictions and --policies belong to --replay")
    if check:
        _check(stream, as_json)
        return
    show = _printer(as_json, everything, aside=recording is None and not as_json and _sends_to_stdout(stream))
    on_screen = sys.stderr.isatty() and not (as_json and sys.stdout.isatty())
    listen = None if on_screen and sys.stdout.isatty() else show
    with _stopping() as stopped, _view(on_screen) as view:
        common: dict[str, Any] = {"on_event": listen, "view": view, "workers": workers, "provider": provider()}
        common |= {"limits": decode_limits()}
        if recording is None:
            from tellapart.workflows.watch.watch import watch as run

            result: Any = run(stream, until=stopped.is_set, for_s=for_s, idle_s=idle_s, **common)
        else:
            from tellapart.workflows.replay import replay

            result = replay(
                stream, recording, speed=speed, predictions=predictions, policy_dir=policies,
                until=stopped.is_set, **common,
            )  # fmt: skip
    if as_json:
        print(one_line({"summary": result.to_json()}))
    else:
        note("\n".join(map(plain, result.lines())))


def _check(stream: Path, as_json: bool) -> None:
    from tellapart.workflows.watch.check import check_stream

    found = check_stream(stream, provider=provider())
    print(one_line(found.to_json()) if as_json else "\n".join(map(plain, found.lines())))


def _view(on_screen: bool) -> Any:
    if not on_screen:
        return nullcontext()
    from tellapart.cli.watch_view import live_view

    return live_view()


def _sends_to_stdout(stream: Path) -> bool:
    """Whether a sink of the stream writes to the standard output: then nothing but its lines belongs there."""
    from tellapart.settings.stream_file import read_stream

    return any(
        "-" in (getattr(sink, "jsonl", ""), getattr(sink, "cloudevents", "")) for sink in read_stream(stream).sinks
    )


def _printer(as_json: bool, everything: bool, *, aside: bool = False) -> Callable[[Event], None]:
    """Prints events as they come, so that a reader of the pipe has them at once; on stderr where they are to stand `aside`."""

    def show(event: Event) -> None:
        one = event.decision
        if one is not None and not (everything or one.changed or one.final):
            return
        line = one_line(event.to_json()) if as_json else _line(event)
        out = sys.stderr if aside else sys.stdout
        print(f"{line}\n", end="", flush=True, file=out)  # in one piece: sinks write to the standard output as well

    return show


def _line(event: Event) -> str:
    when = datetime.fromtimestamp(event.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if event.decision is not None:
        one = event.decision
        what = one.subject if one.track == "state" else f"{one.subject} {one.track}"
        episode = f" (episode {one.episode} ended)" if one.final else ""
        return plain(f"{when} {what}: {one.state}{episode}, {one.because}")
    assert event.camera is not None
    said = f", {event.camera.message}" if event.camera.message else ""
    return plain(f"{when} camera {event.camera.camera}: {event.camera.state}{said}")


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; the second one ends the process, whatever hangs."""
    stopped = threading.Event()

    def stop(number: int, _frame: Any) -> None:
        if stopped.is_set():
            os._exit(128 + number)
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
