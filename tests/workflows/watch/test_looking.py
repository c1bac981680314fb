"""Frames of several cameras, answered together as each alone would be."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from tests.builders import jpeg_bytes
from tests.classifier.models import model
from tests.workflows.watch.streams import START_S, frames, picture_of

from tellapart.image.judging import quality
from tellapart.image.types import RgbImage
from tellapart.records.roi import Roi
from tellapart.streams.frame import Frame
from tellapart.workflows.watch.analyst import BATCH, Analyst, Answered
from tellapart.workflows.watch.looking import Looking
from tellapart.workflows.watch.plan import Look

LEFT = Roi(((0.0, 0.0), (0.5, 1.0)), "left")
CORNER = Roi(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)), "corner")


def looking(**looks: tuple[Look, ...]) -> Looking:
    return Looking(looks, {name: model() for name in ("a", "b")})


def test_a_frame_is_answered_as_predict_does() -> None:
    of = looking(c=(Look("c", "left", LEFT, "a"), Look("c", "corner", CORNER, "b", view="top")))
    pixels = picture_of("green")
    file = jpeg_bytes(pixels)
    for image in (pixels, file):
        [answered] = of([Frame("c", 0, START_S, image, "some.jpg", trigger="belt")])
        assert [seen.roi for seen in answered.seen] == [LEFT, CORNER]
        for seen, roi in zip(answered.seen, (LEFT, CORNER), strict=True):
            alone = model().predict(image, roi=roi)
            np.testing.assert_allclose(list(seen.observation.confidences.values()), alone.probabilities, atol=1e-6)
            assert (seen.observation.trigger, seen.observation.uri) == ("belt", "some.jpg")
        assert [seen.observation.input for seen in answered.seen] == ["c/left", "c/corner"]
        assert [seen.observation.id for seen in answered.seen] == [f"c/{n}@{START_S:.6f}" for n in ("left", "corner")]
        assert [seen.observation.view for seen in answered.seen] == [None, "top"]


def test_one_batch_for_each_model_over_all_cameras() -> None:
    asked: list[int] = []

    class Counted:
        spec, limits = model().spec, model().limits

        def predict_jobs(self, jobs: Any, **options: Any) -> Any:
            asked.append(len(jobs))
            return model().predict_jobs(jobs, **options)

    looks = {"c": (Look("c", "", None, "a"),), "d": (Look("d", "1", LEFT, "a"), Look("d", "2", None, "b"))}
    of = Looking(looks, {"a": Counted(), "b": Counted()})  # type: ignore[dict-item]
    answers = of([*frames(["red", "blue"], camera="c"), *frames(["green", "?"], camera="d")])
    assert sorted(asked) == [2, 4]
    assert [len(one.seen) for one in answers] == [1, 1, 2, 0]
    assert [one.frame.camera for one in answers] == ["c", "c", "d", "d"]
    assert [len(one.refused) for one in answers] == [0, 0, 0, 1]


def test_pixels_that_are_none_are_refused() -> None:
    image: Any = np.zeros((4, 4), np.uint8)
    [answered] = looking(c=(Look("c", "", None, "a"),))([Frame("c", 0, START_S, image)])
    assert answered.seen == ()
    assert answered.refused[0].startswith(f"c@{START_S:.6f}: the camera delivered what is no picture: ")


def test_quality_falls_with_blur() -> None:
    sharp = picture_of("red", side=96)
    blurred = np.asarray(sharp).astype(np.float64)
    for _ in range(6):
        blurred = (blurred + np.roll(blurred, 1, 0) + np.roll(blurred, 1, 1) + np.roll(blurred, -1, 0)) / 4
    flat = np.full_like(sharp, 90)
    values = [quality(RgbImage(np.asarray(one, np.uint8), (96, 96))) for one in (sharp, blurred, flat)]
    assert 1 > values[0] > 0.5 > values[1] > values[2] == 0
    of = looking(c=(Look("c", "", None, "a", quality=True),))
    [answered] = of([Frame("c", 0, START_S, sharp)])
    assert answered.seen[0].observation.quality == values[0]


def test_answers_come_in_the_order_of_their_frames() -> None:
    slow, done, sizes = threading.Event(), threading.Semaphore(0), []

    def look(some: Any) -> list[Answered]:
        sizes.append(len(some))
        if some[0].number == 0:
            assert slow.wait(20)
        else:
            done.release(len(some))
        return [Answered(frame, ()) for frame in some]

    analyst = Analyst(look, 2)
    try:
        analyst.submit([Frame("c", number, float(number), b"") for number in range(40)])
        for _ in range(40 - BATCH):  # all but those that wait with the first one
            assert done.acquire(timeout=20)
        assert analyst.ready() == []
        slow.set()
        assert [one.frame.number for one in analyst.finish(20)] == list(range(40))
        assert max(sizes) <= BATCH
    finally:
        slow.set()
        analyst.stop()


def test_a_look_that_fails_kills_no_worker() -> None:
    def look(some: Any) -> list[Answered]:
        raise MemoryError("too large")

    analyst = Analyst(look, 1)
    analyst.submit(frames(["red", "blue"]))
    answers = analyst.finish(20)
    assert [one.refused for one in answers] == [("MemoryError: too large",)] * 2
