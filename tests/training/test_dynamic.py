"""A dynamic head is tuned on images it has not seen, also when all it has left of most is their statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import Reason, TellapartError
from tellapart.heads.aims import Aim
from tellapart.records import LabelSchema, Task
from tellapart.training.cross_fit import CrossFit
from tellapart.training.dynamic import Remembered, dynamic_probe, refit, statistics_of
from tellapart.training.linear_probe import Probe, ProbeOptions

SCHEMA = LabelSchema.from_names("abcd", task=Task.MULTICLASS)
OPTIONS = ProbeOptions(Aim.parse("best_f1"))
D = 24


def images(n: int, seed: int = 0, apart: float = 0.8) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    mixing, means = np.random.default_rng(7).normal(size=(D, D)), np.random.default_rng(8).normal(size=(4, D)) * apart
    y = np.arange(n) % 4
    return ((rng.normal(size=(n, D)) + means[y]) @ mixing).astype(np.float32), y


def trained(x: NDArray[Any], y: NDArray[Any], groups: NDArray[Any] | None = None, **options: Any) -> Probe:
    labels = np.eye(4, dtype=np.uint8)[y]
    asked = ProbeOptions(Aim.parse("best_f1"), **options)
    return dynamic_probe(x, labels, np.arange(len(x)) if groups is None else groups, SCHEMA, asked)


def remembered(x: NDArray[Any], y: NDArray[Any], splits: tuple[str, ...] | None = None) -> Remembered:
    return Remembered(x, y, np.arange(len(x)), splits or ("train",) * len(x))


def right(p: NDArray[Any], y: NDArray[Any]) -> float:
    return float((p.argmax(axis=1) == y).mean())


def test_what_it_says_of_itself_holds_for_new_images() -> None:
    x, y = images(400)
    probe = trained(x, y)
    new, truth = images(4_000, seed=1)
    p = probe.head.probabilities(new)
    assert right(p, truth) > 0.9
    assert probe.usable.all()
    assert probe.n_folds == 5
    assert right(probe.probabilities, y) == pytest.approx(right(p, truth), abs=0.05)
    assert p.max(axis=1).mean() == pytest.approx(right(p, truth), abs=0.04)
    assert (probe.ood.score(new) >= 1).mean() < 0.08


def test_noise_is_not_learned_by_heart() -> None:
    """The copies of an image are left out with it."""
    rng = np.random.default_rng(0)
    things = np.repeat(np.arange(60), 4)
    x, y = rng.normal(size=(60, D)).astype(np.float32)[things], (np.arange(60) % 4)[things]
    assert right(trained(x, y, things).probabilities, y) < 0.35
    assert right(trained(x, y).probabilities, y) > 0.5


def test_the_head_is_that_of_the_statistics_alone() -> None:
    """Whatever is remembered of the images changes how answers are tuned, not the scores."""
    x, y = images(400)
    whole = trained(x, y)
    some = refit(statistics_of(x, y, SCHEMA), remembered(x[:80], y[:80]), SCHEMA, OPTIONS)
    np.testing.assert_allclose(some.head.logits(x), whole.head.logits(x), rtol=1e-4, atol=1e-3)
    assert some.probabilities.shape == (80, 4)
    assert right(some.probabilities, y[:80]) > 0.85
    temperatures = [probe.head.calibration.temperature[0] for probe in (some, whole)]
    assert temperatures[0] == pytest.approx(temperatures[1], rel=0.4)


def test_remembered_images_are_answered_without_them() -> None:
    """Random labels: a head that had seen the image would know its own."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, D)).astype(np.float32), rng.permutation(60) % 4
    probe = refit(statistics_of(x, y, SCHEMA), remembered(x[:40], y[:40]), SCHEMA, OPTIONS)
    assert right(probe.probabilities, y[:40]) < 0.4
    assert right(probe.head.logits(x[:40]), y[:40]) > 0.6


def test_images_of_the_test_split_tune_nothing_and_are_answered_by_the_head() -> None:
    x, y = images(200)
    statistics, splits = statistics_of(x[:100], y[:100], SCHEMA), ("train",) * 100 + ("test",) * 100
    both = refit(statistics, remembered(x, y, splits), SCHEMA, OPTIONS)
    alone = refit(statistics, remembered(x[:100], y[:100]), SCHEMA, OPTIONS)
    np.testing.assert_array_equal(both.head.calibration.temperature, alone.head.calibration.temperature)
    assert both.thresholds == alone.thresholds
    np.testing.assert_array_equal(both.ood.arrays()["ood_mean"], alone.ood.arrays()["ood_mean"])
    np.testing.assert_allclose(both.probabilities[100:], both.head.probabilities(x[100:]), atol=1e-6)
    np.testing.assert_array_equal(both.probabilities[:100], alone.probabilities)


def test_a_class_is_as_likely_as_it_is_frequent_as_far_as_its_images_tell() -> None:
    """A tenth of 1,000 images is believed nearly, a tenth of 100 hardly: those ten are new rather than rare."""
    found = []
    for n in (400, 4_000):
        x, y = images(n)
        keep = np.flatnonzero((y != 3) | (np.arange(n) < n // 10))
        fit = CrossFit.of(statistics_of(x[keep], y[keep], SCHEMA), remembered(x[keep], y[keep]), SCHEMA)
        found.append(float(fit.priors[3] / fit.priors[0]))
        assert fit.priors.sum() == pytest.approx(1)
        new, now = images(4_000, seed=1)
        rest = np.flatnonzero((now != 3) | (np.arange(4_000) < 400))
        said = trained(x[keep], y[keep]).head.probabilities(new[rest])[:, 3].mean()
        assert said == pytest.approx(100 / 3_100, abs=0.02)
    assert found[0] == pytest.approx(0.64, abs=0.02)
    assert found[1] < 0.25


def test_the_card_and_people_are_told() -> None:
    x, y = images(40)
    keep = np.flatnonzero((y != 3) | (np.arange(40) < 12))
    probe = trained(x[keep], y[keep])
    assert probe.facts["fitted_by"] == "dynamic"
    assert probe.facts["images"] == {"a": 10, "b": 10, "c": 10, "d": 3}
    assert 0 < probe.facts["shrinkage"] < 1
    assert probe.C is None
    assert probe.notes == (
        "dynamic     linear discriminant analysis of 4 classes of 3 to 10 images, shrinkage "
        f"{probe.facts['shrinkage']:.2g}",
        "warning     fewer than 5 images of 'd': add some before you rely on their answers",
    )


def test_one_image_per_class_answers_and_admits_that_nothing_is_known() -> None:
    x, y = images(4)
    probe = trained(x, y)
    assert not probe.usable.any()
    assert not any(probe.thresholds.reached)
    p = probe.head.probabilities(x)
    assert right(p, y) == 1
    assert p.max() < 0.9
    assert probe.notes[-1] == (
        "warning     nothing has calibrated the confidence: no class keeps an image when one is left out, so how often the "
        "answers are right is not known; add a second image of each class"
    )


def test_a_class_without_an_image_is_never_answered() -> None:
    x, y = images(80)
    present = y != 3
    probe = trained(x[present], y[present])
    assert probe.usable.all()
    assert probe.head.probabilities(x)[:, 3].max() < 1e-6


def test_a_class_that_the_statistics_do_not_know_is_one_without_images() -> None:
    x, y = images(80)
    three = LabelSchema.from_names("abc", task=Task.MULTICLASS)
    present = y != 3
    statistics = statistics_of(x[present], y[present], three)
    probe = refit(statistics, remembered(x[present], y[present]), SCHEMA, OPTIONS)
    assert probe.facts["images"]["d"] == 0
    assert probe.head.probabilities(x)[:, 3].max() < 1e-6


def test_two_classes_are_a_binary_task() -> None:
    x, y = images(200)
    schema = LabelSchema.from_names(["ok", "bad"], task=Task.BINARY)
    labels = np.eye(2, dtype=np.uint8)[(y == 0).astype(int)]
    probe = dynamic_probe(x, labels, np.arange(200), schema, OPTIONS)
    assert right(probe.probabilities, labels.argmax(axis=1)) > 0.9


def test_many_classes_are_tuned_on_a_share_of_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = images(400)
    monkeypatch.setattr("tellapart.training.dynamic._ANSWERS", 400)
    probe = trained(x, y)
    assert probe.usable.all()
    assert sum(probe.thresholds.support) == 100
    monkeypatch.setattr("tellapart.training.cross_fit._LARGE", 1)
    assert trained(x, y).n_folds == 2


def test_the_same_images_give_the_same_head() -> None:
    x, y = images(100)
    first, second = trained(x, y), trained(x, y)
    np.testing.assert_array_equal(first.head.logits(x), second.head.logits(x))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


@pytest.mark.parametrize(
    ("options", "task", "message"),
    [
        (
            {"label_noise": "drop"},
            Task.MULTICLASS,
            "the method 'dynamic' believes every label, and label noise is set to 'drop': what is in the statistics cannot "
            "be weighed again; set it to 'keep', or repair the labels first (tellapart data repair)",
        ),
        (
            {"class_weight": {0: 2.0}},
            Task.MULTICLASS,
            "the method 'dynamic' takes the class weight 'balanced' or none, not weights by class",
        ),
        (
            {},
            Task.MULTILABEL,
            "the method 'dynamic' keeps statistics of one label per image, and these images have several; take the method "
            "'probe'",
        ),
    ],
)
def test_what_it_cannot_do_is_told(options: dict[str, Any], task: Task, message: str) -> None:
    x, y = images(20)
    schema = LabelSchema.from_names("abcd", task=task)
    with pytest.raises(TellapartError) as caught:
        dynamic_probe(
            x, np.eye(4, dtype=np.uint8)[y], np.arange(20), schema, ProbeOptions(Aim.parse("argmax"), **options)
        )
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == message


def test_images_that_are_not_in_the_statistics_are_refused() -> None:
    x, y = images(40)
    with pytest.raises(TellapartError) as caught:
        refit(statistics_of(x[:8], y[:8], SCHEMA), remembered(x, y), SCHEMA, OPTIONS)
    assert str(caught.value) == "10 images of 'a' are remembered from the training, and the statistics have 2"
