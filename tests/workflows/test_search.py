"""A search tries ways to train on the validation images, survives its interruptions, and trains by what it found."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tests.builders import write_folders

import tellapart as ta
from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_file import differences, read_recipe
from tellapart.workflows.search import SearchInterrupted
from tellapart.workflows.train import train

pytest.importorskip("torch")
pytest.importorskip("optuna")

HEADS = read_recipe(changes=["method=probe", "size=64"])
LENET = read_recipe(
    changes=[
        "method=finetune",
        "backbone=lenet",
        "start=scratch",
        "size=32",
        "epochs=2",
        "batch_size=8",
        "preset=light",
    ]
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("data") / "parts", {"bad": 14, "good": 14, "odd": 14}, side=32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embeddings")


def searched(data: Path, cache: Path, recipe: Recipe, **options: Any) -> ta.Classifier:
    return train(data, recipe=recipe, golden=1, cache_dir=cache, **options)


def told(model: ta.Classifier) -> list[dict[str, Any]]:
    """The trials without what changes from run to run."""
    return [
        {name: value for name, value in one.items() if name != "seconds"}
        for one in model.card.training["search"]["trials"]
    ]


def test_heads_are_tried_until_all_there_is_was_tried(parts: Path, cache: Path, tmp_path: Path) -> None:
    model = searched(parts, cache, HEADS, search=20, output=tmp_path / "model")
    facts = model.card.training["search"]
    assert [(one["number"], one["differs"], one["ended"]) for one in facts["trials"]] == [
        (0, "–", "complete"),
        (1, "class_weight none", "complete"),
    ]
    assert facts["metric"] == "f1_macro"
    assert facts["n"] == model.card.training["splits"]["val"]
    assert any(line.startswith("search      2 trials in ") for line in model.card.training["summary"])
    assert any(line.startswith("taken       Trial ") for line in model.card.training["summary"])
    report = (tmp_path / "model/report.html").read_text(encoding="utf-8")
    assert report.count('<section id="search"') == 1
    left = sorted(path.name for path in (tmp_path / "model.run/search").iterdir())
    assert left == [
        "answers", "best.yaml", "finished", "journal.log", "search.json", "search.svg", "taken.yaml", "trials.csv",
    ]  # fmt: skip


def test_networks_are_tried_and_the_best_is_trained_again(parts: Path, cache: Path, tmp_path: Path) -> None:
    model = searched(parts, cache, LENET, search=2, output=tmp_path / "model")
    facts = model.card.training["search"]
    assert len(facts["trials"]) == 2
    assert {one["method"] for one in facts["trials"]} == {"finetune"}
    assert model.backbone.name == "lenet, trained from scratch"
    assert list(model.card.training["comparison"]["names"]) == ["the frozen probe", "fine-tuning"]
    with (tmp_path / "model.run/search/trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["taken"] for row in rows].index("1") == facts["chosen"]
    taken = read_recipe(tmp_path / "model.run/search/taken.yaml")
    assert (taken.backbone, taken.finetune.epochs) == ("lenet", 2)
    assert model.card.training["recipe"]["finetune"] == differences(taken)["finetune"]


def test_an_interrupted_search_goes_on_and_tries_the_same(parts: Path, cache: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("trial 2") and "training the network" in stage and done > 0.6 * total:
            raise KeyboardInterrupt

    whole = searched(parts, cache, LENET, search=2, output=tmp_path / "whole")
    broken = tmp_path / "broken"
    with pytest.raises(SearchInterrupted) as ended:
        searched(parts, cache, LENET, search=2, output=broken, progress=stop)
    assert [one.number for one in ended.value.searched.trials] == [0]
    assert not broken.exists()
    with pytest.raises(SettingsError) as caught:
        searched(parts, cache, LENET, search=2, output=broken)
    assert str(caught.value) == (
        f"an unfinished search lies in {tmp_path / 'broken.run/search'}: go on with --resume, or throw it away with --restart"
    )
    mended = searched(parts, cache, LENET, search=2, output=broken, resume=True)
    assert told(mended) == told(whole)
    assert mended.evaluation is not None
    assert whole.evaluation is not None
    assert mended.evaluation.metrics == whole.evaluation.metrics


def test_the_training_after_the_search_goes_on_too(parts: Path, cache: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if stage == "training the network" and done > 0.6 * total:
            raise KeyboardInterrupt

    stages: list[str] = []
    with pytest.raises(KeyboardInterrupt) as ended:
        searched(parts, cache, LENET, search=1, output=tmp_path / "model", progress=stop)
    assert not isinstance(ended.value, SearchInterrupted)
    model = searched(
        parts,
        cache,
        LENET,
        search=1,
        output=tmp_path / "model",
        resume=True,
        progress=lambda *step: stages.append(step[0]),
    )
    assert [one["number"] for one in told(model)] == [0]
    steps = stages.count("trial 1 of 1: training the network")
    assert stages.count("training the network") == steps + 1  # the last step was taken, but no epoch was whole after it
    assert not (tmp_path / "model.run/job").exists()


def test_more_trials_are_added_to_a_finished_search(parts: Path, cache: Path, tmp_path: Path) -> None:
    few = searched(parts, cache, HEADS, search=1, output=tmp_path / "model")
    more = searched(parts, cache, HEADS, search=2, output=tmp_path / "model", resume=True)
    assert told(more)[:1] == told(few)
    assert len(told(more)) == 2


def test_a_trial_that_fails_is_written_down(
    parts: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.workflows import search_trials

    def fit(self: Any, number: int, *rest: Any) -> Any:
        if number == 0:
            raise RuntimeError("no memory\nleft")
        return whole(self, number, *rest)

    whole = search_trials.Trials.run
    monkeypatch.setattr(search_trials.Trials, "run", fit)
    model = searched(parts, cache, HEADS, search=2)
    first, second = told(model)
    assert (first["ended"], first["why"], first["score"]) == ("failed", "no memory left", None)
    assert second["ended"] == "complete"
    assert model.card.training["search"]["chosen"] == 1


def test_a_search_in_which_all_fails_ends_with_the_first_fault(
    parts: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.workflows import search_trials

    tried: list[int] = []

    def run(self: Any, number: int, *rest: Any) -> Any:
        tried.append(number)
        raise RuntimeError("no memory left")

    monkeypatch.setattr(search_trials.Trials, "run", run)
    with pytest.raises(TrainingError) as caught:
        searched(parts, cache, read_recipe(changes=["method=probe"]), search_minutes=5)
    assert str(caught.value) == "not one trial went to its end; the first: no memory left"
    assert caught.value.reason is Reason.SEARCH_FAILED
    assert tried == [0, 1, 2, 3, 4]


def test_a_bad_trial_is_given_up_early(parts: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.workflows import search_trials

    def run(self: search_trials.Trials, number: int, recipe: Recipe, on_epoch: Any, progress: Any) -> Any:
        for epoch in range(1, 21):
            on_epoch(epoch, 0.1 if number == 2 else 0.8)
            epochs[number] = epoch
        return whole(self, number, recipe, on_epoch, progress)

    epochs: dict[int, int] = {}
    whole = search_trials.Trials.run
    monkeypatch.setattr(search_trials.Trials, "run", run)
    model = searched(parts, cache, read_recipe(changes=["method=probe"]), search=4)
    assert epochs == {0: 20, 1: 20, 2: 3, 3: 20}
    bad = told(model)[2]
    assert (bad["ended"], bad["why"]) == ("pruned", "after epoch 4 it was behind half of the trainings before")
    assert (bad["score"]["value"], bad["score"]["low"]) == (0.1, None)


def test_no_test_image_is_asked_for_in_a_trial(parts: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.workflows import search_trials

    asked: list[int] = []
    whole = search_trials.Trials.run

    def run(self: search_trials.Trials, *rest: Any) -> Any:
        outcome = whole(self, *rest)
        asked.append(len(outcome.answers))
        assert not (self.roles.judges & (self.roles.validates | self.roles.learns)).any()
        return outcome

    monkeypatch.setattr(search_trials.Trials, "run", run)
    model = searched(parts, cache, HEADS, search=2)
    assert asked == [model.card.training["splits"]["val"]] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": 0}, "a search makes one trial or more, got 0"),
        ({"search_minutes": 0.0}, "a search takes more than 0 minutes, got 0"),
        ({"search": 2, "resume": True}, "an unfinished search can be resumed or restarted where an output is named"),
        (
            {"search": 2, "method": "few-shot"},
            "a search tries the methods 'probe', 'finetune' and 'hog', not 'few-shot': leave out --search",
        ),
    ],
)
def test_what_cannot_be_searched_is_said(parts: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        train(parts, **options)
    assert (caught.value.reason, str(caught.value)) == (Reason.BAD_SETTING, message)


def test_there_must_be_a_search_to_go_on_with(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        train(parts, search=2, resume=True, output=tmp_path / "model")
    assert str(caught.value) == (
        f"there is no search in {tmp_path / 'model.run/search'} to go on with; leave out --resume"
    )


def test_other_data_are_refused(parts: Path, cache: Path, tmp_path: Path) -> None:
    searched(parts, cache, HEADS, search=1, output=tmp_path / "model")
    other = write_folders(tmp_path / "other", {"bad": 12, "good": 12}, side=32)
    (tmp_path / "model.run").rename(tmp_path / "second.run")
    with pytest.raises(SettingsError) as caught:
        searched(other, cache, HEADS, search=2, output=tmp_path / "second", resume=True)
    assert str(caught.value) == (
        f"the search in {tmp_path / 'second.run/search'} was another one: its data differed. Ask for the same again, or begin "
        "anew with --restart"
    )


def test_two_classes_and_the_time_budget(cache: Path, tmp_path: Path) -> None:
    data = write_folders(tmp_path / "two", {"bad": 12, "good": 12}, side=32)
    model = searched(data, cache, HEADS, search_minutes=1e-4)
    assert len(told(model)) == 1
    assert json.loads(json.dumps(model.card.training["search"])) == model.card.training["search"]
