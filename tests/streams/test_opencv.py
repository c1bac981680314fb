"""What OpenCV delivers of a camera, and what of it is taken: with a capture that does as it is told."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from tellapart.errors import StreamError
from tellapart.streams.clock import Clock
from tellapart.streams.sources.opencv import captured, live_pictures

cv2 = pytest.importorskip("cv2", reason="pip install 'tellapart[watch]'")

BLUE = np.full((4, 6, 3), (200, 30, 10), np.uint8)


class SlowClock(Clock):
    """Shows the times that it was given, one after the other, and the last one ever after."""

    def __init__(self, *times_s: float) -> None:
        super().__init__(0.0)
        object.__setattr__(self, "times_s", list(times_s))

    def now_s(self) -> float:
        times_s: list[float] = self.times_s  # type: ignore[attr-defined]
        return times_s.pop(0) if len(times_s) > 1 else times_s[0]


class Capture:
    """Grabs the pictures that it was given; None is one that cannot be converted, "damaged" one that cannot be grabbed."""

    def __init__(self, *pictures: Any) -> None:
        self._pictures = list(pictures)
        self._now: Any = None

    def grab(self) -> bool:
        if not self._pictures:
            return False
        self._now = self._pictures.pop(0)
        return not isinstance(self._now, str)

    def retrieve(self) -> tuple[bool, Any]:
        return self._now is not None, self._now


def pictures(capture: Capture, *times_s: float) -> list[Any]:
    clock = SlowClock(*times_s)
    return list(live_pictures(cv2, capture, clock, lambda _: True, "usb:0", 5.0))


def test_blue_stays_blue_and_grey_becomes_rgb() -> None:
    first, second, third = pictures(Capture(BLUE, BLUE[..., 0], BLUE[..., :1]), 0, 1, 1, 2, 2, 3, 3)
    assert first.image[0, 0].tolist() == [10, 30, 200]
    assert second.image.tolist() == third.image.tolist() == np.full((4, 6, 3), 200).tolist()
    assert [shot.at_s for shot in (first, second, third)] == [1, 2, 3]


def test_a_picture_that_cannot_be_decoded_is_refused() -> None:
    broken, good = pictures(Capture(None, BLUE), 0, 1, 1, 2, 2)
    assert (broken.image, broken.refused) == (None, "a picture could not be decoded")
    assert good.refused == ""


def test_a_damaged_packet_is_no_lost_camera() -> None:
    shots = pictures(Capture(BLUE, "damaged", "damaged", BLUE, "damaged"), 0, 1, 1, 2)
    assert [shot.refused for shot in shots] == ["", *["a picture could not be decoded"] * 2, ""]
    assert [shot.image is None for shot in shots] == [False, True, True, False]


def test_what_was_left_in_the_decoder_after_a_time_out_is_not_taken() -> None:
    """FFmpeg gives up reading and OpenCV hands out what is left: an old picture at the time of now."""
    assert [shot.at_s for shot in pictures(Capture(BLUE, BLUE, BLUE), 0, 1, 1, 6, 6, 7)] == [1]


def test_options_of_ffmpeg_hold_while_it_opens_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    for before in ("protocol_whitelist;file", None):
        if before is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, before)
        opening = captured(cv2, "/nowhere.mp4", cv2.CAP_FFMPEG, [], "not there", options="rtsp_transport;tcp")
        with pytest.raises(StreamError, match="not there"), opening:
            pass
        assert os.environ.get(name) == before
