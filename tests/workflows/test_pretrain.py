"""A backbone pre-trained on a folder of photos: written whole, described, usable at once, and gone on with after a break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.builders import write_folders  # noqa: E402

from tellapart.backbones.registry import load_backbone  # noqa: E402
from tellapart.backbones.torch_libraries import load_lightning  # noqa: E402
from tellapart.data.dataset import Dataset  # noqa: E402
from tellapart.errors import DataError, Reason, SettingsError, TrainingError  # noqa: E402
from tellapart.workflows import run_folder  # noqa: E402
from tellapart.workflows.pretrain import pretrain, watched  # noqa: E402
from tellapart.workflows.pretrain_result import Pretrained  # noqa: E402

load_lightning()

OPTIONS = {"backbone": "lenet", "start": "scratch", "size": 32, "epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty tiny images of two kinds, and a file that is none."""
    root = write_folders(tmp_path_factory.mktemp("photos"), {"a": 20, "b": 20}, side=24)
    (root / "bad.jpg").write_bytes(b"no image")
    return root


def made(photos: Path, output: Path, **more: Any) -> Pretrained:
    return pretrain(photos, output=output, **{"options": OPTIONS, "seed": 3, **more})


@pytest.fixture(scope="module")
def found(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    return made(photos, tmp_path_factory.mktemp("made") / "mine.onnx")


def test_every_file_is_accepted_or_refused(found: Pretrained) -> None:
    assert (found.n_seen, found.n_images, [refusal.uri for refusal in found.refusals]) == (41, 40, ["bad.jpg"])
    assert found.refusals[0].code == "not_an_image"


def test_the_card_tells_where_it_comes_from(found: Pretrained) -> None:
    card = load_backbone(found.output).card
    assert card.name == "mine"
    assert card.source == "pre-trained by SimCLR on 40 images, starting from fresh weights of lenet"
    assert card.licence == "Apache-2.0"
    assert card.preprocess == "decode|upright|squash(32)"
    assert card.notes == f"2 epochs; images by sha256 {found.fingerprint}; seed 3"


def test_the_run_leaves_curves_and_history_and_nothing_large(found: Pretrained) -> None:
    run = found.output.with_name(f"{found.output.name}.run")
    assert sorted(path.name for path in run.iterdir()) == ["curves.svg", "history.csv"]
    lines = (run / "history.csv").read_text().splitlines()
    assert lines[0].startswith("number,loss,learning_rate,embeddings_deviation,embeddings_rank,")
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2"]
    picture = (run / "curves.svg").read_text()
    assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert picture.count('class="chart"') == 4
    from xml.etree import ElementTree

    ElementTree.fromstring(picture)


def test_what_another_process_trains_is_left_alone(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "_WAIT_S", 0.0)
    run = run_folder.RunFolder(tmp_path / "mine.onnx.run")
    with run.alone():
        run.job.mkdir()
        with pytest.raises(TrainingError) as caught:
            made(photos, tmp_path / "mine.onnx", restart=True)
        assert caught.value.reason is Reason.OUTPUT_EXISTS
        assert run.job.exists()


def test_the_summary_is_for_people(found: Pretrained) -> None:
    lines = found.summary()
    assert lines[0] == "images      40 of 41 used, 1 refused"
    assert lines[1].startswith("refused     bad.jpg: not an image")
    assert lines[-2].startswith("neighbours  ")
    assert found.to_json()["images"] == {"seen": 41, "accepted": 40, "refused": 1}


def test_it_serves_as_a_backbone_at_once_and_trains_on(found: Pretrained, photos: Path, tmp_path: Path) -> None:
    features = load_backbone(found.output).run(np.zeros((1, 32, 32, 3), np.uint8))
    assert features.embedding.shape == (1, 84)
    options = {**OPTIONS, "backbone": str(found.output), "start": "pretrained", "epochs": 1}
    again = pretrain(photos, output=tmp_path / "second.onnx", options=options)
    assert again.source == (f"pre-trained by SimCLR on 40 images, starting from {found.output} ({found.source})")


def test_the_same_seed_gives_the_same_file(found: Pretrained, photos: Path, tmp_path: Path) -> None:
    again = made(photos, tmp_path / "mine.onnx", workers=3)
    assert again.output.read_bytes() == found.output.read_bytes()
    assert (
        again.output.with_suffix(".safetensors").read_bytes() == found.output.with_suffix(".safetensors").read_bytes()
    )


class Stopped(Exception):
    """Like a power cut."""


def stop_at(stage: str, done: int) -> Any:
    def progress(now: str, at: int, _total: int) -> None:
        if (now, at) == (stage, done):
            raise Stopped

    return progress


@pytest.mark.parametrize(("stage", "done"), [("reading images", 7), ("pre-training", 4), ("writing the backbone", 0)])
def test_after_a_break_it_ends_as_without(
    stage: str, done: int, found: Pretrained, photos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "mine.onnx"
    with pytest.raises(Stopped):
        made(photos, output, progress=stop_at(stage, done))
    assert not output.exists()
    again = made(photos, output, resume=True)
    assert output.read_bytes() == found.output.read_bytes()
    assert (again.n_seen, again.fingerprint) == (41, found.fingerprint)
    assert sorted(path.name for path in output.with_name(f"{output.name}.run").iterdir()) == [
        "curves.svg",
        "history.csv",
    ]


def test_an_unfinished_run_is_not_lost_by_accident(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.onnx"
    with pytest.raises(Stopped):
        made(photos, output, progress=stop_at("pre-training", 4))
    with pytest.raises(SettingsError, match="go on with --resume, or throw it away with --restart"):
        made(photos, output)
    with pytest.raises(SettingsError) as caught:
        made(photos, output, resume=True, options={**OPTIONS, "epochs": 5})
    assert str(caught.value) == (
        f"the unfinished pre-training in {tmp_path / 'mine.onnx.run'} was another one: epochs differ; ask for the same again, "
        "or throw it away with --restart"
    )
    made(photos, output, restart=True)
    assert output.exists()


def test_few_images_are_told_and_too_few_refused(photos: Path, tmp_path: Path) -> None:
    told: list[str] = []
    some = Dataset.read(photos).subset(range(1, 9))
    options = {**OPTIONS, "epochs": 1}
    pretrain(some, output=tmp_path / "few.onnx", options=options, announce=told.append)
    assert told == [
        "8 images are very few: a pre-training on fewer than 50 will hardly help; a thousand or more is what it is for"
    ]
    with pytest.raises(TrainingError) as caught:
        pretrain(some.subset(range(7)), output=tmp_path / "none.onnx", options=options)
    assert caught.value.reason is Reason.TOO_FEW_IMAGES
    assert str(caught.value) == "7 images are too few to tell them apart from each other; 8 are the least"
    assert not list(tmp_path.glob("none*"))


def test_a_collapse_leaves_the_curves_and_nothing_to_go_on_with(photos: Path, tmp_path: Path) -> None:
    from PIL import Image

    for number in range(9):
        Image.new("RGB", (24, 24), (90, 90, 90)).save(tmp_path / f"{number}.png")
    with pytest.raises(TrainingError) as caught:
        made(tmp_path, tmp_path / "mine.onnx")
    assert caught.value.reason is Reason.COLLAPSED
    assert [path.name for path in sorted((tmp_path / "mine.onnx.run").iterdir())] == ["curves.svg", "history.csv"]
    assert not (tmp_path / "mine.onnx").exists()


def test_where_it_cannot_be_written_it_says_so_first(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a backbone is written to a file whose name ends in .onnx, got 'mine.pt'"):
        made(photos, Path("mine.pt"))
    with pytest.raises(DataError) as caught:
        made(photos, tmp_path / "gone" / "mine.onnx")
    assert caught.value.reason is Reason.WRITE_FAILED


def test_only_images_with_one_label_each_are_asked_for_neighbours(photos: Path) -> None:
    data = Dataset.read(photos)
    labelled = data.subset(data.labelled)
    seen = watched(data, 0)
    assert len(seen.rows) == 40
    assert seen.classes is not None
    assert np.array_equal(
        np.array([labelled.samples[0].labels == data.samples[row].labels for row in seen.rows]),
        seen.classes == seen.classes[0],
    )
    flat = watched(data.subset([0]), 0)
    assert flat.classes is None
