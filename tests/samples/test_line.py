"""What happens on a filmed line, and whether the pictures show it."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from tellapart import samples
from tellapart.errors import Reason, SettingsError
from tellapart.samples.line_plan import WIDTH

SMALL = {"n_sequences": 3, "seconds": 12.0, "height_px": 48}


def test_the_same_options_film_the_same_bytes_and_another_seed_others() -> None:
    first = [frame.jpeg for frame in samples.line_frames(**SMALL)]
    assert first == [frame.jpeg for frame in samples.line_frames(**SMALL)]
    assert first != [frame.jpeg for frame in samples.line_frames(seed=1, **SMALL)]


def test_pictures_come_in_the_order_of_time_with_the_asked_size() -> None:
    told: list[tuple[int, int]] = []
    frames = list(samples.line_frames(lambda done, total: told.append((done, total)), fps=2, **SMALL))
    assert [(f.sequence, f.number) for f in frames] == [(f"seq_{s:03d}", n) for s in (1, 2, 3) for n in range(24)]
    assert [f.at_s for f in frames[:3]] == [0.0, 0.5, 1.0]
    assert Image.open(io.BytesIO(frames[0].jpeg)).size == (64, 48)
    assert frames[0].pixels.shape == (48, 64, 3)
    assert told == [(n + 1, 72) for n in range(72)]


@pytest.mark.parametrize("seed", range(4))
def test_parts_pass_one_after_the_other_and_leave_the_belt_empty_between_them(seed: int) -> None:
    for sequence in samples.plan(samples.LineVideo(seconds=120, seed=seed, n_sequences=3)):
        passages = sequence.passages
        assert 30 <= len(passages) <= 42
        for before, after in itertools.pairwise(passages):
            assert before.start_s < before.end_s < after.start_s
        assert passages[0].start_s > 0
        assert passages[-1].end_s <= 120


def test_a_part_is_in_the_picture_from_edge_to_edge_also_when_the_belt_stops() -> None:
    stopped = 0
    for sequence in samples.plan(samples.LineVideo(seconds=600, n_sequences=2)):
        for one in sequence.passages:
            assert sequence.travelled(one.start_s) == pytest.approx(one.offset, abs=1e-6)
            assert sequence.travelled(one.end_s) == pytest.approx(one.offset + WIDTH, abs=1e-6)
            stopped += one.end_s - one.start_s > WIDTH / sequence.speed + 0.1
        for start, length in sequence.stops:
            assert not sequence.runs(start + length / 2)
            assert sequence.travelled(start + length) == pytest.approx(sequence.travelled(start))
    assert stopped > 0


def test_the_belt_never_runs_backwards() -> None:
    """In these sequences two stops fell together."""
    for seed, name in ((1, "seq_037"), (4, "seq_015")):
        sequences = {s.name: s for s in samples.plan(samples.LineVideo(seconds=60, n_sequences=40, seed=seed))}
        found = sequences[name]
        travelled = [found.travelled(at_s) for at_s in np.arange(0, 60, 0.05)]
        assert (np.diff(travelled) >= 0).all()
        assert all(start + length <= later for (start, length), (later, _) in itertools.pairwise(found.stops))


def test_the_share_of_defective_parts_is_as_asked_and_every_fault_occurs() -> None:
    parts = [p for s in samples.plan(samples.LineVideo(seconds=600, n_sequences=4)) for p in s.passages]
    kinds = [p.kind for p in parts]
    assert set(kinds) == {"good", *samples.FAULTS}
    assert 1 - kinds.count("good") / len(kinds) == pytest.approx(0.3, abs=0.01)
    none = samples.plan(samples.LineVideo(defective=0, n_sequences=1))
    assert {p.kind for p in none[0].passages} == {"good"}


def test_labels_are_those_of_the_part_whatever_the_picture_shows() -> None:
    frames = list(samples.line_frames(seconds=60, n_sequences=2, height_px=32, defective=0.6))
    by_name = {s.name: s for s in samples.plan(samples.LineVideo(seconds=60, n_sequences=2, defective=0.6))}
    for frame in frames:
        passage = by_name[frame.sequence].at(frame.at_s)
        assert frame.kind == (passage.kind if passage else "empty")
        assert frame.label == {"empty": "empty", "good": "good"}.get(frame.kind, "defective")
        assert frame.part == (f"{frame.sequence}/{passage.name}" if passage else "")
        assert (frame.shows is None) == (frame.label != "defective")
    hidden = [f.shows for f in frames if f.shows is not None]
    assert 0.02 < hidden.count(False) / len(hidden) < 0.5


def test_kinds_stand_in_the_labels_on_request() -> None:
    line = samples.LineVideo(kinds=True)
    assert [line.label(kind) for kind in ("empty", "good", "no_cap")] == ["empty", "good", "no_cap"]


def test_the_last_third_of_the_sequences_is_for_testing() -> None:
    def splits(n: int) -> list[str]:
        return [s.split for s in samples.plan(samples.LineVideo(n_sequences=n, seconds=5))]

    assert splits(6) == ["train"] * 4 + ["test"] * 2
    assert splits(2) == ["train", "test"]
    assert splits(1) == [""]


def test_parts_come_in_from_the_left_and_are_seen() -> None:
    """Against the empty belt of the same moment, the part's place differs most."""
    line = samples.LineVideo(n_sequences=1, seconds=20, height_px=48, fps=10)
    (sequence,) = samples.plan(line)
    frames = list(samples.line_frames(n_sequences=1, seconds=20, height_px=48, fps=10))
    free = [f for f in frames if not f.part and not _disturbed(sequence, f.at_s)]
    empty = np.median([f.pixels.astype(float) for f in free], axis=0)
    found = [f for f in frames if f.part and not _disturbed(sequence, f.at_s)]
    assert len(found) > 10
    close = 0
    for frame in found:
        passage = sequence.at(frame.at_s)
        assert passage is not None
        x = (sequence.travelled(frame.at_s) - passage.offset) / WIDTH * 64
        columns = np.abs(frame.pixels - empty).mean(axis=(0, 2))
        close += abs(float(np.average(np.arange(64), weights=np.maximum(columns - np.median(columns), 0))) - x) < 8
    assert close > 0.8 * len(found)


def _disturbed(sequence: samples.LineSequence, at_s: float) -> bool:
    return any(one.start_s <= at_s < one.end_s for one in (*sequence.reaches, *sequence.glares))


def test_all_options_that_cannot_be_are_named() -> None:
    with pytest.raises(SettingsError) as caught:
        samples.LineVideo(n_sequences=0, fps=float("nan"), defective=1.5)
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "the line cannot be filmed: n_sequences is a whole number of at least 1, got 0; "
        "fps is a number from 0.1 to 240, got nan; defective is a number from 0 to 1, got 1.5"
    )
