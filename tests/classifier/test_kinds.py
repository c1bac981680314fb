"""Heads and rejections of other kinds, and files that ways to train keep in the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tests.builders import write_folders

import tellapart as ta
from tellapart.classifier.enclosures import Enclosures
from tellapart.classifier.storage import load_enclosures
from tellapart.errors import ModelError
from tellapart.heads.ood import OodDetector


class NeverRejects(OodDetector):
    rejects: ClassVar[bool] = False


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ta.Classifier:
    parts = write_folders(tmp_path_factory.mktemp("parts"), {"a": 12, "b": 12})
    return ta.train(parts, golden=2)


@pytest.mark.parametrize(("entry", "sentence"), [
    ({"kind": "cubic"}, "unknown head 'cubic', known are: "),
    ({"rejection": "psychic"}, "the model tells unknown images by 'psychic', this tellapart knows "),
])  # fmt: skip
def test_a_kind_of_a_later_version_is_refused(
    model: ta.Classifier, tmp_path: Path, entry: dict[str, str], sentence: str
) -> None:
    model.with_card(head={**model.card.head, **entry}).save(tmp_path / "model")
    with pytest.raises(ModelError, match=rf"^{sentence}.*update tellapart$") as caught:
        ta.load(tmp_path / "model")
    assert caught.value.reason == "model_too_new"


def test_a_score_that_does_not_reject_leaves_the_answer(model: ta.Classifier) -> None:
    far = np.full((1, model.backbone.embedding_dim), 1e3, np.float32)
    assert model.answer(far).unknown.all()
    assert not model.answer(far).decisions.any()
    kept = {name: getattr(model.ood, name) for name in ("mean", "scale", "basis", "weight", "rest")}
    answers = replace(model, ood=NeverRejects(**kept)).answer(far)
    assert (answers.ood_scores >= 1).all()
    assert not answers.unknown.any()
    assert answers.decisions.any()


def test_further_files_survive_loading_and_saving(model: ta.Classifier, tmp_path: Path) -> None:
    others = {"classes.safetensors": b"1", "versions/1/model.json": b"2"}
    enclosed = model.enclosing(replace(model.enclosures, others=others))
    enclosed.save(tmp_path / "one")
    ta.load(tmp_path / "one").save(tmp_path / "two.zip")
    found = load_enclosures(tmp_path / "two.zip")
    assert found.others == others
    assert len(found.golden) == 2
    assert Enclosures.from_files(found.files()).files() == found.files()
