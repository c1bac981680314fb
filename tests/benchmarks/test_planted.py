"""What is planted is what is said to be planted."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from benchmarks.planted import NEAR, SIMILAR, Row, in_words, plant, read_clean, write
from PIL import Image

from tellapart.data.dataset import Dataset

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
N = 2_000


def photo(i: int) -> bytes:
    """A 32-pixel picture that no other resembles."""
    rng = np.random.default_rng(i)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8)).resize((32, 32), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    coarse.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def clean() -> list[Row]:
    return [Row(photo(i), NAMES[i % 10], NAMES[i % 10], i) for i in range(N)]


@pytest.fixture(scope="module")
def planted(clean: list[Row]) -> list[Row]:
    return plant(clean, seed=3)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize((32, 32)), np.float64)


def test_as_many_as_promised(planted: list[Row]) -> None:
    counts = Counter(row.fault for row in planted)
    assert counts == {"": 1_800, "any_label": 100, "similar_label": 100, "exact": 30, **dict.fromkeys(NEAR, 6)}
    for kinds in (("exact",), tuple(NEAR)):
        copies = [row for row in planted if row.fault in kinds]
        assert (len(copies), sum(row.label != row.truth for row in copies)) == (30, 10 if kinds == ("exact",) else 5)
    assert in_words(planted).startswith("100 any_label, 100 similar_label, 30 exact, 6 resized, ")


def test_a_seed_plants_the_same_and_another_something_else(clean: list[Row], planted: list[Row]) -> None:
    assert plant(clean, seed=3) == planted
    other = plant(clean, seed=4)
    assert [row.source for row in other] != [row.source for row in planted]
    assert {row.source for row in other if row.is_copy} != {row.source for row in planted if row.is_copy}


def test_every_image_is_there_once_and_copies_are_of_sound_ones(planted: list[Row]) -> None:
    originals = {row.source: row for row in planted if not row.is_copy}
    assert sorted(originals) == list(range(N))
    sources = [row.source for row in planted if row.is_copy]
    assert len(sources) == len(set(sources))
    assert all(not originals[source].fault for source in sources)


def test_labels_are_wrong_where_it_is_said_and_nowhere_else(planted: list[Row]) -> None:
    for row in planted:
        if row.fault == "similar_label":
            assert row.label == SIMILAR[row.truth]
        elif row.fault == "any_label":
            assert row.label != row.truth
        elif not row.is_copy:
            assert row.label == row.truth
    assert all(NAMES[row.source % 10] == row.truth for row in planted)


def test_copies_look_like_their_sources(planted: list[Row]) -> None:
    originals = {row.source: row.data for row in planted if not row.is_copy}
    unrelated = np.abs(pixels(originals[0]) - pixels(originals[10])).mean()
    for row in planted:
        if row.fault == "exact":
            assert row.data == originals[row.source]
        elif row.is_copy:
            assert row.data != originals[row.source]
            assert np.abs(pixels(row.data) - pixels(originals[row.source])).mean() < unrelated / 2, row.fault


def test_one_class_is_brighter_nine_times_in_ten(clean: list[Row], planted: list[Row]) -> None:
    originals = [row for row in planted if not row.is_copy]
    (chosen,) = {row.truth for row in originals if row.bright}
    lit = [row.bright for row in originals if row.truth == chosen]
    assert len(lit) == 200
    assert 0.85 < np.mean(lit) < 0.95
    for row in originals:
        before, after = pixels(clean[row.source].data).mean(), pixels(row.data).mean()
        assert after == pytest.approx(255 - 0.6 * (255 - before) if row.bright else before, abs=2)


def test_what_is_written_is_read_back(planted: list[Row], tmp_path: Path) -> None:
    dataset = Dataset.read(write(planted, tmp_path))
    assert [sample.labels for sample in dataset.samples] == [(row.label,) for row in planted]
    assert [dataset.bytes_of(i) for i in (0, 99)] == [planted[i].data for i in (0, 99)]
    lines = (tmp_path / "truth.csv").read_text().splitlines()
    row = planted[4]
    assert lines[0] == "row,label,truth,source,fault,bright"
    assert lines[5] == f"4,{row.label},{row.truth},{row.source},{row.fault},{row.bright}"


def test_clean_images_come_in_equal_parts(planted: list[Row], tmp_path: Path) -> None:
    import polars as pl

    names = '{"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}'
    table = pl.DataFrame({"image": [{"bytes": b"%d" % i} for i in range(9)], "label": [0, 0, 0, 0, 0, 1, 1, 1, 1]})
    table.write_parquet(tmp_path / "c.parquet", metadata={"huggingface": names})
    rows = read_clean(tmp_path / "c.parquet", 4)
    assert [(row.data, row.label, row.truth, row.source) for row in rows] == [
        (b"0", "cat", "cat", 0),
        (b"1", "cat", "cat", 1),
        (b"5", "dog", "dog", 5),
        (b"6", "dog", "dog", 6),
    ]
