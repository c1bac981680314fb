"""Earlier versions answer again exactly as they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.workflows.classes.models import dynamic_model, more_images, photos
from tests.workflows.classes.test_changes import assert_as_one_fit, assert_whole, statistics_of

from tellapart.classifier.storage import load, load_enclosures
from tellapart.errors import Reason, SettingsError
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.classes.listing import class_history, list_classes
from tellapart.workflows.classes.live import opened
from tellapart.workflows.classes.merge import merge_classes
from tellapart.workflows.classes.rename import rename_class
from tellapart.workflows.classes.retire import retire_class
from tellapart.workflows.classes.rows import Rows
from tellapart.workflows.classes.undo import undo_change


def answers(model: Path) -> list[list[float]]:
    images = [str(path) for path in sorted(photos().rglob("*.png"))]
    return [one.probabilities.tolist() for one in load(model).predict(images)]


def table(model: Path) -> list[tuple[object, ...]]:
    rows = Rows.read(load_enclosures(model).reference).table
    return sorted(rows.select("row", "id", "split", "group").rows())


def test_undo_restores_answers_id_statistics_and_images(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    before = (answers(model), load(model).card.model_id, table(model), load_enclosures(model).report)
    statistics = statistics_of(model)
    retire_class(model, "green")
    change = undo_change(model)
    assert (answers(model), load(model).card.model_id, table(model), load_enclosures(model).report) == before
    assert (statistics_of(model).scatter == statistics.scatter).all()
    assert (change.version, change.arguments) == (3, {"to": 1})
    assert load(model).card.training["version"] == 3
    assert opened(model).history.latest.mapping == {0: (0,), 2: (2,)}
    assert_whole(model)
    assert_as_one_fit(model)


def test_a_change_after_an_undo_goes_on_from_there(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    add_classes(model, more_images(tmp_path / "new", {"pink": (4, 6)}))
    undo_change(model)
    retire_class(model, "green")
    undo_change(model)
    add_classes(model, tmp_path / "new")
    assert [(label.id, label.name) for label in load(model).schema.labels][-1] == (4, "pink")
    assert_as_one_fit(model)
    assert_whole(model)


def test_undo_goes_back_step_by_step_and_to_any_kept_version(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    ids = [load(model).card.model_id]
    for new in ("one", "two"):
        rename_class(model, load(model).labels[0], new)
        ids.append(load(model).card.model_id)
    merge_classes(model, ["green", "red"], "warm")
    ids.append(load(model).card.model_id)
    assert undo_change(model).model_id == ids[2]
    assert undo_change(model).model_id == ids[1]
    assert undo_change(model).model_id == ids[0]
    with pytest.raises(SettingsError) as caught:
        undo_change(model)
    assert str(caught.value) == f"no change of {model} is left to undo; `tellapart classes history` shows them all"
    assert undo_change(model, to=4).model_id == ids[3]
    assert_whole(model)


def test_the_last_five_versions_are_kept_and_older_ones_refused(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    for number in range(7):
        rename_class(model, load(model).labels[0], f"name-{number}")
    found = class_history(model)
    assert [entry.version for entry in found.entries] == list(range(1, 9))
    assert found.kept == (3, 4, 5, 6, 7)
    with pytest.raises(SettingsError) as caught:
        undo_change(model, to=2)
    assert caught.value.reason is Reason.UNKNOWN_NAME
    assert str(caught.value) == (
        "version 2 is not kept any more, so it cannot be brought back; kept are: 3, 4, 5, 6, 7"
    )
    assert_whole(model)


def test_what_versions_share_is_kept_once(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    rename_class(model, "red", "crimson")
    rename_class(model, "blue", "navy")
    kept = {path.relative_to(model).as_posix() for path in (model / "versions").rglob("*") if path.is_file()}
    assert "versions/1/head.safetensors" not in kept
    assert "versions/1/classes.safetensors" not in kept
    retire_class(model, "green")
    kept = {path.relative_to(model).as_posix() for path in (model / "versions").rglob("*") if path.is_file()}
    assert [name for name in sorted(kept) if name.endswith("head.safetensors")] == ["versions/1/head.safetensors"]
    before = load(model).labels
    assert undo_change(model, to=1).labels == ("blue", "green", "red")
    assert undo_change(model, to=4).labels == before == ("navy", "crimson")
    assert_whole(model)


def test_images_that_left_come_back_with_their_vectors(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    vectors = opened(model).rows.embeddings
    retire_class(model, "green")
    rename_class(model, "red", "crimson")
    assert opened(model).rows.embeddings.shape[0] == 24
    assert (model / "versions" / "gone.parquet").is_file()
    undo_change(model, to=1)
    assert np.array_equal(opened(model).rows.embeddings, vectors)


def test_vectors_that_made_room_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dynamic_model(tmp_path)
    first = opened(model).rows
    monkeypatch.setattr("tellapart.workflows.reference.MAX_VECTORS", 36)
    add_classes(model, more_images(tmp_path / "new", {"pink": (4, 16)}))
    second = opened(model).rows
    assert (len(first), len(second)) == (36, 52)
    assert second.has_vector.sum() == 36
    retire_class(model, "blue")
    undo_change(model, to=1)
    assert np.array_equal(opened(model).rows.embeddings, first.embeddings)
    assert_as_one_fit(model)
    undo_change(model, to=2)
    assert opened(model).rows.table.select("row", "embedding").equals(second.table.select("row", "embedding"))
    assert_whole(model)


def test_all_of_the_last_changes_can_be_undone_one_after_the_other(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    for name in ("b", "c", "d", "e"):
        rename_class(model, load(model).labels[0], name)
    firsts = [undo_change(model).labels[0] for _ in range(4)]
    assert firsts == ["d", "c", "b", "blue"]
    assert class_history(model).kept == (1, 2, 3, 4, 5, 6, 7, 8)
    assert_whole(model)


def test_images_that_left_are_forgotten_with_the_last_version_that_had_them(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    retire_class(model, "green")
    for number in range(5):
        assert (model / "versions" / "gone.parquet").is_file()
        rename_class(model, load(model).labels[0], f"name-{number}")
    assert not (model / "versions" / "gone.parquet").exists()
    assert opened(model).rows.gone.height == 12


def test_the_list_says_since_when_and_how_good(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    add_classes(model, more_images(tmp_path / "new", {"pink": (4, 6)}))
    found = list_classes(model)
    assert [(one.id, one.name, one.images, one.since) for one in found.classes] == [
        (0, "blue", 12, 1),
        (1, "green", 12, 1),
        (2, "red", 12, 1),
        (3, "pink", 6, 2),
    ]
    assert (found.version, found.dynamic) == (2, True)
    pink = found.classes[3]
    assert pink.held_out == 6
    assert pink.recall is not None
    assert pink.recall.value is not None
    assert 0 <= pink.recall.value <= 1
    assert found.judged_on == load(model).card.training["judged_on"]
    assert "6 images of 'pink' in held-out folds" in found.judged_on
