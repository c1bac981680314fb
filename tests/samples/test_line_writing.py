"""A filmed line as files, and what reads them."""

from __future__ import annotations

import csv
from pathlib import Path
from unittest import mock

import pytest
from tests.cli.command import run

from tellapart import Dataset, samples
from tellapart.errors import DataError, MissingExtra, Reason
from tellapart.workflows.truth import read_truth

TINY = {"n_sequences": 3, "seconds": 9.0, "height_px": 32, "fps": 2.0}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_pictures_lie_in_a_folder_for_each_sequence_with_their_labels(tmp_path: Path) -> None:
    samples.write_line(tmp_path / "line", **TINY)
    frames = list(samples.line_frames(**TINY))
    written = {p.relative_to(tmp_path / "line").as_posix(): p.read_bytes() for p in tmp_path.glob("line/*/*")}
    assert written == {f"{f.sequence}/{f.name}": f.jpeg for f in frames}
    labels, known = rows(tmp_path / "line/metadata.csv"), rows(tmp_path / "line/frames.csv")
    assert [(r["label"], r["group"], r["split"]) for r in labels] == [(f.label, f.sequence, f.split) for f in frames]
    assert [float(r["at"]) for r in known] == [f.at_s for f in frames]
    assert [r["file_name"] for r in known] == [r["file_name"] for r in labels]
    assert {r["shows"] for r in known} <= {"", "yes", "no"}


def test_it_is_a_data_set_with_groups_and_splits(tmp_path: Path) -> None:
    samples.write_line(tmp_path / "line", **TINY)
    data = Dataset.read(tmp_path / "line")
    assert len(data) == 54
    assert not data.refusals
    assert data.schema is not None
    assert set(data.schema.names) == {"defective", "empty", "good"}
    assert set(data.groups) == {"seq_001", "seq_002", "seq_003"}
    assert set(data.table["split"].to_list()) == {"train", "test"}


def test_the_truth_is_read_as_labelled_episodes(tmp_path: Path) -> None:
    samples.write_line(tmp_path / "line", **TINY)
    truth = read_truth(tmp_path / "line/truth.csv")
    planned = {s.name: s for s in samples.plan(samples.LineVideo(**TINY))}
    assert not truth.refusals
    assert {name: [one.state for one in truth[name]] for name in truth} == {
        name: ["good" if p.kind == "good" else "defective" for p in s.passages] for name, s in planned.items()
    }
    first = planned["seq_001"].passages[0]
    assert truth["seq_001"][0].start_s == pytest.approx(first.start_s, abs=1e-6)
    assert truth["seq_001"][0].end_s == pytest.approx(first.end_s, abs=1e-6)


def test_videos_show_the_same_pictures(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    samples.write_line(tmp_path / "line", videos=True, **TINY)
    frames = [f for f in samples.line_frames(**TINY) if f.sequence == "seq_002"]
    video = cv2.VideoCapture(str(tmp_path / "line/videos/seq_002.avi"))
    assert video.get(cv2.CAP_PROP_FPS) == 2.0
    for frame in frames:
        read, picture = video.read()
        assert read
        assert abs(picture[:, :, ::-1].astype(float) - frame.pixels).mean() < 6
    assert not video.read()[0]
    assert len(Dataset.read(tmp_path / "line")) == 54


def test_videos_without_opencv_are_refused_before_anything_is_filmed(tmp_path: Path) -> None:
    with mock.patch.dict("sys.modules", {"cv2": None}), pytest.raises(MissingExtra) as caught:
        samples.write_line(tmp_path / "line", videos=True, **TINY)
    assert str(caught.value) == (
        "writing video files needs the library 'cv2', which is not installed: pip install 'tellapart[watch]'"
    )
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError) as caught:
        samples.write_line(tmp_path, **TINY)
    assert caught.value.reason is Reason.OUTPUT_EXISTS
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_what_was_begun_is_gone_when_it_is_interrupted(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        samples.write_line(tmp_path / "line", progress=stop, **TINY)
    assert not list(tmp_path.iterdir())


def test_the_command_films_and_counts(tmp_path: Path) -> None:
    options = ("--variant", "line", "--sequences", 3, "--seconds", 9, "--fps", 2, "--height", 32)
    ran = run("data", "generate", tmp_path / "a", *options, "--defective", 0, "--json")
    assert ran.code == 0
    truth = rows(tmp_path / "a/truth.csv")
    assert {row["state"] for row in truth} == {"good"}
    assert ran.json == {"path": str(tmp_path / "a"), "sequences": 3, "pictures": 54, "bottles": len(truth)}
    told = run("data", "generate", tmp_path / "b", *options)
    assert told.out == f"{tmp_path / 'b'}: 3 sequences, 54 pictures, {len(truth)} bottles\n"


def test_options_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    ran = run("data", "generate", tmp_path / "a", "--variant", "line", "--parts", 3)
    assert (ran.code, ran.err) == (
        2,
        "error: --parts is not an option of --variant line: see `tellapart data generate --help` [bad_setting]\n",
    )
    ran = run("data", "generate", tmp_path / "a", "--video")
    assert ran.err.startswith("error: --video is not an option of --variant multiclass")
    assert not list(tmp_path.iterdir())
