"""What `train` does about labels that are probably wrong: only those fitted on, told on the card and in the summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import quick_train
from tests.contracts.hygiene.evidence import samples

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, SettingsError
from tellapart.training.label_noise import Doubted, LabelNoise
from tellapart.workflows.noise_facts import noise_facts, noise_line, shown

FOUR = Dataset.from_samples(samples(4))


def doubts(how: LabelNoise, *weights: Any) -> Doubted:
    values = np.array(weights, float)
    return Doubted(how, values, np.zeros(len(values), bool), 0.02)


def test_sentences_of_the_summary() -> None:
    assert noise_line(None, FOUR) == ""
    assert noise_line(doubts("drop", 1, 1, 0, 1), FOUR) == (
        "1 of 4 images left out of the fit, as their labels are probably wrong, such as bad/00002.png labelled 'bad'"
    )
    assert noise_line(doubts("drop", 1, 1, 1, 1), FOUR) == "nothing says that any of 4 labels is wrong, so all count"
    assert noise_line(doubts("downweight", 0.4, 0.2, 0.9, 1), FOUR) == (
        "2 of 4 images count less than half, as a model doubts their labels, such as good/00001.png labelled 'good'"
    )
    assert noise_line(doubts("downweight", 0.6, 1, 0.9, 1), FOUR) == (
        "all of 4 labels are believed, so all count at least half"
    )
    assert noise_line(doubts("drop", [1, 1], [0, 1], [1, 1], [1, 1]), FOUR) == (
        "1 of 4 images have labels that are left out of the fit, as they are probably wrong, such as good/00001.png "
        "labelled 'good'"
    )


def test_facts_of_the_card() -> None:
    assert noise_facts("keep", None, FOUR) == {"how": "keep"}
    facts = noise_facts("downweight", doubts("downweight", 0.4, 0.2, 0.9, 1), FOUR)
    assert facts == {
        "how": "downweight",
        "of": 4,
        "probably_wrong": 0,
        "share_of_wrong_labels": 0.02,
        "left_out": 0,
        "count_less_than_half": 2,
        "images": [{"uri": "good/00001.png", "weight": 0.2}, {"uri": "bad/00000.png", "weight": 0.4}],
    }
    assert shown(facts)["the_least_believed"] == ["good/00001.png", "bad/00000.png"]
    assert "images" not in shown(facts)


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """Three classes that are easily told apart, and six images of the first under the last."""
    root = write_folders(tmp_path / "parts", {"a": 40, "b": 40, "c": 40})
    for number in range(6):
        (root / "c" / f"wrong{number}.png").write_bytes(png_bytes(class_picture(0, 900 + number)))
    return root


def test_training_says_which_labels_it_doubts(spoiled: Path, tmp_path: Path) -> None:
    trained = quick_train(spoiled, label_noise="downweight", output=tmp_path / "model")
    card = json.loads((tmp_path / "model" / "model.json").read_bytes())
    noise = card["training"]["label_noise"]
    assert card["head"]["label_noise"] == noise["how"] == "downweight"
    doubted = {Path(one["uri"]).name for one in noise["images"]}
    assert doubted
    assert all(name.startswith("wrong") for name in doubted)
    assert noise["count_less_than_half"] == len(doubted)
    (line,) = (line for line in trained.card.training["summary"] if line.startswith("labels"))
    assert line.startswith(f"labels      {len(doubted)} of ")
    assert "count less than half, as a model doubts their labels" in (tmp_path / "model" / "report.html").read_text()


def test_the_test_split_is_judged_as_it_is_labelled(spoiled: Path) -> None:
    kept, lowered = (quick_train(spoiled, label_noise=how, name="m") for how in ("keep", "downweight"))
    assert kept.evaluation is not None
    assert lowered.evaluation is not None
    assert kept.evaluation.n == lowered.evaluation.n
    assert kept.card.training["splits"] == lowered.card.training["splits"]
    noise = lowered.card.training["label_noise"]
    assert noise["of"] == sum(n for split, n in lowered.card.training["splits"].items() if split != "test")
    doubted = {one["uri"] for one in noise["images"]}
    assert doubted
    assert not doubted & {case.uri for case in lowered.evaluation.cases.mistakes}


def test_keeping_is_the_default(spoiled: Path) -> None:
    trained = quick_train(spoiled)
    assert trained.card.training["label_noise"] == {"how": "keep"}
    assert not any(line.startswith("labels") for line in trained.card.training["summary"])


def test_other_words_are_refused_before_anything_is_read() -> None:
    with pytest.raises(SettingsError) as caught:
        ta.train("no/such/data", label_noise="maybe")
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "the options cannot be used: label_noise is 'keep', 'drop' or 'downweight', got 'maybe'"
    )
