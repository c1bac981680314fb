"""What every reader and writer owes its callers, whatever the format."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.tiny import stored

from tellapart.data.containers import content_id
from tellapart.data.dataset import Dataset
from tellapart.data.readers import READERS, reader, sniff
from tellapart.data.readers.protocol import ReadOptions
from tellapart.data.writers import WRITERS, WriteReport, write, writer
from tellapart.errors import DataError, Reason
from tellapart.records import Roi, Sample

NAMES = sorted(READERS)
FILE_NAME = {"csv": "out.csv", "google_csv": "out.csv", "jsonl": "out.jsonl", "parquet": "out.parquet",
             "coco": "out.json", "label_studio": "out.json", "cvat": "out.xml",
             "folders": "out", "imagefolder": "out"}  # fmt: skip

word = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=8)
odd = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=8)
label_names = st.one_of(
    st.sampled_from(["ok", "a|b", '["x"]', "{}", 'é, "q"', "two\nlines", "1", "true"]), word, odd
).map(str.strip)
labels = label_names.filter(lambda name: bool(name))
edges = st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(7, 12)] * 2)
rois = st.one_of(
    edges.map(lambda e: Roi(((e[0] / 12, e[1] / 12), (e[2] / 12, e[3] / 12)))),
    edges.map(lambda e: Roi(((e[0] / 12, e[1] / 12), (e[2] / 12, e[1] / 12), (e[2] / 12, e[3] / 12)))),
)
times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))
metadata = st.dictionaries(
    st.one_of(st.sampled_from(["line", "label", "Group", "metadata.x", "split", "path", " ", " x "]), word),
    word,
    max_size=2,
).filter(lambda found: len({key.strip().lower() for key in found}) == len(found))
file_names = st.sampled_from(["a", "b b", "ü", "x%20y", "q'\"", "c,d", "1", "semi;colon", "#row=3", "tab"])


@st.composite
def sample_lists(draw: st.DrawFn, *, regions: bool = False) -> list[Sample]:
    single = draw(st.booleans())
    found = []
    for i in range(draw(st.integers(1, 5))):
        names = draw(st.lists(labels, min_size=1 if single else 0, max_size=1 if single else 3, unique=True))
        found.append(
            Sample(
                f"{draw(st.sampled_from(['', 'in/', 'deep/er/']))}{i}{draw(file_names)}.png",
                draw(st.sampled_from([tuple(sorted(names)), None])),
                group=draw(st.one_of(st.none(), word.map(str.strip).map(lambda s: s or None))),
                split=draw(st.sampled_from([None, "train", "val", "test"])),
                roi=draw(rois) if regions and names else None,
                captured_at=draw(st.one_of(st.none(), times)),
                metadata=draw(metadata),
            )
        )
    return found


def fitted(dataset: Dataset, name: str) -> Dataset:
    """The data set reduced to what a format carries, so that nothing else may differ."""
    carries = WRITERS[name].carries
    kept = []
    for sample in dataset.samples:
        one = sample
        if one.labels == () and "empty" not in carries:
            one = replace(one, labels=None)
        if one.labels and len(one.labels) > 1 and "multilabel" not in carries:
            one = replace(one, labels=one.labels[:1])
        one = replace(one, metadata=one.metadata if "metadata" in carries else {})
        if "group" not in carries:
            one = replace(one, group=None)
        if "captured_at" not in carries:
            one = replace(one, captured_at=None)
        if "roi" not in carries:
            one = replace(one, roi=None)
        kept.append(one)
    if name == "folders":  # Splits are folders: all or none; and some names cannot be folders.
        kept = [replace(s, split="train", labels=s.labels and (f"c{abs(len(s.labels[0])) % 5}",)) for s in kept]
    return Dataset.from_samples(kept, root=dataset.root)


def _rounded(roi: Roi | None) -> object:
    return None if roi is None else [(round(x, 9), round(y, 9)) for x, y in roi.points]


def facts_key(fact: tuple[object, ...]) -> str:
    return repr(fact)


def round_trip(name: str, samples: list[Sample], *, copy: bool, regions: bool = False) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "images root"
        dataset = fitted(stored(root, samples), name)
        target = root / FILE_NAME[name] if not copy else Path(folder) / "copied" / FILE_NAME[name]
        report = write(dataset, target, format=name, copy=copy)
        assert (report.n_written, report.refusals, report.lost) == (len(dataset), (), ())
        back = Dataset.read(target, format=name, regions=regions)
        assert back.refusals == ()
        moved = copy or name in ("folders", "imagefolder", "parquet")
        assert sorted(map(facts_key, facts_of(back, moved))) == sorted(map(facts_key, facts_of(dataset, moved)))


def facts_of(dataset: Dataset, moved: bool) -> list[tuple[object, ...]]:
    return [
        (
            content_id(dataset.bytes_of(i)) if moved else s.uri,
            s.labels, s.group, s.split, s.captured_at, _rounded(s.roi), sorted(s.metadata.items()),
        )
        for i, s in enumerate(dataset.samples)
    ]  # fmt: skip


def xml_safe(samples: list[Sample]) -> bool:
    texts = [text for s in samples for text in (s.uri, *(s.labels or ()))]
    return not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "￾￿" for text in texts for c in text)


lenient = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("copy", [False, True])
@lenient
@given(samples=sample_lists())
def test_what_is_written_reads_back_the_same(name: str, copy: bool, samples: list[Sample]) -> None:
    if name == "cvat" and not xml_safe(samples):
        return
    round_trip(name, samples, copy=copy)


@pytest.mark.parametrize("name", [name for name in NAMES if "roi" in WRITERS[name].carries])
@lenient
@given(samples=sample_lists(regions=True))
def test_regions_read_back_the_same(name: str, samples: list[Sample]) -> None:
    if name == "cvat" and not xml_safe(samples):
        return
    samples = [s if s.labels else replace(s, roi=None) for s in samples]
    if name == "cvat":  # One shape has one label there.
        samples = [replace(s, labels=s.labels and s.labels[:1]) for s in samples]
    round_trip(name, samples, copy=False, regions=True)


def test_every_reader_has_a_writer_of_its_name() -> None:
    assert sorted(WRITERS) == NAMES
    assert all(READERS[name].name == name == WRITERS[name].name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_written_data_set_is_recognised(name: str, tmp_path: Path) -> None:
    dataset = fitted(stored(tmp_path, [Sample("x/a.png", ("p",)), Sample("x/b.png", ("q",))]), name)
    write(dataset, tmp_path / FILE_NAME[name], format=name)
    assert sniff(tmp_path / FILE_NAME[name]) == name


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_overwritten_unasked(name: str, tmp_path: Path) -> None:
    dataset = fitted(stored(tmp_path, [Sample("x/a.png", ("p",)), Sample("x/b.png", ("q",))]), name)
    target = tmp_path / FILE_NAME[name]
    write(dataset, target, format=name)
    with pytest.raises(DataError) as caught:
        write(dataset, target, format=name)
    assert caught.value.reason is Reason.OUTPUT_EXISTS
    assert write(dataset, target, format=name, overwrite=True).n_written == 2
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_path_is_one_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        Dataset.read(tmp_path / "nothing here", format=name)
    assert caught.value.reason is Reason.DATASET_NOT_FOUND


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("folders", "imagefolder")])
@pytest.mark.parametrize(
    "junk", [b"", b"\xff\xfe\xfd", b"{", b"[1, 2]", b"<a/>", b"\0" * 100, b"a,b\n1,2\n", b"[" * 100_000]
)
def test_junk_is_an_error_or_refusals_but_never_a_crash(name: str, junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME[name]
    path.write_bytes(junk)
    outcome: object = ()
    try:
        outcome = reader(name).read(path, ReadOptions()).samples
    except DataError as error:
        outcome = error.reason
    assert outcome in ((), Reason.DATASET_FORMAT, Reason.DATASET_EMPTY)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_or_file_that_is_gone_is_refused_and_the_rest_read(name: str, tmp_path: Path) -> None:
    if name in ("folders", "parquet"):
        pytest.skip("images are part of the format: none can be missing")
    dataset = fitted(stored(tmp_path, [Sample("x/a.png", ("p",)), Sample("x/b.png", ("q",))]), name)
    target = tmp_path / FILE_NAME[name]
    write(dataset, target, format=name)
    gone = target / "images/x/a.png" if name == "imagefolder" else tmp_path / "x/a.png"
    gone.unlink()
    back = Dataset.read(target, format=name)
    assert [sample.labels for sample in back.samples] == [("q",)]
    assert [refusal.code for refusal in back.refusals] == ["file_not_found"]


def test_an_unknown_format_lists_the_known_and_suggests() -> None:
    known = "coco, csv, cvat, folders, google_csv, imagefolder, jsonl, label_studio, parquet"
    with pytest.raises(DataError) as caught:
        reader("cocoo")
    assert str(caught.value) == f"unknown data format 'cocoo'; did you mean 'coco'? (known: {known})"
    with pytest.raises(DataError, match="did you mean 'cvat'"):
        writer("cvatt")


def test_what_a_format_cannot_hold_is_told(tmp_path: Path) -> None:
    sample = Sample("a.png", ("p",), group="g", captured_at=datetime(2026, 1, 1, tzinfo=UTC), metadata={"line": "1"})
    dataset = stored(tmp_path, [sample, Sample("b.png", ())])
    report: WriteReport = write(dataset, tmp_path / "o.xml", format="cvat")
    assert report.lost == ("empty", "group", "captured_at", "metadata")
    assert not math.isnan(report.n_written)
