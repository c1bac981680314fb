"""What a terminal shows while a stream is watched: a row for each camera and decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tellapart.cli.output import plain
from tellapart.workflows.watch.health import StreamHealth

if TYPE_CHECKING:
    from tellapart.records.decision import Decision
    from tellapart.streams.health import CameraHealth
    from tellapart.workflows.watch.run import View

_COLOURS = {"live": "green", "connecting": "yellow", "ended": "dim"}
_BAD = "bold red"
_NOTHING = (Text(),) * 5


@contextmanager
def live_view() -> Iterator[View]:
    """A `view` for `watch` that draws on stderr; what it showed last stays."""
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        yield lambda health: live.update(drawn(health), refresh=True)


def drawn(health: StreamHealth) -> RenderableType:
    """The whole view, for 80 columns and more."""
    return Group(_head(health), _table(health), *_troubles(health))


def _head(health: StreamHealth) -> Text:
    facts = [f"{health.n_frames:,} image{'s' * (health.n_frames != 1)}"]
    facts += [f"{health.n_refused:,} refused"] if health.n_refused else []
    facts += [f"{health.n_late:,} too late"] if health.n_late else []
    if health.lag_p50_s is not None and health.lag_p99_s is not None:
        facts.append(f"lag {health.lag_p50_s:.2f}, p99 {health.lag_p99_s:.2f} s")
    if health.memory_bytes is not None:
        facts.append(f"{health.memory_bytes / 2**20:,.0f} MiB")
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(plain(health.stream), "bold")
    text.append(f"  {health.state}", "green" if health.state == "running" else "yellow")
    return text.append(f"  {span(health.uptime_s)}  {', '.join(facts)}")


def _table(health: StreamHealth) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), expand=True, header_style="dim")
    table.add_column("camera", no_wrap=True, overflow="ellipsis", max_width=14)
    table.add_column("state", no_wrap=True)
    for name in ("fps", "last", "drop"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("decision", no_wrap=True, overflow="ellipsis", max_width=26)
    table.add_column("since", justify="right", no_wrap=True)
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1, style="dim")
    left = list(health.decisions)
    for camera in health.cameras.values():
        own = [one for one in left if one.subject.partition("/")[0] == camera.camera]
        left = [one for one in left if one not in own]
        _add(table, _camera(camera, health.now_s), own, health.now_s)
    for one in left:
        table.add_row(*_NOTHING, *_decision(one, health.now_s, ""))
    return table


def _add(table: Table, cells: Sequence[Text], decisions: Sequence[Decision], now_s: float) -> None:
    """A row with the camera's cells and the first decision, and one for each further decision."""
    if not decisions:
        table.add_row(*cells)
    widest = max((cell_len(plain(one.state)) for one in decisions), default=0)
    for number, one in enumerate(decisions):
        table.add_row(*(_NOTHING if number else cells), *_decision(one, now_s, cells[0].plain, widest))


def _camera(one: CameraHealth, now_s: float) -> list[Text]:
    last = "" if one.last_frame_s is None or one.state == "ended" else span(max(0.0, now_s - one.last_frame_s))
    return [
        Text(plain(one.camera)),
        Text(one.state, _COLOURS.get(one.state, _BAD)),
        Text(f"{one.fps:.1f}"),
        Text(last),
        Text(f"{one.n_dropped:,}", "yellow" if one.n_dropped else "dim"),
    ]


def _decision(one: Decision, now_s: float, camera: str, widest: int = 0) -> list[Text]:
    """The state first: it must be read where a row is cut. What it is about stands behind the widest state."""
    about = one.subject.partition("/")[2] if camera else one.subject
    about = " ".join(part for part in (about, "" if one.track == "state" else one.track) if part)
    text = Text(plain(one.state), "bold")
    if about:
        gap = " " * (2 + max(0, widest - text.cell_len))
        text.append(f"{gap}{plain(about)}", "not bold dim")
    return [text, Text(span(max(0.0, now_s - one.since_s))), Text(plain(one.because))]


def _troubles(health: StreamHealth) -> list[Text]:
    """What fails now, one line each."""
    said = [f"{one['name'].partition(' ')[0]}: {one['message']}" for one in health.channels if one["failing"]]
    said += [
        f"model {one.name} failed on {one.n_failed:,} images: {one.message}" for one in health.models if one.n_failed
    ]
    said += [
        f"{one.camera}: {one.message}"
        for one in health.cameras.values()
        if one.message and one.state not in ("live", "ended")
    ]
    return [Text(plain(line), _BAD, no_wrap=True, overflow="ellipsis") for line in said]


def span(seconds: float) -> str:
    """0.4 s, 12 s, 5:12, 3 h 05, 2 d 4 h."""
    whole = int(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
