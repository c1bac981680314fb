"""Cameras in processes of their own: states, counts, losses, ends. The sources are fake, the processes are real."""

from __future__ import annotations

import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.streams.fake_sources import OPENER, picture

from tellapart.errors import SettingsError
from tellapart.settings.stream import CameraSettings, Motion, Reconnect, Sample
from tellapart.streams.cameras import Cameras
from tellapart.streams.clock import Clock
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraHealth
from tellapart.streams.protocol import CameraSet

pytest.importorskip("cv2", reason="pip install 'tellapart[watch]'")

DEADLINE_S = 60.0
QUICK = Reconnect(first_s=0.05, longest_s=0.2)
EVERY = Sample(every=True)


def opened(**settings: Any) -> Cameras:
    """One camera `a` of a fake source."""
    one = CameraSettings(**({"sample": EVERY, "reconnect": QUICK} | settings))
    return Cameras({"a": one}, Clock.started_now(), opener=OPENER)


def watched(cameras: Cameras, until: Callable[[list[Frame], CameraHealth], bool]) -> list[Frame]:
    """Images until a condition holds."""
    frames: list[Frame] = []
    end_s = time.monotonic() + DEADLINE_S
    while not until(frames, cameras.health()["a"]):
        assert time.monotonic() < end_s, cameras.health()
        frames += cameras.wait(0.1)
    return frames


def states(cameras: Cameras) -> list[str]:
    return [change.state for change in cameras.changes()]


def test_images_of_a_camera_arrive_whole_and_in_order() -> None:
    with opened(source="steady", queue=500) as cameras:
        assert isinstance(cameras, CameraSet)
        frames = watched(cameras, lambda frames, _: len(frames) >= 20)
        health = cameras.health()["a"]
        assert states(cameras) == ["connecting", "live"]
        assert (health.state, health.size, health.message) == ("live", (64, 48), "")
        assert abs(frames[0].at_s - cameras.now_s()) < DEADLINE_S
    assert [frame.number for frame in frames] == list(range(len(frames)))
    for frame in frames:
        assert isinstance(frame.image, np.ndarray)
        np.testing.assert_array_equal(frame.image, picture(frame.number))
        assert frame.uri == f"fake:{frame.number}"
    assert (np.diff([frame.at_s for frame in frames]) > 0).all()


def test_the_oldest_image_makes_room_and_is_counted() -> None:
    with opened(source="steady", queue=3) as cameras:
        end_s = time.monotonic() + DEADLINE_S
        while cameras.health()["a"].n_dropped < 10 and time.monotonic() < end_s:
            time.sleep(0.02)
        frames = cameras.wait(1.0)
    assert len(frames) == 3
    assert frames[-1].number >= 12
    assert [frame.number for frame in frames] == list(range(frames[0].number, frames[0].number + 3))


def test_a_recording_loses_nothing_and_ends() -> None:
    with opened(source="recording?50", queue=2) as cameras:
        frames: list[Frame] = []
        while not cameras.ended:
            some = cameras.wait(DEADLINE_S)
            assert some or cameras.ended
            assert len(some) <= 2
            frames += some
        assert [frame.uri for frame in frames] == [f"fake:{number}" for number in range(50)]
        assert cameras.wait(DEADLINE_S) == []
        health = cameras.health()["a"]
        assert (health.state, health.n_sampled, health.n_dropped, health.n_captured) == ("ended", 50, 0, 50)


def test_each_image_has_a_time_of_its_own_to_the_microsecond() -> None:
    """The time names the image, and journals write microseconds."""
    with opened(source="alike?200", frozen_after_s=None) as cameras:
        frames: list[Frame] = []
        while not cameras.ended:
            frames += cameras.wait(DEADLINE_S)
    assert len({f"{frame.at_s:.6f}" for frame in frames}) == 200
    assert all(frame.at_s == round(frame.at_s, 6) for frame in frames)


def test_two_a_second_of_a_recording_are_looked_at_without_asking() -> None:
    """Half a second lies between its images: sampling goes by the time of capture."""
    with opened(source="recording?9", sample=None) as cameras:
        frames = watched(cameras, lambda _, health: health.state == "ended")
        frames += cameras.wait(0)
    assert len(frames) == 9


def test_a_still_camera_is_frozen_until_it_thaws(tmp_path: Path) -> None:
    thawed = tmp_path / "thawed"
    with opened(source=f"thaws?{thawed}", frozen_after_s=0.3) as cameras:
        frames = watched(cameras, lambda _, health: health.state == "frozen" and health.n_withheld > 3)
        assert cameras.health()["a"].since_s - frames[0].at_s > 0.3
        withheld = cameras.health()["a"].n_withheld
        thawed.touch()
        frames += watched(cameras, lambda _, health: health.state == "live")
        health = cameras.health()["a"]
        assert states(cameras) == ["connecting", "live", "frozen", "live"]
        assert health.n_withheld >= withheld


def test_a_black_camera_shows_nothing_but_the_time() -> None:
    with opened(source="black", sample=Sample(fps=20)) as cameras:
        frames = watched(cameras, lambda _, health: health.state == "black" and health.n_withheld >= 20)
        assert frames == []
        health = cameras.health()["a"]
        assert health.n_sampled == health.n_withheld


def test_black_is_no_sign_where_it_is_not_looked_for() -> None:
    with opened(source="black", black_below=None) as cameras:
        assert len(watched(cameras, lambda frames, _: len(frames) >= 5)) >= 5
        assert cameras.health()["a"].n_withheld == 0


def test_a_silent_camera_is_stale_in_time() -> None:
    with opened(source="silent", stale_after_s=0.6) as cameras:
        frames = watched(cameras, lambda _, health: health.state == "stale")
        delay_s = cameras.health()["a"].since_s - frames[-1].at_s
        assert 0.6 < delay_s < 0.6 + 1.0 + 5.0  # the machine of a test may stop for seconds; the rule says 1


def test_a_lost_camera_is_connected_again_and_its_numbers_go_on() -> None:
    with opened(source="lost", queue=500) as cameras:
        frames = watched(cameras, lambda frames, health: health.n_reconnects >= 2 and len(frames) >= 25)
        assert [frame.number for frame in frames] == list(range(len(frames)))
        changes = cameras.changes()
        assert [change.state for change in changes][:4] == ["connecting", "live", "connecting", "live"]
        assert changes[2].message == "rtsp://camera/1 stopped to deliver images"


def test_a_camera_that_is_not_there_is_gone_and_tried_on() -> None:
    with opened(source="absent", stale_after_s=0.3) as cameras:
        watched(cameras, lambda _, health: health.state == "gone" and health.n_reconnects >= 3)
        assert cameras.health()["a"].message == "nothing answers at camera:554"
        assert states(cameras) == ["connecting", "gone"]


def test_a_process_that_crashes_is_started_anew(tmp_path: Path) -> None:
    with opened(source=f"crash?{tmp_path / 'crashed'}", queue=500) as cameras:
        frames = watched(cameras, lambda _, health: health.state == "ended")
        frames += cameras.wait(0)
        health = cameras.health()["a"]
        assert [frame.number for frame in frames] == list(range(10))
        assert health.n_reconnects == 1
        assert any("exit code" in change.message for change in cameras.changes())


def test_a_fault_in_a_source_is_told() -> None:
    with opened(source="fault", stale_after_s=0.3) as cameras:
        watched(cameras, lambda _, health: health.state == "gone" and health.n_reconnects >= 1)
        assert cameras.health()["a"].message == "ZeroDivisionError: a fault in the source itself"


def test_a_killed_process_is_started_anew() -> None:
    with opened(source="steady") as cameras:
        watched(cameras, lambda frames, _: len(frames) >= 3)
        pid = cameras.pids()["a"]
        os.kill(pid, signal.SIGKILL)
        watched(cameras, lambda frames, health: health.n_reconnects == 1 and len(frames) >= 3)
        assert cameras.pids()["a"] != pid


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no signal stops a process on this system")
def test_a_process_that_does_not_answer_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.streams.camera._SILENT_LIMIT_S", 2.0)
    with opened(source="steady", stale_after_s=0.5) as cameras:
        watched(cameras, lambda frames, _: len(frames) >= 3)
        os.kill(cameras.pids()["a"], signal.SIGSTOP)
        watched(cameras, lambda _, health: health.n_reconnects == 1 and health.state == "live")
        assert "stale" in states(cameras)


def test_a_source_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.streams.camera.CameraOrder.hangs_after_s", 1.0)
    with opened(source="silent", stale_after_s=0.5) as cameras:
        watched(cameras, lambda _, health: health.n_reconnects >= 1)
        changes = cameras.changes()
        assert "stale" in [change.state for change in changes]


def test_another_size_midway_is_another_size_in_health() -> None:
    with opened(source="resized") as cameras:
        frames = watched(cameras, lambda _, health: health.size == (32, 24))
        shapes = {frame.image.shape for frame in frames if isinstance(frame.image, np.ndarray)}
        assert shapes == {(48, 64, 3), (24, 32, 3)}


def test_garbage_is_refused_and_counted(tmp_path: Path) -> None:
    written = io.BytesIO()
    Image.fromarray(picture(3)).save(written, "JPEG")
    (tmp_path / "a.jpg").write_bytes(written.getvalue())
    with opened(source=f"garbage?{tmp_path / 'a.jpg'}", queue=500) as cameras:
        frames = watched(cameras, lambda frames, health: health.n_refused >= 5 and len(frames) >= 5)
        health = cameras.health()["a"]
    assert {frame.image for frame in frames} == {written.getvalue()}
    assert (health.state, health.size) == ("live", (64, 48))


def test_each_image_is_counted_once() -> None:
    """Sampled are those delivered, dropped, withheld and waiting."""
    with opened(source="steady", queue=2, sample=Sample(fps=25)) as cameras:
        n_delivered = len(watched(cameras, lambda frames, _: len(frames) >= 10))
        end_s = time.monotonic() + DEADLINE_S
        while cameras.health()["a"].n_dropped < 5 and time.monotonic() < end_s:
            time.sleep(0.02)
        os.kill(cameras.pids()["a"], signal.SIGSTOP)
        time.sleep(0.2)
        n_delivered += len(cameras.wait(0))
        health = cameras.health()["a"]
        assert abs(health.n_sampled - n_delivered - health.n_dropped - health.n_withheld) <= 2
        assert health.n_captured >= health.n_sampled
        os.kill(cameras.pids()["a"], signal.SIGCONT)


def test_a_trigger_takes_the_next_image() -> None:
    with opened(source="steady", sample=Sample(trigger="part")) as cameras:
        watched(cameras, lambda _, health: health.state == "live")
        assert cameras.wait(0.2) == []
        fired_s = cameras.now_s()
        cameras.trigger("other")
        cameras.trigger("part")
        frames = watched(cameras, lambda frames, _: bool(frames))
        assert [frame.trigger for frame in frames] == ["part"]
        assert frames[0].at_s >= fired_s
        assert cameras.wait(0.2) == []


def test_a_touched_file_is_a_trigger(tmp_path: Path) -> None:
    file = tmp_path / "part.signal"
    one = CameraSettings(source="steady", sample=Sample(trigger="part"))
    with Cameras({"a": one}, Clock.started_now(), triggers={"part": file}, opener=OPENER) as cameras:
        watched(cameras, lambda _, health: health.state == "live")
        file.touch()
        watched(cameras, lambda frames, _: len(frames) == 1)
        os.utime(file, (1, 1))
        watched(cameras, lambda frames, _: len(frames) == 1)


def test_a_trigger_between_two_processes_is_not_lost() -> None:
    with opened(
        source="steady", sample=Sample(trigger="part"), reconnect=Reconnect(first_s=1.0, longest_s=1.0)
    ) as cameras:
        watched(cameras, lambda _, health: health.state == "live")
        os.kill(cameras.pids()["a"], signal.SIGKILL)
        end_s = time.monotonic() + DEADLINE_S
        while cameras.pids() and time.monotonic() < end_s:
            time.sleep(0.01)
        cameras.trigger("part")
        frames = watched(cameras, lambda frames, _: bool(frames))
        assert cameras.health()["a"].n_reconnects == 1
        frames += cameras.wait(0.3)
        assert [frame.trigger for frame in frames] == ["part"]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no signal stops a process on this system")
def test_triggers_that_a_stopped_process_does_not_read_hold_up_nobody() -> None:
    """More than its pipe takes: who waited for room in it would keep the lock that its end needs."""
    with opened(source="steady", sample=Sample(trigger="part")) as cameras:
        watched(cameras, lambda _, health: health.state == "live")
        pid = cameras.pids()["a"]
        os.kill(pid, signal.SIGSTOP)
        firing = threading.Thread(target=lambda: [cameras.trigger("part") for _ in range(20_000)], daemon=True)
        firing.start()
        firing.join(DEADLINE_S)
        assert not firing.is_alive()
        os.kill(pid, signal.SIGKILL)
        assert watched(cameras, lambda frames, _: bool(frames))[0].trigger == "part"


def test_why_a_process_ended_is_told_until_something_better_is_known() -> None:
    with opened(source="aborts", stale_after_s=1.0) as cameras:
        watched(cameras, lambda _, health: health.n_reconnects >= 2)
        end_s = time.monotonic() + 1.5
        while time.monotonic() < end_s:
            assert cameras.health()["a"].message == "the capturing process ended (exit code -6)"


def test_a_pause_of_this_process_is_not_held_against_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.streams.cameras._LOOK_EVERY_S", 3600.0)  # nobody looks, as after Ctrl-Z
    monkeypatch.setattr("tellapart.streams.camera._PAUSE_S", 1.0)
    monkeypatch.setattr("tellapart.streams.camera._SILENT_LIMIT_S", 1.0)
    with opened(source="steady") as cameras:
        watched(cameras, lambda frames, _: len(frames) >= 3)
        pid = cameras.pids()["a"]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1.5)
        cameras.health()
        os.kill(pid, signal.SIGCONT)
        frames = watched(cameras, lambda frames, _: len(frames) >= 3)
        assert frames
        assert cameras.pids()["a"] == pid


def test_where_nothing_moves_one_image_is_enough() -> None:
    with opened(source="still", sample=Sample(motion=Motion(fps=50, still_s=600)), frozen_after_s=None) as cameras:
        frames = watched(cameras, lambda _, health: health.n_captured >= 20)
        frames += cameras.wait(0)
    assert len(frames) == 1


def test_everything_is_let_go_of_after_many_starts() -> None:
    def held() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    opened(source="steady").stop()
    before = held()
    for _ in range(10):
        cameras = opened(source="steady")
        pids = list(cameras.pids().values())
        started_s = time.monotonic()
        cameras.stop()
        assert time.monotonic() - started_s < 5 + 5
        cameras.stop()
        assert cameras.wait(10) == []
        assert not any(_runs(pid) for pid in pids)
    assert held() == before


def test_a_stopped_process_does_not_hold_up_the_end() -> None:
    cameras = opened(source="steady")
    watched(cameras, lambda frames, _: bool(frames))
    pid = cameras.pids()["a"]
    os.kill(pid, signal.SIGSTOP)
    started_s = time.monotonic()
    cameras.stop()
    assert time.monotonic() - started_s < 5 + 5
    assert not _runs(pid)


_PARENT = """
import sys, time
from tellapart.settings.stream import CameraSettings
from tellapart.streams.cameras import Cameras
from tellapart.streams.clock import Clock
cameras = Cameras({"a": CameraSettings(source=sys.argv[1])}, Clock.started_now(), opener=sys.argv[2])
while not cameras.wait(1.0):
    pass
print(*cameras.pids().values(), flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("source", ["steady", "recording?1000"])
def test_children_end_with_a_parent_that_was_killed(source: str) -> None:
    """A plain script without a guard of its main module; the recording waits for room as its parent dies."""
    command = [sys.executable, "-c", _PARENT, source, OPENER]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    end_s = time.monotonic() + DEADLINE_S
    while _runs(pid):
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_an_address_of_another_kind_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="a source of kind rtsp is written rtsp://host/path, got 'http://cam/x'"):
        Cameras({"a": CameraSettings(source="http://me:secret@cam/x", kind="rtsp")}, Clock.started_now())


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_system_that_gives_no_process_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    popen, n_asked = subprocess.Popen, 0

    def refused(*args: Any, **options: Any) -> Any:
        nonlocal n_asked
        n_asked += 1
        if n_asked < 3:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return popen(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", refused)
    with opened(source="steady", stale_after_s=0.05) as cameras:
        watched(cameras, lambda _, health: health.state == "live")
        assert any("(Resource temporarily unavailable)" in change.message for change in cameras.changes())


def test_a_stop_is_no_end_of_a_camera() -> None:
    cameras = opened(source="steady")
    watched(cameras, lambda frames, _: bool(frames))
    cameras.stop()
    assert states(cameras) == ["connecting", "live"]
    health = cameras.health()["a"]
    assert (health.state, health.message, health.n_reconnects) == ("live", "", 0)
