"""What tells unknown images, from the recipe to the model folder and its export."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import write_folders

import tellapart as ta
from tellapart.errors import SettingsError
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.export import export
from tellapart.workflows.verify import verify


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("parts"), dict.fromkeys("abcde", 14), side=24)


def test_a_training_chooses_by_classes_left_out(parts: Path) -> None:
    model = ta.train(parts, golden=0)
    told = model.card.head["rejection_choice"]
    assert told["classes_held_out"] == 5
    assert set(told["auroc"]) == {"mahalanobis", "class_distance", "relative_distance", "energy"}
    assert model.card.head["rejection"] == model.ood.kind
    assert any(line.startswith(f"unknowns    told by {model.ood.kind}: ") for line in model.card.training["summary"])


@pytest.mark.parametrize("kind", ["class_distance", "relative_distance", "energy"])
def test_a_named_kind_is_kept_and_exported(parts: Path, tmp_path: Path, kind: str) -> None:
    ta.train(parts, output=tmp_path / "model", rejection=kind, unknown_share=0.05, golden=5)
    model = ta.load(tmp_path / "model")
    assert (model.ood.kind, model.card.head["rejection"], model.card.head["unknown_share"]) == (kind, kind, 0.05)
    assert "rejection_choice" not in model.card.head
    assert verify(tmp_path / "model").max_difference < 1e-4
    assert export(tmp_path / "model", tmp_path / "model.onnx").max_difference < 1e-5


def test_a_class_that_is_added_leaves_the_kind_as_it_is(parts: Path, tmp_path: Path) -> None:
    ta.train(parts, output=tmp_path / "model", method="dynamic", rejection="energy", unknown_share=0.05, golden=0)
    add_classes(tmp_path / "model", write_folders(tmp_path / "more", {"a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "f": 8}))
    model = ta.load(tmp_path / "model")
    assert "f" in model.labels
    assert (model.ood.kind, model.card.head["rejection"], model.card.head["unknown_share"]) == (
        "energy",
        "energy",
        0.05,
    )
    assert model.ood.arrays().keys() == {"ood_range"}


def test_faults_of_the_recipe_are_said(parts: Path) -> None:
    with pytest.raises(SettingsError, match=r"rejection is 'auto', 'mahalanobis', .* got 'psychic'"):
        ta.train(parts, rejection="psychic")
    with pytest.raises(SettingsError, match=r"unknown_share is a number above 0 and at most 0\.5, got 0\.7"):
        ta.train(parts, unknown_share=0.7)
    with pytest.raises(SettingsError, match=r"rejection works with the method 'probe', .* not 'finetune'"):
        ta.train(parts, method="finetune", rejection="energy")
