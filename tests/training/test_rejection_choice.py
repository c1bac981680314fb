"""Classes left out in turn name the score that tells unknown images best."""

from __future__ import annotations

import numpy as np
import pytest
from tests.heads.data import embeddings

from tellapart.errors import SettingsError
from tellapart.heads.aims import Aim
from tellapart.heads.linear import LinearHead, fit_linear
from tellapart.records import LabelSchema, Task
from tellapart.training.dynamic import dynamic_probe
from tellapart.training.few_shot import few_shot
from tellapart.training.linear_probe import Probe, ProbeOptions, linear_probe
from tellapart.training.rejection_choice import RejectionChoice, _best, choose_rejection
from tellapart.training.svm import svm_probe

KINDS = ("mahalanobis", "class_distance", "relative_distance", "energy")


def fit_head(points: np.ndarray, columns: np.ndarray, n_classes: int) -> LinearHead:
    return fit_linear(points, columns, task=Task.MULTICLASS, n_classes=n_classes, C=0.01)


def islands(n: int, k: int, d: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes that lie close together about many means of a wide cloud: only the distance to a class tells a new one."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    means = 10 * rng.normal(size=(k, d))
    return (means[y] + 0.3 * rng.normal(size=(n, d))).astype(np.float32), y.astype(np.int64)


def odd_looks(n: int, k: int, d: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Each class has a direction of its own in which no other varies, and the head learns nothing of how far it goes."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, k, n)
    x = rng.normal(size=(n, d))
    x[np.arange(n), y] += rng.choice([-9, 9], n)
    return x.astype(np.float32), y.astype(np.int64)


def schema(k: int, task: Task = Task.MULTICLASS) -> LabelSchema:
    return LabelSchema.from_names([f"class {i}" for i in range(k)], task=task)


def probe(x: np.ndarray, y: np.ndarray, rejection: str, fit=linear_probe) -> Probe:  # type: ignore[no-untyped-def]
    k = int(y.max()) + 1
    labels = np.eye(k, dtype=np.uint8)[y]
    task = Task.BINARY if k == 2 else Task.MULTICLASS
    options = ProbeOptions(Aim.parse("argmax"), rejection=rejection, unknown_share=0.02)
    return fit(x, labels, np.arange(len(x)), schema(k, task), options)


def test_the_distance_to_classes_wins_where_classes_are_islands() -> None:
    x, y = islands(600, 8)
    choice = choose_rejection(x, y, np.arange(600) % 5, fit_head)
    assert choice is not None
    assert choice.chosen == "class_distance"
    assert choice.auroc["class_distance"].mean() > 0.97 > 0.9 > choice.auroc["mahalanobis"].mean()
    assert list(choice.classes) == list(range(8))
    assert [len(values) for values in choice.auroc.values()] == [8] * 4


def test_the_plain_distance_wins_where_a_new_class_looks_odd() -> None:
    x, y = odd_looks(800, 6)
    choice = choose_rejection(x, y, np.arange(800) % 5, fit_head)
    assert choice is not None
    assert choice.chosen == "mahalanobis"
    assert choice.auroc["mahalanobis"].min() > 0.9
    assert choice.auroc["energy"].mean() < 0.8


def test_the_simplest_is_kept_where_the_difference_is_chance() -> None:
    noisy = np.array([0.6, 0.9, 0.7, 0.8])
    told = {"mahalanobis": noisy, "class_distance": noisy + 0.005, "relative_distance": noisy[::-1] - 0.1}
    assert _best(told | {"energy": noisy - 0.2}) == "mahalanobis"
    assert _best(told | {"energy": noisy + 0.15}) == "energy"
    assert _best(told | {"energy": noisy[::-1] + 0.05}) == "mahalanobis"


def test_a_kind_that_gains_nothing_over_a_simpler_one_is_passed_over() -> None:
    plain = np.array([0.52, 0.56, 0.54, 0.58, 0.55])
    best = np.array([0.7, 0.55, 0.72, 0.6, 0.61])
    told = {"mahalanobis": plain, "class_distance": plain + np.array([0.001, -0.001, 0.03, 0, 0]), "energy": best}
    assert _best(told) == "energy"


def test_groups_are_never_torn_apart() -> None:
    """Copies of the same things: told by copies of themselves, known images would look very familiar."""
    x, y = embeddings(80, 40, 5)
    things = np.repeat(np.arange(80), 6)
    rng = np.random.default_rng(0)
    copies = (x[things] + 0.01 * rng.normal(size=(480, 40))).astype(np.float32)
    leaking, honest = (
        choose_rejection(copies, y[things], folds, fit_head) for folds in (rng.permutation(480) % 5, things % 5)
    )
    assert leaking is not None
    assert honest is not None
    assert leaking.auroc["mahalanobis"].mean() > honest.auroc["mahalanobis"].mean() + 0.05


@pytest.mark.parametrize(("n", "k"), [(300, 3), (25, 5), (9, 4)])
def test_too_few_classes_or_images_choose_nothing(n: int, k: int) -> None:
    x, _ = embeddings(n, 20, 4)
    assert choose_rejection(x, np.arange(n) % k, np.arange(n) % 5, fit_head) is None


def test_images_outside_all_folds_take_no_part() -> None:
    x, y = islands(400, 6)
    folds = np.where(np.arange(400) < 300, np.arange(400) % 5, -1)
    inside = choose_rejection(x[:300], y[:300], folds[:300], fit_head)
    outside = choose_rejection(np.concatenate([x[:300], x[300:] + 50]), y, folds, fit_head)
    assert inside is not None
    assert outside is not None
    np.testing.assert_array_equal(inside.auroc["mahalanobis"], outside.auroc["mahalanobis"])


def test_many_classes_cost_no_more_than_some() -> None:
    x, y = embeddings(5000, 16, 300)
    choice = choose_rejection(x, y, np.arange(5000) % 5, fit_head)
    assert choice is not None
    assert 2 < len(choice.classes) <= 50
    assert len(np.unique(choice.classes)) == len(choice.classes)


def test_what_is_told_of_a_choice() -> None:
    auroc = {kind: np.array([0.9, 0.8, 0.85]) - 0.1 * place for place, kind in enumerate(KINDS)}
    choice = RejectionChoice("mahalanobis", np.arange(3), auroc)
    assert choice.note() == (
        "unknowns    told by mahalanobis: AUROC 0.85 (0.73 to 0.97) on 3 classes left out in turn; "
        "class_distance 0.75, relative_distance 0.65, energy 0.55"
    )
    facts = choice.facts()
    assert facts["classes_held_out"] == 3
    assert facts["auroc"]["mahalanobis"] == pytest.approx([0.85, 0.7258, 0.9742], abs=2e-3)


@pytest.mark.parametrize("fit", [linear_probe, dynamic_probe])
def test_a_training_takes_what_was_chosen_and_tells_it(fit) -> None:  # type: ignore[no-untyped-def]
    x, y = islands(3000, 8)
    fresh, x, y = x[600:], x[:600], y[:600]
    found = probe(x, y, "auto", fit)
    assert found.ood.kind == "class_distance"
    assert found.facts["rejection_choice"]["classes_held_out"] == 8
    assert any(note.startswith("unknowns    told by class_distance: AUROC ") for note in found.notes)
    assert 0.005 < (found.ood.score(fresh) >= 1).mean() < 0.04
    two = probe(x[y < 2], y[y < 2], "auto", fit)
    assert two.ood.kind == "mahalanobis"
    assert "rejection_choice" not in two.facts


@pytest.mark.parametrize("fit", [linear_probe, dynamic_probe, few_shot, svm_probe])
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_train_takes_the_kind_that_is_named(fit, kind: str) -> None:  # type: ignore[no-untyped-def]
    x, y = islands(90, 3)
    found = probe(x, y, kind, fit)
    assert found.ood.kind == kind
    assert (found.ood.score(x) < 1).mean() > 0.9
    assert not any("unknowns" in note for note in found.notes)


def test_several_labels_per_image_have_the_plain_distance() -> None:
    x, y = islands(200, 5)
    labels = np.eye(5, dtype=np.uint8)[y]
    several = schema(5, Task.MULTILABEL)
    plain = linear_probe(x, labels, np.arange(200), several, ProbeOptions(Aim.parse("argmax"), rejection="auto"))
    assert plain.ood.kind == "mahalanobis"
    for kind, sentence in {
        "energy": r"^the energy is that of a linear head with one label per image",
        "class_distance": r"^images of several labels have no class of their own to be near to",
    }.items():
        with pytest.raises(SettingsError, match=sentence):
            linear_probe(x, labels, np.arange(200), several, ProbeOptions(Aim.parse("argmax"), rejection=kind))
