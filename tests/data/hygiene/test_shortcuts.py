"""What is said of labels that can be told without looking at what is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.contracts.hygiene.evidence import evidence, samples
from tests.contracts.hygiene.shortcuts import NAMES, changed, clean, lit, of, planted, taken

from tellapart.data.hygiene.protocol import Evidence, Finding
from tellapart.data.hygiene.shortcut_sources import in_bins, in_values, sources
from tellapart.data.hygiene.shortcuts import find
from tellapart.data.hygiene.told_by import told_by


def told(made: Evidence) -> list[str]:
    return [found.sentence.split(" alone")[0] for found in find(made)]


def the_only(made: Evidence) -> Finding:
    (found,) = find(made)
    return found


def test_the_sentence() -> None:
    found = the_only(lit())
    assert found.sentence == (
        "the light (brightness, contrast, darkest and brightest grey) alone tells 'bad' from 'good', 95 % right where "
        "guessing has 50 %: a model may learn that instead of what is shown"
    )
    assert found.remedy == (
        "photograph all classes in the same light, or each in many, unless their looks differ so by nature"
    )


def test_every_source_says_what_to_do() -> None:
    assert [found.remedy for found in find(planted())][1:] == [
        "cut and export all classes alike, unless their sizes differ by nature",
        "export all classes in one format and quality: traces of compression can be learned",
        "take images of every class under each of its values: else a model may learn what differs between those",
        "take images of every class in each session, not one class after the other",
        "take images of every class under each of its values: else a model may learn what differs between those",
    ]


def test_of_many_classes_those_are_named_that_are_told() -> None:
    names = ("bird", "cat", "frog", "ship", "truck")
    made = evidence(samples(500, names))
    for column, brightness in ((1, 0.9), (3, 0.1)):
        made.statistics[made.labels[:, column] == 1, 0] = brightness
    found = the_only(made)
    assert "alone tells 'cat' and 'ship' from the rest, 100 % right" in found.sentence
    assert found.figures["labels"] == 2


def test_a_label_among_several_on_an_image_is_told() -> None:
    chosen = [
        replace(sample, labels=tuple(name for name, step in (("dust", 2), ("hair", 3)) if i % step == 0))
        for i, sample in enumerate(samples(300, ["x"]))
    ]
    made = evidence(chosen)
    made.statistics[::3, 1] = 0.4
    assert "alone tells 'hair' from the rest" in the_only(made).sentence


def test_a_ring_of_one_grey_is_a_border() -> None:
    made = clean()
    for side in (np.s_[:, :4], np.s_[:, -4:], np.s_[:, :, :4], np.s_[:, :, -4:]):
        made.thumbnails[1::2][side] = 127
    found = the_only(made)
    assert found.sentence.startswith("the border of the image alone tells 'bad' from 'good', 100 % right")
    assert found.remedy == (
        "photograph all classes before the same backgrounds, or cut closer, unless what lies around belongs to them"
    )


def test_a_lamp_that_lights_the_border_is_told_as_light() -> None:
    made = lit()
    for row in range(len(made)):
        if made.statistics[row, 0] == np.float32(0.8) and row % 40 != 3:
            made.thumbnails[row] //= 2
            made.thumbnails[row] += 127
    by_name = {source.name.split(" (")[0]: source for source in sources(made)}
    border = told_by(by_name["the border of the image"].features, made.labels, np.arange(len(made)))
    assert border.low.min() > 0.8
    assert told(made) == ["the light (brightness, contrast, darkest and brightest grey)"]


def test_one_label_that_is_there_or_not_is_told() -> None:
    chosen = [
        replace(sample, uri=f"{i}.png", labels=("dust",) if i % 2 else ()) for i, sample in enumerate(samples(120))
    ]
    made = evidence(chosen)
    made.statistics[1::2, 0] = 0.9
    assert "tells 'dust' from the rest" in the_only(made).sentence


def test_one_pixel_more_is_a_size() -> None:
    made = clean()
    made.statistics[1::2, 5] += 1
    assert told(made) == ["the size of the image"]


def test_a_class_folder_is_the_label() -> None:
    assert told(changed(uri=lambda i: f"photos/{NAMES[i % 2].upper()}/{i}.png")) == []
    assert told(changed(uri=lambda i: f"{of(i, 'okay', 'rejected')}/{i}.png")) == []
    renamed = [replace(s, uri=f"{s.uri[0]}-{i % 3}/{i}.png", labels=("abc"[i % 3],)) for i, s in enumerate(taken())]
    assert told(evidence(renamed)) == []


def test_splits_are_no_folders() -> None:
    assert told(changed(uri=lambda i: f"{of(i, 'train', 'test')}/{NAMES[i % 2]}/{i}.png")) == []


def test_shards_are_no_folders() -> None:
    assert told(changed(uri=lambda i: f"shards/{of(i, 'a', 'b')}.parquet#row={i}")) == []


def test_jpg_and_jpeg_are_one_format() -> None:
    assert told(changed(uri=lambda i: f"{i}.{of(i, 'JPG', 'jpeg')}")) == []


def test_a_column_that_is_the_label_is_no_shortcut() -> None:
    assert told(changed(metadata=lambda i: {"verdict": of(i, "Good", "rest")})) == []
    assert told(changed(metadata=lambda i: {"ClassID": of(i, "7", "9")})) == []
    assert told(changed(metadata=lambda i: {"shift": of(i, "7", "9")})) == ["the column 'shift'"]


def test_a_column_of_parts_is_no_shortcut_where_parts_are_groups() -> None:
    def part(i: int) -> str:
        return f"{i % 2}-{i // 48}"

    parts = changed(metadata=lambda i: {"part": part(i)}, group=part)
    assert told(parts) == []
    assert told(changed(metadata=lambda i: {"part": part(i)})) == ["the column 'part'"]


def test_days_on_which_one_class_was_taken() -> None:
    made = taken()
    one_after_the_other = [replace(s, captured_at=made[i // 2 + 120 * (i % 2)].captured_at) for i, s in enumerate(made)]
    assert told(evidence(one_after_the_other)) == ["the time of capture"]
    unknown = [replace(s, captured_at=None) if i % 4 else s for i, s in enumerate(one_after_the_other)]
    assert told(evidence(unknown)) == []


@pytest.mark.parametrize("n", [2, 10, 24])
def test_few_images_prove_nothing(n: int) -> None:
    made = evidence(samples(n))
    made.statistics[1::2, 0] = 0.9
    assert find(made) == []


def test_what_is_told_is_what_was_left_out() -> None:
    """Noise is no shortcut, however many features there are."""
    rng = np.random.default_rng(0)
    labels = np.eye(2, dtype=np.uint8)[rng.integers(0, 2, 200)]
    answer = told_by(rng.normal(size=(200, 150)).astype(np.float32), labels, np.arange(200))
    assert answer.accuracy.max() < 0.62
    assert (answer.low < answer.accuracy).all()


def test_groups_are_not_learned_by_heart() -> None:
    groups = np.repeat(np.arange(20), 10)
    labels = np.eye(2, dtype=np.uint8)[groups % 2]
    features = np.eye(20, dtype=np.float32)[groups]
    assert told_by(features, labels, groups).accuracy.max() < 0.6
    assert told_by(features, labels, np.arange(200)).accuracy.min() == 1


def test_one_group_leaves_nothing_to_learn_from() -> None:
    assert find(evidence(samples(40, group="line 1"))) == []


def test_a_hash_in_a_file_name_is_no_container() -> None:
    chosen = [replace(one, uri=f"part#{i}.{('png', 'jpg')[i % 2]}") for i, one in enumerate(samples(200))]
    assert told(evidence(chosen)) == ["the file format"]


def test_a_rare_label_counts_as_much_as_a_frequent_one() -> None:
    labels = np.zeros((1000, 1), np.uint8)
    labels[:40] = 1
    found = told_by(labels.astype(np.float32), labels, np.arange(1000))
    assert found.accuracy.tolist() == [1]
    assert found.hits[:, 0].tolist() == [True] * 40 + [False] * 960
    never = told_by(np.ones((1000, 1), np.float32), labels, np.arange(1000))
    assert never.accuracy[0] == pytest.approx(0.5, abs=0.1)


def test_values_that_many_share_have_a_bin() -> None:
    assert in_bins(np.array([640] * 95 + [800] * 5)).sum(axis=0).tolist() == [95, 5]
    assert in_bins(np.full(50, 3)).shape == (50, 0)
    assert in_values(["a"] * 30 + ["b"] * 30 + ["rare"]).sum(axis=0).tolist() == [1, 30, 30]
    assert in_values([str(i) for i in range(100)]).shape == (100, 0)


def test_what_is_the_same_everywhere_is_no_source() -> None:
    made = evidence(samples(40))
    assert [source.name[:10] for source in sources(made)] == ["the light ", "the border"]
