"""Pictures of evidence: regions outlined, text beside the image and never on it, time and figures where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import picture

from tellapart.image.lettering import fitted, font, wrapped
from tellapart.image.overlay import overlay, scaled
from tellapart.image.story import MOST_SHOTS, WIDTH_PX, Shot, story
from tellapart.image.timeline import COLOURS, Span, timeline
from tellapart.records.roi import Roi

RECTANGLE = Roi(((0.25, 0.25), (0.75, 0.75)))
TRIANGLE = Roi(((0.1, 0.1), (0.9, 0.1), (0.5, 0.9)))
COLOUR = (255, 0, 255)


def near(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a colour is, a little changed by scaling."""
    return np.abs(pixels.astype(int) - np.array(colour)).max(axis=2) < 40


def test_a_region_is_outlined_where_it_is_and_the_rest_stays() -> None:
    pixels = np.full((400, 800, 3), 90, np.uint8)
    drawn = overlay(pixels, RECTANGLE, (), colour=COLOUR)
    rows, columns = np.nonzero(near(drawn, COLOUR))
    assert (rows.min(), rows.max()) == (pytest.approx(100, abs=3), pytest.approx(300, abs=3))
    assert (columns.min(), columns.max()) == (pytest.approx(200, abs=3), pytest.approx(600, abs=3))
    assert np.array_equal(drawn[150:250, 250:550], pixels[150:250, 250:550])
    assert np.array_equal(overlay(pixels, None, ()), pixels)


def test_a_polygon_is_closed() -> None:
    drawn = near(overlay(np.zeros((500, 500, 3), np.uint8), TRIANGLE, (), colour=COLOUR), COLOUR)
    for x, y in ((0.5, 0.1), (0.7, 0.5), (0.3, 0.5)):
        assert drawn[int(y * 499) - 3 : int(y * 499) + 4, int(x * 499) - 3 : int(x * 499) + 4].any()


def test_text_stands_below_the_picture() -> None:
    pixels = picture(640, 360)
    drawn = overlay(pixels, None, ["defect 93 %", "bay-1"])
    assert drawn.shape[0] > 360 + 30
    assert np.array_equal(drawn[:360], pixels)
    assert (drawn[360:] < 100).any()


def test_large_pictures_are_made_smaller_and_small_ones_larger_by_whole_factors() -> None:
    assert scaled(picture(4000, 1000), 1280).size == (1280, 320)
    assert scaled(picture(50, 20), 1280).size == (300, 120)
    assert scaled(picture(1, 4000), 100).size == (1, 100)


def test_text_is_cut_and_wrapped_to_a_width() -> None:
    letters = font(14)
    assert fitted("short\n text", letters, 500) == "short text"
    cut = fitted("a very long text " * 20, letters, 200)
    assert cut.endswith("…")
    assert letters.getlength(cut) <= 200
    lines = wrapped("word " * 50 + "x" * 300, letters, 200)
    assert len(lines) > 5
    assert all(letters.getlength(line) <= 200 for line in lines)
    assert wrapped("", letters, 10) == []


def test_a_timeline_draws_curves_thresholds_and_states() -> None:
    curves = {"red": [(0.0, 0.0), (5.0, 1.0), (10.0, 0.25)], "blue": [(2.0, 0.5)]}
    spans = [Span("on", -5, 4), Span("off", 4, 20), Span("gone", 30, 31)]
    options = {"decided_s": 4.0, "from_s": 0.0, "to_s": 10.0, "width_px": 900}
    drawn = timeline(curves, {"red": (0.75,)}, spans, **options)  # type: ignore[arg-type]
    assert drawn.shape[1] == 900
    without = timeline(curves, {}, spans, **options)  # type: ignore[arg-type]
    rows = np.nonzero((drawn != without).any(axis=2))[0]
    assert np.ptp(rows) < 8  # a threshold is one level line
    assert near(drawn, COLOURS[0]).sum() > 500
    assert near(drawn, COLOURS[1]).any()
    large = timeline(curves, {}, spans, large=frozenset({5.0}), **options)  # type: ignore[arg-type]
    assert near(large, COLOURS[0]).sum() > near(without, COLOURS[0]).sum()


@pytest.mark.parametrize("span_s", [1e-9, 0.05, 3.0, 500.0, 90_000.0, 1e8])
def test_a_timeline_of_any_length_is_drawn(span_s: float) -> None:
    drawn = timeline({}, {}, [], decided_s=1.7e9, from_s=1.7e9, to_s=1.7e9 + span_s, width_px=600)
    assert drawn.shape[1] == 600


@pytest.mark.parametrize("n", [0, 1, 5, MOST_SHOTS + 3])
def test_a_story_has_its_images_in_rows(n: int) -> None:
    shots = [
        Shot(None if number == 1 else picture(64, 48), RECTANGLE, ("one", "two"), "deleted") for number in range(n)
    ]
    drawn = story(["what was decided", "why " * 80], shots, np.zeros((50, WIDTH_PX, 3), np.uint8))
    assert drawn.shape[1] == WIDTH_PX
    assert not drawn[-55:-15].any()  # the chart comes last
