"""The live view as text: what a narrow terminal shows."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from tellapart.cli.watch_view import drawn, span
from tellapart.records.decision import Decision
from tellapart.streams.health import CameraHealth
from tellapart.workflows.watch.health import StreamHealth

NOW_S = 1.7e9


def decided(subject: str, state: str, since_s: float, because: str, track: str = "state") -> Decision:
    return Decision("x", NOW_S, track, state, NOW_S - since_s, False, "r", because, (), "p@1", subject=subject)


def shown(cameras: list[CameraHealth], decisions: list[Decision], *, width: int = 80, **facts: Any) -> list[str]:
    """The lines of a terminal."""
    health = StreamHealth(
        "dock", "running", 1, "0.1", NOW_S, NOW_S - 4000, NOW_S, {one.camera: one for one in cameras}, (), decisions,
        **{"channels": (), "n_frames": 12345, "n_refused": 12, **facts},
    )  # fmt: skip
    terminal = StringIO()
    Console(width=width, no_color=True, file=terminal).print(drawn(health))
    return [line.rstrip() for line in terminal.getvalue().splitlines()]


def test_a_row_for_each_camera_and_each_further_decision() -> None:
    cameras = [
        CameraHealth("yard", "live", NOW_S - 100, 2.0, NOW_S - 0.3),
        CameraHealth("belt", "gone", NOW_S - 20, 0.0, NOW_S - 21, n_dropped=1234, message="no answer [red]"),
        CameraHealth("office", "connecting", NOW_S),
    ]
    decisions = [
        decided("yard/left", "occupied", 71, "3 of 5"),
        decided("yard/gate", "ask", 3.2, "no rule holds; the average is 0.613"),
        decided("belt", "yes", 9000, "the answer is 'scratch'", track="scratch"),
        decided("both", "clear", 200, "fine"),
    ]
    lines = shown(cameras, decisions, lag_p50_s=0.083, lag_p99_s=0.214, memory_bytes=2**28)
    assert lines == [
        "dock  running  1 h 06  12,345 images, 12 refused, lag 0.08, p99 0.21 s, 256 MiB",
        "camera  state       fps   last   drop  decision         since  why",
        "yard    live        2.0  0.3 s      0  occupied  left    1:11  3 of 5",
        "                                       ask       gate   3.2 s  no rule holds; t…",
        "belt    gone        0.0   21 s  1,234  yes  scratch    2 h 30  the answer is 's…",
        "office  connecting  0.0             0",
        "                                       clear  both       3:20  fine",
        "belt: no answer [red]",
    ]


def test_what_fails_is_said() -> None:
    failing = {"name": "csv out.csv", "failing": True, "failed": 3, "message": "out.csv could not be written: full"}
    whole = {"name": "journal", "failing": False, "failed": 1, "message": "once"}
    assert shown([], [], channels=(failing, whole))[2:] == ["csv: out.csv could not be written: full"]


def test_sixteen_cameras_take_sixteen_rows() -> None:
    names = [f"line-{n:02d}" for n in range(16)]
    cameras = [CameraHealth(name, "live", NOW_S, 2.0, NOW_S) for name in names]
    lines = shown(cameras, [decided(name, "ok", 77, "the answer is 'ok'") for name in names])
    assert len(lines) == 18
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("seconds", "told"), [
    (0, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.9, "59 s"), (60, "1:00"), (3599, "59:59"), (3600, "1 h 00"),
    (86399, "23 h 59"), (90000, "1 d 1 h"),
])  # fmt: skip
def test_spans(seconds: float, told: str) -> None:
    assert span(seconds) == told
