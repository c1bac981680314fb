"""Unknown images become proposals, a person names them, and the model learns them."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, SettingsError
from tellapart.records import Sample
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.embedding import Embedder
from tellapart.workflows.propose import propose_classes
from tellapart.workflows.propose_known import KnownClasses
from tellapart.workflows.propose_report import MAX_OF_EACH, _shown, render
from tellapart.workflows.propose_result import Proposal, Proposed


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("known")
    known = write_folders(root / "data", dict.fromkeys(("red", "green", "blue", "yellow"), 16), side=32)
    ta.train(known, output=root / "model", method="dynamic", golden=0)
    return root / "model"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten purple, eight teal, six red (a known class) and a file that is no image."""
    folder = tmp_path_factory.mktemp("pool") / "a folder, <new>"
    folder.mkdir()
    for name, index, n in (("purple", 4, 10), ("teal", 5, 8), ("red", 0, 6)):
        for number in range(n):
            (folder / f"{name}{number}.png").write_bytes(png_bytes(class_picture(index, 100 + number, 32)))
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def proposed(model: Path, pool: Path) -> Proposed:
    return propose_classes(model, [pool])


def names(proposed: Proposed, one: Proposal) -> set[str]:
    return {Path(proposed.dataset.uris[row]).stem.rstrip("0123456789") for row in one.rows}


def test_unknown_images_are_put_together_by_likeness(proposed: Proposed) -> None:
    assert [one.name for one in proposed.proposals] == ["unknown-1", "unknown-2"]
    assert [names(proposed, one) for one in proposed.proposals] == [{"purple"}, {"teal"}]
    assert [one.size for one in proposed.proposals] == [10, 8]
    assert proposed.alone == ()
    assert all(0 < one.tightness < 1.5 for one in proposed.proposals)
    assert all(one.nearest is not None and one.nearest[1] > 1 for one in proposed.proposals)
    assert proposed.lines()[:2] == [
        "data       25 images seen: 18 unknown, 1 refused",
        "proposals  2 new classes proposed from 18 of 18 unknown images.",
    ]
    told = proposed.to_json()
    assert (told["images"], told["collected"], len(told["refused"])) == (25, 18, 1)
    assert len(told["proposals"][0]["images"]) == 10


def test_the_named_list_teaches_the_model(model: Path, pool: Path, proposed: Proposed, tmp_path: Path) -> None:
    listed = tmp_path / "proposals.csv"
    root = proposed.write_csv(listed)
    assert root == pool  # the images do not lie beside the list
    assert proposed.write_csv(pool / "list.csv") == pool
    assert proposed.write_csv(pool.parent / "list.csv") == pool.parent
    rows = list(csv.reader(listed.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["file_name", "label"]
    assert len(rows) == 19
    renamed = {"unknown-1": "purple", "unknown-2": "teal"}
    edited = [[file, "" if file == "purple3.png" else renamed[label]] for file, label in rows[1:]]
    with listed.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([rows[0], *edited])
    ta.load(model).save(tmp_path / "copy")
    add_classes(tmp_path / "copy", Dataset.read(listed, images=pool))
    taught = ta.load(tmp_path / "copy")
    assert set(taught.labels) == {"red", "green", "blue", "yellow", "purple", "teal"}
    answer = taught.predict(pool / "purple3.png")
    assert (answer.predicted, answer.unknown) == (("purple",), False)


def test_a_spreadsheet_reads_the_list_and_runs_nothing(model: Path, pool: Path, tmp_path: Path) -> None:
    taken = ["=cmd.png", "+1, 2.png", "@ü.png", "-x.png", "a;b.png"]
    for number, name in enumerate(taken):
        shutil.copy(pool / f"teal{number}.png", tmp_path / name)
    found = propose_classes(model, [tmp_path])
    listed = tmp_path / "list.csv"
    found.write_csv(listed)
    assert listed.read_bytes().startswith(b"\xef\xbb\xbf")
    names = [row[0] for row in csv.reader(listed.read_text(encoding="utf-8-sig").splitlines())][1:]
    assert sorted(names) == sorted(["./=cmd.png", "./+1, 2.png", "./@ü.png", "./-x.png", "a;b.png"])
    assert {Path(uri).name for uri in Dataset.read(listed).uris} == set(taken)


def test_near_duplicates_count_once(model: Path, tmp_path: Path) -> None:
    for number in range(9):
        picture = class_picture(4, 7, 32)
        picture[0, 0] = number
        (tmp_path / f"{number}.png").write_bytes(png_bytes(picture))
    found = propose_classes(model, [tmp_path])
    assert len(found.collected) == 9
    assert found.proposals == ()
    assert found.verdict == (
        "Nothing to propose: 9 images are unknown, and no 5 of them are alike enough to make a class."
    )


def test_images_of_one_class_that_fall_apart_are_one_proposal(
    model: Path, pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clustering finds two groups at least: a dozen images of one new class would be too few in each."""
    pairs = SimpleNamespace(of=np.arange(10) // 2)
    monkeypatch.setattr("tellapart.workflows.propose.find_clusters", lambda *_, **__: pairs)
    found = propose_classes(model, sorted(pool.glob("purple*.png")))
    assert [one.size for one in found.proposals] == [10]


def test_nothing_to_propose_is_a_sentence(model: Path, pool: Path, tmp_path: Path) -> None:
    one = propose_classes(model, [pool / "purple0.png"])
    assert one.verdict == "Nothing to propose: 1 image is unknown and too few to make a class."
    known = propose_classes(model, [pool / f"red{number}.png" for number in range(6)])
    assert known.verdict == "Nothing to propose: the model knows all of these images."
    for found in (one, known):
        assert found.verdict in render(found)
        assert found.to_json()["proposals"] == []


def test_less_strange_and_unsure_images_are_collected_on_request(model: Path, pool: Path) -> None:
    classifier = ta.load(model)
    scores = [
        one.ood_score for one in classifier.predict(sorted(pool.glob("red*.png"))) if isinstance(one, ta.Prediction)
    ]
    lowered = propose_classes(classifier, [pool], score=min(scores))
    assert len(lowered.collected) == 24
    assert len(propose_classes(classifier, [pool], score=1e9).collected) == 0
    unsure = propose_classes(classifier, [pool], score=1e9, unsure=True)
    assert len(unsure.collected) == 18  # unknown images have no answer


def test_the_page_shows_each_class_and_runs_nothing(proposed: Proposed) -> None:
    text = render(proposed, title="<b>new</b>")
    assert text.count("<img ") == 18
    assert "&lt;b&gt;new&lt;/b&gt;" in text
    assert "a folder, &lt;new&gt;" in text
    assert "<script" not in text
    assert text.index('id="unknown-1"') < text.index('id="unknown-2"')


def test_many_images_of_a_class_are_shown_in_part() -> None:
    rows = _shown(range(100))
    assert len(rows) == MAX_OF_EACH
    assert (rows[0], rows[-1]) == (0, 99)
    assert len(set(rows)) == MAX_OF_EACH


def test_a_model_that_remembers_nothing_still_proposes(model: Path, pool: Path) -> None:
    bare = replace(ta.load(model), location="")
    assert KnownClasses.of(bare).names == ()
    found = propose_classes(bare, [pool])
    assert [names(found, one) for one in found.proposals] == [{"purple"}, {"teal"}]
    assert found.proposals[0].nearest is None
    assert found.to_json()["proposals"][0]["tightness"] is None
    assert found.proposals[0].told == "10 images"


def test_what_is_told_of_a_proposal() -> None:
    one = Proposal("unknown-1", tuple(range(12)), 9, 1.62, ("car", 2.0))
    assert one.told == ("12 images, 9 of them different, looser than the known classes (1.62), nearest to 'car'")


def test_faults_are_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        propose_classes(model, [tmp_path], min_images=1)
    assert str(caught.value) == (
        "a proposed class has two images or more and is of images of a score above 0, got 1 and 1"
    )
    with pytest.raises(DataError) as refused:
        propose_classes(model, [tmp_path / "no.png"])
    assert refused.value.reason == "dataset_empty"
    with pytest.raises(DataError) as empty:
        propose_classes(model, [tmp_path])
    assert empty.value.reason == "dataset_empty"
    assert str(empty.value) == f"there is no image in {tmp_path}: name image files, or folders that hold some"


def test_a_list_that_cannot_be_written_is_said(proposed: Proposed, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="could not be written") as caught:
        proposed.write_csv(tmp_path / "file" / "list.csv")
    assert caught.value.reason == "write_failed"


def test_relative_images_of_a_data_set_are_found(model: Path, pool: Path, tmp_path: Path) -> None:
    data = Dataset.from_samples([Sample(path.name) for path in sorted(pool.glob("teal*.png"))], root=pool)
    found = propose_classes(model, data)
    assert [one.size for one in found.proposals] == [8]
    assert isinstance(found.embedder, Embedder)
    assert np.isfinite(found.seconds)
    assert found.write_csv(tmp_path / "list.csv") == pool
