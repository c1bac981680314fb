"""Video files: positions, colours, pace, and files that are none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.streams.shots import Read, source_of
from tests.streams.videos import numbered, read_number, write_video

from tellapart.errors import Reason, StreamError

cv2 = pytest.importorskip("cv2", reason="pip install 'tellapart[watch]'")

N, FPS = 12, 10.0
RED = (200, 40, 20)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve red pictures 96 x 64, each a little brighter."""
    path = tmp_path_factory.mktemp("video") / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (96, 64))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for number in range(N):
        writer.write(np.full((64, 96, 3), RED[::-1], np.uint8) + np.uint8(number))
    writer.release()
    return path


def test_all_pictures_come_with_their_positions(video: Path) -> None:
    with Read(source_of(video)) as read:
        shots = read.rest()
        assert read.fault is None
    assert len(shots) == N
    np.testing.assert_allclose(np.array([shot.at_s for shot in shots]) - shots[0].at_s, np.arange(N) / FPS, atol=1e-3)
    assert shots[3].uri == f"{video}#t=0.300"


def test_pixels_are_rgb(video: Path) -> None:
    with Read(source_of(video)) as read:
        shots = read.rest()
    for number, shot in enumerate(shots):
        assert isinstance(shot.image, np.ndarray)
        pixels: NDArray[np.uint8] = shot.image
        assert (pixels.shape, pixels.dtype) == ((64, 96, 3), np.uint8)
        np.testing.assert_allclose(pixels.mean(axis=(0, 1)), np.array(RED) + number, atol=4)


def test_pictures_that_are_not_wanted_are_not_converted(video: Path) -> None:
    with Read(source_of(video), wanted=False) as read:
        assert [shot.image for shot in read.rest()] == [None] * N


def test_real_pace_takes_as_long_as_the_video(video: Path) -> None:
    started_s = time.monotonic()
    fast, real = source_of(video), source_of(video, pace="real")
    assert (fast.finite, real.finite) == (True, False)
    with Read(real) as read:
        assert len(read.rest()) == N
    assert time.monotonic() - started_s >= (N - 1) / FPS


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "the file {path} is not there: check the path"),
        (b"this is no video", "the file {path} is no video that can be read, or not whole: play it to see"),
        (b"", "the file {path} is no video that can be read, or not whole: play it to see"),
    ],
)
def test_what_is_no_video_is_lost(tmp_path: Path, data: bytes | None, sentence: str) -> None:
    path = tmp_path / "line.mp4"
    if data is not None:
        path.write_bytes(data)
    with Read(source_of(path)) as read:
        assert read.rest() == []
    assert isinstance(read.fault, StreamError)
    assert read.fault.reason is Reason.SOURCE_LOST
    assert str(read.fault) == sentence.format(path=path)


def test_a_video_that_was_cut_gives_what_it_has(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(video.read_bytes()[: video.stat().st_size * 7 // 10])
    with Read(source_of(cut)) as read:
        *shots, last = read.rest()
    assert 0 < len(shots) < N
    assert not any(shot.refused for shot in shots)
    assert re.fullmatch(r"the last picture is at 0\.\d s of 1\.2 s: the file may not be whole", last.refused)
    assert read.fault is None


def test_damage_in_the_middle_costs_what_is_damaged(tmp_path: Path) -> None:
    """H.264 whose pictures 20 to 24 are noise: what comes after the next whole one is seen again."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    path = write_video(tmp_path / "line.mp4", [numbered(number) for number in range(40)])
    data = bytearray(path.read_bytes())
    sizes = _packets(path)
    for at, n_bytes in sizes[20:24]:
        data[at : at + n_bytes] = np.random.default_rng(at).bytes(n_bytes)
    path.write_bytes(data)
    with Read(source_of(path)) as read:
        shots = read.rest()
    seen = [read_number(shot.image) for shot in shots if isinstance(shot.image, np.ndarray)]
    assert seen[:20] == list(range(20))
    assert seen[-15:] == list(range(25, 40))
    assert {shot.refused for shot in shots} == {"", "a picture could not be decoded"}
    assert shots[-1].uri == f"{path}#t=3.900"


def _packets(path: Path) -> list[tuple[int, int]]:
    """(position, bytes) of each picture."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pos,size", "-of", "json"]
    told = subprocess.run([*command, str(path)], capture_output=True, check=True, timeout=60)
    return [(int(one["pos"]), int(one["size"])) for one in json.loads(told.stdout)["packets"]]
