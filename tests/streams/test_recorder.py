"""The memory of what was seen: what is kept, what is let go of, and what never waits for a disk."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import jpeg_bytes, picture

from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.settings.stream import Record
from tellapart.streams import kept, ring, writer
from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame, observation_id
from tellapart.streams.recorder import Recorder
from tellapart.streams.recording import Recording
from tellapart.streams.retention import Retention

AT = 1.7e9 + 1000.125  # 22:30 UTC
ROI = Roi(((0.1, 0.1), (0.6, 0.8)), "door")
GB = 1e9


def shot(number: int, camera: str = "a", *, every_s: float = 1.0, image: Any = None) -> tuple[Frame, tuple[Seen, ...]]:
    """An image with what was said of it."""
    at_s = AT + number * every_s
    frame = Frame(camera, number, at_s, picture(16, 12, number % 50) if image is None else image, "", None)
    answer = Observation(at_s, f"{camera}/door", observation_id(camera, "door", at_s), {"x": 1 / 3, "y": 2 / 3}, ("y",))
    return frame, (Seen(frame, ROI, answer),)


def decided(number: int, *, camera: str = "a", evidence: tuple[str, ...] = (), subject: str | None = None) -> Decision:
    """A change of state with an image of this number."""
    about = f"{camera}/door" if subject is None else subject
    return Decision(
        *(f"{number:016x}", AT + number, "state", "s", AT + number, True, "r", "b", evidence, "p@1"), subject=about
    )


def files(folder: Path) -> list[str]:
    """Images that are kept, by the second."""
    return sorted(
        f"{float(one.name.partition('_')[0]) - AT:g}{one.suffix}" for one in folder.glob("recording/frames/*/*_*")
    )


def taken(folder: Path) -> int:
    """Bytes of the recording."""
    return sum(one.stat().st_size for one in (folder / "recording").rglob("*") if one.is_file())


def seen_by(recorder: Recorder, numbers: range, camera: str = "a") -> None:
    """Show images one after the other."""
    for number in numbers:
        recorder.saw(*shot(number, camera))


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_images_around_a_change_are_kept_and_every_answer(tmp_path: Path) -> None:
    with Recorder(tmp_path, Record(before_s=2, after_s=1)) as recorder:
        seen_by(recorder, range(10))
        recorder.decided(decided(7))
        seen_by(recorder, range(10, 14))
        recorder.tick(AT + 14)
        recorder.ended(AT + 13.5)
    assert files(tmp_path) == ["5.jpg", "6.jpg", "7.jpg", "8.jpg"]
    run = Recording(tmp_path).runs[0]
    assert (run.began_s, run.ended_s) == (AT, AT + 13.5)
    assert len(list(Recording(tmp_path).observations())) == 14
    assert recorder.counts.to_json() | {"bytes": 0} == {
        "observations": 14,
        "frames": 4,
        "dropped": 0,
        "failed": 0,
        "deleted": 0,
        "bytes": 0,
        "message": "",
    }
    assert recorder.counts.n_bytes == taken(tmp_path)


def test_what_a_decision_rests_on_is_kept_however_old_and_decisions_that_change_nothing_keep_nothing(
    tmp_path: Path,
) -> None:
    with Recorder(tmp_path, Record(before_s=0, after_s=0), reach_s=30) as recorder:
        seen_by(recorder, range(20))
        recorder.decided(decided(19, evidence=(observation_id("a", "door", AT + 3), "gone")))
        quiet = decided(10)
        recorder.decided(Decision.from_json({**quiet.to_json(), "changed": False}))
    assert files(tmp_path) == ["19.jpg", "3.jpg"]


def test_of_other_cameras_nothing_is_kept_unless_the_decision_is_about_them(tmp_path: Path) -> None:
    pair = {"pair": ("a", "b")}
    for folder, subject, kept_of in (("one", "a/door", "a"), ("two", "pair", "ab"), ("all", "line", "abc")):
        with Recorder(tmp_path / folder, Record(before_s=0, after_s=0), cameras=pair) as recorder:
            for camera in "abc":
                recorder.saw(*shot(1, camera))
            recorder.decided(decided(1, subject=subject))
        found = sorted(one.stem[-1] for one in (tmp_path / folder).glob("recording/frames/*/*.jpg"))
        assert "".join(found) == kept_of


def test_files_keep_their_bytes_and_pictures_their_pixels(tmp_path: Path) -> None:
    images: list[Any] = [jpeg_bytes(), picture(16, 12, 3), b"no picture"]
    with Recorder(tmp_path, Record(all=True, format="png")) as recorder:
        for number, image in enumerate(images):
            recorder.saw(*shot(number, image=image))
        recorder.saw(Frame("a/ü?" * 50, 9, AT + 9, picture(), "file.png", "piece"))
    assert files(tmp_path) == ["0.jpg", "1.png", "2.bin", "9.png"]
    found = list(Recording(tmp_path).frames())
    assert found[0].image == images[0]
    assert np.array_equal(np.asarray(found[1].image), images[1])
    assert found[2].image == images[2]
    assert (found[3].camera, found[3].number, found[3].uri, found[3].trigger) == ("a/ü?" * 50, 9, "file.png", "piece")


def test_addresses_of_cameras_are_kept_as_observations_name_them(tmp_path: Path) -> None:
    with Recorder(tmp_path, Record(all=True)) as recorder:
        for number, (_, seen) in enumerate((shot(0), (None, ()))):
            recorder.saw(Frame("a", number, AT + number, picture(), "rtsp://user:secret@camera/1"), seen)
    assert [frame.uri for frame in Recording(tmp_path).frames()] == ["", ""]
    assert not any(b"secret" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())


def test_what_was_said_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    with Recorder(tmp_path, Record()) as recorder:
        shown = [shot(number, camera, every_s=0.1) for number in range(3) for camera in "ab"]
        for frame, seen in shown:
            recorder.saw(frame, seen)
    run = Recording(tmp_path / "recording").runs[0]
    back = list(Recording(tmp_path).answers(run))
    assert [(frame.camera, frame.number, frame.at_s) for frame, _ in back] == [
        (frame.camera, frame.number, frame.at_s) for frame, _ in shown
    ]
    assert [seen[0].observation for _, seen in back] == [seen[0].observation for _, seen in shown]
    assert back[0][1][0].roi == ROI


def test_memory_is_bounded_by_time_and_bytes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, None, reach_s=20)
    seen_by(recorder, range(100))
    ids = tuple(observation_id("a", "door", AT + number) for number in range(100))
    assert [one.frame.number for one in recorder.evidence(decided(99, evidence=ids))] == list(range(79, 100))
    assert len(recorder.behind(decided(99, evidence=ids))) == 100
    recorder.tick(AT + 200)
    assert recorder.evidence(decided(99, evidence=ids)) == ()
    small = Recorder(tmp_path, Record(buffer_mb=2 * 4 * 16 * 12 * 3 / 1e6))
    seen_by(small, range(9))
    assert len(small.evidence(decided(9, evidence=ids))) == 4
    small.close()
    assert not (tmp_path / "recording/frames").exists()


def test_answers_are_forgotten_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "MAX_ANSWERS", 10)
    recorder = Recorder(tmp_path, None)
    seen_by(recorder, range(25))
    ids = tuple(observation_id("a", "door", AT + number) for number in range(25))
    assert [one.number for one in recorder.behind(decided(1, evidence=ids))] == list(range(15, 25))


def test_a_slow_disk_drops_and_counts_and_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    whole = kept.KeptFiles.add_frame

    def slow(self: Any, frame: Frame, uri: str) -> None:
        go_on.wait(20)
        whole(self, frame, uri)

    monkeypatch.setattr(kept.KeptFiles, "add_frame", slow)
    recorder = Recorder(tmp_path, Record(all=True, buffer_mb=0.02))
    began = time.monotonic()
    seen_by(recorder, range(200))
    assert time.monotonic() - began < 10
    assert recorder.counts.n_dropped > 150
    go_on.set()
    recorder.close()
    assert recorder.counts.n_observations == 200  # figures are small: they wait
    assert recorder.counts.n_frames + recorder.counts.n_dropped == 200


def test_figures_do_not_wait_without_end_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(kept.KeptFiles, "begin", lambda *_: go_on.wait(20))
    monkeypatch.setattr(writer, "MOST_LINES", 50)
    recorder = Recorder(tmp_path, Record())
    seen_by(recorder, range(200))
    assert recorder.counts.n_dropped == 150
    go_on.set()
    recorder.close()
    assert recorder.counts.n_observations == 50


def test_what_cannot_be_kept_at_all_is_counted_and_the_next_is_kept(tmp_path: Path) -> None:
    odd: Any = np.zeros((4, 4, 7), np.uint8)
    with Recorder(tmp_path, Record(all=True)) as recorder:
        recorder.saw(*shot(0, image=odd))
        frame, _ = shot(1)
        broken = Observation(frame.at_s, "a", "a@1", {"x": float("nan")}, ())
        recorder.saw(frame, (Seen(frame, None, broken),))
        recorder.saw(*shot(2))
    assert (recorder.counts.n_failed, recorder.counts.n_frames, recorder.counts.n_observations) == (2, 2, 2)
    assert recorder.counts.message


def test_a_disk_that_hangs_does_not_hold_the_end_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(kept.KeptFiles, "add_frame", lambda *_: go_on.wait(20))
    recorder = Recorder(tmp_path, Record(all=True))
    seen_by(recorder, range(5))
    began = time.monotonic()
    recorder.close(timeout_s=0.1)
    recorder.close(timeout_s=0.1)
    assert time.monotonic() - began < 5
    assert recorder.counts.n_dropped > 0
    go_on.set()


def test_a_full_disk_is_counted_and_told_and_what_follows_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, Record(all=True))
    recorder.saw(*shot(0))
    until(lambda: recorder.counts.n_frames == 1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        recorder.saw(*shot(1))
        until(lambda: recorder.counts.n_failed == 1)
    assert recorder.counts.message.endswith("could not be written: No space left on device")
    recorder.saw(*shot(2))
    recorder.close()
    assert files(tmp_path) == ["0.jpg", "2.jpg"]
    assert [one.name for one in tmp_path.rglob("*.new-*")] == []


def hours(folder: Path) -> list[str]:
    """Hours of which images are there, in hours since the first."""
    return sorted(
        f"{(float(one.name.partition('_')[0]) - AT) / 3600:g}" for one in folder.glob("recording/frames/*/*_*")
    )


def test_the_oldest_goes_first_by_age(tmp_path: Path) -> None:
    with Recorder(tmp_path, Record(all=True, keep_days=3 / 24)) as recorder:
        for hour in range(8):
            recorder.saw(*shot(hour, every_s=3600))
        recorder.tick(AT + 8 * 3600)
    assert hours(tmp_path) == ["5", "6", "7"]
    assert len(list((tmp_path / "recording").glob("observations-*.jsonl"))) == 3
    assert recorder.counts.n_deleted == 5 * 3  # the image, the list of images and the list of answers


def test_the_oldest_goes_first_by_size_and_never_what_is_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (100, 100, 3), np.uint8) for _ in range(3)]
    with Recorder(tmp_path, Record(all=True, format="png", keep_gb=200_000 / GB)) as recorder:
        for number in range(20):
            recorder.saw(*shot(number, every_s=900, image=noise[number % 3]))
            recorder.tick(AT + number * 900)
    assert 100_000 < recorder.counts.n_bytes == taken(tmp_path) < 230_000
    frames = list(Recording(tmp_path).frames())
    assert [frame.number for frame in frames] == list(range(20))[-len(frames) :]


def test_what_was_there_before_counts(tmp_path: Path) -> None:
    for start in (0, 100):
        with Recorder(tmp_path, Record(all=True, keep_gb=1.0)) as recorder:
            seen_by(recorder, range(start, start + 3))
    assert recorder.counts.n_bytes == taken(tmp_path)
    assert len(Recording(tmp_path).runs) == 2


def test_an_empty_folder_has_nothing_to_delete(tmp_path: Path) -> None:
    retention = Retention(tmp_path / "nowhere", 1.0, 0.000001)
    retention.count()
    retention.apply(AT, "2023-11-14-22")
    assert (retention.n_bytes, retention.n_deleted, retention.is_over) == (0, 0, False)


def test_lines_are_there_soon_though_nothing_follows(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, Record())
    recorder.saw(*shot(1))
    path = tmp_path / "recording/observations-2023-11-14-22.jsonl"
    until(path.exists)
    assert json.loads(path.read_text())["frame"]["camera"] == "a"
    recorder.close()
