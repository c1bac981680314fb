"""A search remembers what it tried, whatever ends it, and gives up what is worse than the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("optuna")

from tellapart.errors import Reason, SettingsError
from tellapart.records import Task
from tellapart.settings.recipe import Recipe
from tellapart.training.search.space import Around, default_space
from tellapart.training.search.study import Pruned, Study, Trial

AROUND = Around(Task.MULTICLASS, "builtin", (64, 96), ("builtin",), ("builtin",), rate=2e-4)
EPOCHS = 5
PLAIN = Recipe()


def opened(folder: Path, around: Around = AROUND, base: Recipe = PLAIN, data: str = "these", seed: int = 3) -> Study:
    return Study(folder, default_space(base, around), about={"data": data}, seed=seed, epochs=EPOCHS)


def worth(trial: Trial) -> float:
    """A score that follows from what is tried: low rates are better."""
    rate = trial.chosen.get(("finetune", "optimizer", "lr"))
    return 0.5 if rate is None else 0.9 - float(rate) * 400


def tried(study: Study, count: int) -> None:
    while len(study.rows()) < count:
        trial = study.next()
        assert trial is not None
        study.complete(trial, worth(trial), {"tried": sorted(map(str, trial.chosen.values()))}, np.ones((2, 3)))


def test_interrupted_searches_try_the_same_as_others(tmp_path: Path) -> None:
    tried(opened(tmp_path / "whole"), 9)
    for count in (1, 5, 9):
        broken = opened(tmp_path / "broken")
        tried(broken, count)
        broken.next()  # and the process ends here
    assert opened(tmp_path / "broken").rows() == [
        {**row, "starts": mended["starts"]}
        for row, mended in zip(opened(tmp_path / "whole").rows(), opened(tmp_path / "broken").rows(), strict=True)
    ]


def test_what_was_under_way_is_gone_on_with(tmp_path: Path) -> None:
    tried(opened(tmp_path), 3)
    first = opened(tmp_path).next()
    again = opened(tmp_path).next()
    assert first is not None
    assert again is not None
    assert (first.number, first.chosen) == (again.number, again.chosen) == (3, first.chosen)


def test_a_trial_that_ends_its_process_is_given_up(tmp_path: Path) -> None:
    tried(opened(tmp_path), 2)
    for _ in range(3):
        trial = opened(tmp_path).next()
        assert trial is not None
        assert trial.number == 2
    study = opened(tmp_path)
    trial = study.next()
    assert trial is not None
    assert trial.number == 3
    assert study.rows()[-1]["why"] == "its process was ended 3 times while it was under way"


def test_half_a_line_at_the_end_is_forgotten(tmp_path: Path) -> None:
    tried(opened(tmp_path), 3)
    before = opened(tmp_path).rows()
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(b'{"op_code": 5, "worker')
    (tmp_path / "journal.log.lock").touch()
    assert opened(tmp_path).rows() == before
    tried(opened(tmp_path), 4)


def test_a_training_behind_the_others_is_given_up(tmp_path: Path) -> None:
    study = opened(tmp_path, base=Recipe(method="finetune"))
    for number in range(3):
        trial = trained(study, [0.3, 0.5, 0.6, 0.7, 0.8])
        assert trial.number == number
        study.complete(trial, 0.8, {}, np.ones((2, 3)))
    with pytest.raises(Pruned) as caught:
        trained(study, [0.1, 0.1, 0.1, 0.1, 0.1])
    assert str(caught.value) == "after epoch 2 it was behind half of the trainings before"
    again = opened(tmp_path, base=Recipe(method="finetune"))
    trial = again.next()
    assert trial is not None
    again.prune(trial, str(caught.value), {"seconds": 1.0})
    assert [row["state"] for row in again.rows()] == ["COMPLETE"] * 3 + ["PRUNED"]
    assert (again.rows()[-1]["score"], again.rows()[-1]["seconds"]) == (0.1, 1.0)


def trained(study: Study, metrics: list[float]) -> Trial:
    trial = study.next()
    assert trial is not None
    for epoch, metric in enumerate(metrics, 1):
        trial.report(epoch, metric)
    return trial


def test_a_failure_is_written_down_and_the_search_goes_on(tmp_path: Path) -> None:
    study = opened(tmp_path)
    trial = study.next()
    assert trial is not None
    study.fail(trial, "out of memory", {"seconds": 2.0})
    tried(study, 2)
    first = study.rows()[0]
    assert (first["state"], first["why"], first["score"]) == ("FAIL", "out of memory", None)


def test_a_good_method_with_few_ways_does_not_end_the_search(tmp_path: Path) -> None:
    few = Around(Task.MULTICLASS, "builtin", (), ("builtin",), ("builtin",), rate=2e-4)
    study = opened(tmp_path, few)
    for _ in range(16):
        trial = study.next()
        assert trial is not None
        method = trial.chosen["method",]
        study.complete(trial, 0.9 if method == "probe" else 0.1, {"method": method}, np.ones((2, 3)))
    methods = [row["method"] for row in study.rows()]
    assert (methods.count("probe"), methods.count("finetune")) == (2, 14)


def test_it_ends_when_all_there_is_was_tried(tmp_path: Path) -> None:
    few = Around(Task.BINARY, "builtin", (64,), ("builtin",))
    study = opened(tmp_path, few)
    seen: list[Any] = []
    while (trial := study.next()) is not None:
        seen.append(tuple(trial.chosen.values()))
        study.complete(trial, 0.5, {}, np.ones((2, 2)))
    assert sorted(map(str, seen)) == sorted(map(str, [(s, w) for s in (None, 64) for w in ("balanced", "none")]))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"data": "those"}, "data"),
        ({"seed": 4}, "seed"),
        ({"base": Recipe(size=64)}, "space"),
        ({"data": "those", "seed": 4}, "data and seed"),
    ],
)
def test_another_search_is_refused(tmp_path: Path, other: dict[str, Any], named: str) -> None:
    opened(tmp_path)
    with pytest.raises(SettingsError) as caught:
        opened(tmp_path, **other)
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        f"the search in {tmp_path} was another one: its {named} differed. Ask for the same again, or begin anew with --restart"
    )


def test_a_space_is_what_it_was(tmp_path: Path) -> None:
    assert default_space(PLAIN, AROUND).told()[0] == "method of ['probe', 'finetune']"
