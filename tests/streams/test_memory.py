"""Cameras out of memory behave like cameras."""

from __future__ import annotations

import time

import numpy as np

from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange
from tellapart.streams.memory import MemoryCameras, in_order
from tellapart.streams.protocol import CameraSet

GREY = np.full((4, 6, 3), 99, np.uint8)


def row(camera: str, *times_s: float) -> list[Frame]:
    return [Frame(camera, number, at_s, GREY) for number, at_s in enumerate(times_s)]


def test_hands_out_all_frames_in_order_and_ends() -> None:
    frames = in_order(row("a", 1.0, 2.0, 3.0), row("b", 1.5, 2.5))
    with MemoryCameras(frames, at_once=2) as cameras:
        assert isinstance(cameras, CameraSet)
        taken = [cameras.wait(1.0) for _ in range(3)]
        assert [len(some) for some in taken] == [2, 2, 1]
        assert [frame.at_s for some in taken for frame in some] == [1.0, 1.5, 2.0, 2.5, 3.0]
        assert cameras.ended
        assert cameras.wait(10.0) == []
        assert cameras.now_s() == 3.0


def test_tells_of_states_and_counts() -> None:
    cameras = MemoryCameras(in_order(row("a", 1.0, 2.0), row("b", 1.5)), names=("a", "b", "c"), at_once=1)
    assert [(one.camera, one.state, one.was) for one in cameras.changes()] == [
        ("a", "connecting", None),
        ("b", "connecting", None),
        ("c", "connecting", None),
    ]
    cameras.wait(0)
    assert cameras.changes() == [CameraChange("a", 1.0, "live", "connecting")]
    cameras.wait(0), cameras.wait(0)
    assert [(one.camera, one.at_s, one.state) for one in cameras.changes()] == [
        ("b", 1.5, "live"),
        *[(name, 2.0, "ended") for name in "abc"],
    ]
    assert cameras.changes() == []
    health = cameras.health()["a"]
    assert (health.n_sampled, health.last_frame_s, health.size, health.state) == (2, 2.0, (6, 4), "ended")


def test_recorded_changes_are_told_in_place_of_its_own() -> None:
    changes = [CameraChange("a", 1.0, "live", None), CameraChange("a", 1.4, "frozen", "live", "same picture")]
    cameras = MemoryCameras(row("a", 1.0, 2.0), changes=changes, at_once=1)
    cameras.wait(0)
    assert cameras.changes() == changes[:1]
    cameras.wait(0)
    assert cameras.changes() == changes[1:]


def test_speed_keeps_the_time_between_frames() -> None:
    started = time.monotonic()
    cameras = MemoryCameras(row("a", 100.0, 101.0, 102.0), speed=20.0)
    taken: list[Frame] = []
    while not cameras.ended:
        taken += cameras.wait(5.0)
    assert len(taken) == 3
    assert time.monotonic() - started >= 0.1


def test_nothing_comes_after_a_stop() -> None:
    cameras = MemoryCameras(row("a", 1.0, 2.0), at_once=1)
    cameras.wait(0)
    cameras.stop()
    cameras.stop()
    assert cameras.ended
    assert cameras.wait(10.0) == []


def test_nothing_at_all_is_at_its_end() -> None:
    assert MemoryCameras([]).ended


def test_a_trigger_is_noted() -> None:
    cameras = MemoryCameras([])
    cameras.trigger("part")
    assert cameras.triggered == ["part"]
