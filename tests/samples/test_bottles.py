from __future__ import annotations

import io
import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest
from PIL import Image

from tellapart import samples
from tellapart.errors import Reason, SettingsError

SMALL = {"n_parts": 20, "frames_per_part": 3, "height_px": 64}


def pixels(image: samples.SampleImage) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image.jpeg)), np.float32)


@pytest.fixture(scope="module")
def line() -> list[samples.SampleImage]:
    return samples.bottles(**SMALL)


def test_the_same_seed_gives_the_same_bytes(line: list[samples.SampleImage]) -> None:
    assert samples.bottles(**SMALL) == line


def test_another_seed_gives_other_pictures(line: list[samples.SampleImage]) -> None:
    others = {image.jpeg for image in samples.bottles(**SMALL, seed=1)}
    assert not others & {image.jpeg for image in line}


def test_every_part_is_taken_as_often_as_asked(line: list[samples.SampleImage]) -> None:
    assert Counter(Counter(image.part for image in line).values()) == {3: 20}
    assert len({image.jpeg for image in line}) == 60


def test_pictures_are_jpeg_of_the_asked_size() -> None:
    (image,) = samples.bottles(n_parts=1, frames_per_part=1)
    opened = Image.open(io.BytesIO(image.jpeg))
    assert (opened.format, opened.size) == ("JPEG", (240, 320))


def test_names_do_not_tell_which_photos_belong_together(line: list[samples.SampleImage]) -> None:
    assert [image.name for image in line] == [f"bottle_{i:04d}.jpg" for i in range(60)]
    neighbours = sum(a.part == b.part for a, b in itertools.pairwise(line))
    assert neighbours < 10  # in the order of the line it would be 40


def test_frames_of_a_part_are_nearer_to_each_other_than_to_other_parts(line: list[samples.SampleImage]) -> None:
    by_part = defaultdict(list)
    for image in line:
        by_part[image.part].append(pixels(image))
    first = {part: frames[0] for part, frames in by_part.items()}
    for part, frames in by_part.items():
        within = float(np.abs(frames[1] - frames[2]).mean())
        others = [float(np.abs(frames[1] - other).mean()) for name, other in first.items() if name != part]
        assert within < np.median(others) * 0.7


def test_shares_hold_and_the_rare_class_is_there() -> None:
    images = samples.bottles(n_parts=50, frames_per_part=1, height_px=32, mislabelled=0)
    assert Counter(image.true_labels for image in images) == {
        ("good",): 22,
        ("crooked_label",): 9,
        ("low_fill",): 8,
        ("no_cap",): 7,
        ("contaminated",): 4,
    }


def test_binary_knows_good_and_defective() -> None:
    images = samples.bottles(variant="binary", n_parts=25, frames_per_part=1, height_px=32, mislabelled=0)
    assert Counter(image.labels for image in images) == {("good",): 11, ("defective",): 14}


def test_multilabel_has_several_faults_on_one_bottle_and_none_on_good_ones() -> None:
    images = samples.bottles(variant="multilabel", n_parts=50, frames_per_part=1, height_px=32, mislabelled=0)
    sizes = Counter(len(image.labels) for image in images)
    assert sizes[0] == 22
    assert min(sizes[1], sizes[2]) > 3
    assert {name for image in images for name in image.labels} == set(samples.FAULTS)


@pytest.mark.parametrize("variant", ["binary", "multiclass", "multilabel"])
def test_the_asked_share_of_labels_is_wrong(variant: samples.Variant) -> None:
    images = samples.bottles(variant=variant, n_parts=20, frames_per_part=2, height_px=32, mislabelled=0.1)
    assert sum(image.labels != image.true_labels for image in images) == 4


def test_an_open_bottle_is_brighter_where_its_cap_would_be() -> None:
    """The faults are in the pixels, not only in the labels: a cap is darker than the backdrop behind it."""
    images = samples.bottles(n_parts=60, frames_per_part=1, mislabelled=0, height_px=160)
    darkest = {
        name: np.mean([pixels(i)[22:36, 30:90].mean(2).min() for i in images if i.true_labels == (name,)])
        for name in ("good", "no_cap")
    }
    assert darkest["no_cap"] > darkest["good"] + 10


def test_the_later_shift_is_darker_and_has_other_parts(line: list[samples.SampleImage]) -> None:
    night = samples.bottles(**SMALL, later=True)
    assert {image.shift for image in night} == {"night"}
    assert not {image.part for image in night} & {image.part for image in line}
    assert min(i.captured_at for i in night) > max(i.captured_at for i in line)
    assert np.mean([pixels(i).mean() for i in night]) < np.mean([pixels(i).mean() for i in line]) - 15


def test_progress_counts_every_photo() -> None:
    seen: list[tuple[int, int]] = []
    samples.bottles(lambda done, total: seen.append((done, total)), n_parts=20, frames_per_part=2, height_px=32)
    assert seen == [(i, 40) for i in range(1, 41)]


def test_all_wrong_options_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        samples.bottles(variant="ternary", n_parts=0, mislabelled=1.5)  # type: ignore[arg-type]
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "the bottling line cannot run: variant is 'binary', 'multiclass' or 'multilabel', got 'ternary'; "
        "n_parts is a whole number of at least 1, got 0; mislabelled is a share between 0 and 1, got 1.5"
    )
