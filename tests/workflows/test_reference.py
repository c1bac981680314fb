"""The reference keeps every image's split and a bounded number of vectors."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import write_folders

import tellapart as ta
from tellapart.workflows import reference
from tellapart.workflows.train import train


def test_beyond_the_limit_images_keep_everything_but_their_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "MAX_VECTORS", 10)
    write_folders(tmp_path / "parts", {"a": 12, "b": 12})
    model = train(tmp_path / "parts", golden=0)
    table = pl.read_parquet(io.BytesIO(model.enclosures.reference))
    assert len(table) == 24
    assert table["embedding"].is_not_null().sum() == 10
    assert table["split"].is_not_null().all()
    assert model.backbone.embedding_dim == len(table["embedding"].drop_nulls()[0])


def test_a_leaking_split_is_not_kept(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"a": 12, "b": 12})
    for split, kept in (("random", 0), ("random", 0), ("grouped", 0), ("grouped", 24)):
        model = ta.train(tmp_path / "parts", output=tmp_path / "model", split=split, golden=0)
        told = [line for line in model.card.training["summary"] if line.startswith("kept")]
        assert told == (
            [f"kept        {kept:,} images stay in the split they had in the earlier model"] if kept else []
        )


def splits_of(model: ta.Classifier) -> dict[str, str]:
    return reference.read_splits(model.enclosures.reference)


def test_images_stay_in_their_split_whatever_happens_to_the_rest_of_the_model(tmp_path: Path) -> None:
    parts = write_folders(tmp_path / "parts", {"a": 30, "b": 30})
    before = splits_of(ta.train(parts, output=tmp_path / "model", golden=0))
    (tmp_path / "model" / "report.html").write_text("edited by hand")
    after = splits_of(ta.train(parts, output=tmp_path / "model", golden=0, seed=7))
    assert after == before


def test_images_that_were_away_come_back_to_their_split(tmp_path: Path) -> None:
    parts = write_folders(tmp_path / "parts", {"a": 30, "b": 30})
    before = splits_of(ta.train(parts, output=tmp_path / "model", golden=0))
    away = {file: file.read_bytes() for file in sorted((parts / "a").iterdir())[::3]}
    for file in away:
        file.unlink()
    ta.train(parts, output=tmp_path / "model", golden=0)
    for file, data in away.items():
        file.write_bytes(data)
    assert splits_of(ta.train(parts, output=tmp_path / "model", golden=0, seed=3)) == before


def test_a_random_split_never_replaces_one_worth_keeping(tmp_path: Path) -> None:
    parts = write_folders(tmp_path / "parts", {"a": 12, "b": 12})
    ta.train(parts, output=tmp_path / "model", golden=0)
    with pytest.raises(ta.SettingsError) as caught:
        ta.train(parts, output=tmp_path / "model", split="random", golden=0)
    assert str(caught.value) == (
        f"a random split would make {tmp_path / 'model'} forget which images it never trained on; "
        "name another output for the comparison"
    )


def test_judging_on_training_images_is_told_and_the_test_split_is_known(tmp_path: Path) -> None:
    parts = write_folders(tmp_path / "parts", {"a": 30, "b": 30})
    model = ta.train(parts, output=tmp_path / "model", golden=0)
    n_test = sum(split == "test" for split in splits_of(model).values())
    whole = ta.evaluate(tmp_path / "model", parts)
    assert [note for note in whole.notes() if note.startswith("warning")] == [
        f"warning     the model was trained on {60 - n_test} of these 60 images: "
        "the figures are too good; take --split test, or images it has not seen"
    ]
    held_back = ta.evaluate(tmp_path / "model", parts, split="test")
    assert held_back.n_trained_on == 0
    assert held_back.evaluation.n == n_test
    assert model.evaluation is not None
    assert held_back.evaluation.metrics["accuracy"].value == model.evaluation.metrics["accuracy"].value


@given(st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from("abc")), unique_by=lambda one: one[0], min_size=1))
def test_what_is_remembered_does_not_depend_on_how_images_arrived(images: list[tuple[int, str]]) -> None:
    room = 7

    def remembered(some: list[tuple[int, str]]) -> set[tuple[int, str]]:
        chosen = reference.remembered_rows([f"{one:x}".zfill(12) for one, _ in some], [(of,) for _, of in some], 1)
        return {one for one, yes in zip(some, chosen, strict=True) if yes}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "MAX_VECTORS", room)
        whole = remembered(images)
        half = len(images) // 2
        assert remembered([*remembered(images[:half]), *images[half:]] if half else images) == whole
        assert remembered(images[::-1]) == whole
    assert len(whole) == min(room, len(images))
    assert {of for _, of in whole} == {of for _, of in images}


def test_long_vectors_are_fewer() -> None:
    ids, labels = [f"{i:04}" for i in range(400)], [("a",)] * 400
    assert reference.remembered_rows(ids, labels, 102_400).sum() == 100
