"""From one image per class to twenty: what is chosen, what it promises, and what it admits not to know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.heads.data import embeddings

from tellapart.errors import Reason, TellapartError
from tellapart.heads.aims import Aim
from tellapart.heads.selection import sample_losses
from tellapart.records import LabelSchema, Task
from tellapart.training.few_shot import few_shot
from tellapart.training.linear_probe import Probe, ProbeOptions, linear_probe

K = 4
SCHEMA = LabelSchema.from_names(["a", "b", "c", "d"], task=Task.MULTICLASS)
ALL, COLUMNS = embeddings(1200, 64, K, seed=3, separation=1.0)


def shots(per_class: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(COLUMNS[:600] == c))[:per_class] for c in range(K)])
    return ALL[rows], np.eye(K, dtype=np.uint8)[COLUMNS[rows]]


def fitted(x: NDArray[np.float32], labels: NDArray[np.uint8], **options: Any) -> Probe:
    groups = options.pop("groups", np.arange(len(x)))
    schema = options.pop("schema", SCHEMA)
    return few_shot(x, labels, groups, schema, ProbeOptions(Aim.parse(options.pop("aim", "best_f1")), **options))


def accuracy(probe: Probe) -> float:
    return float((probe.head.logits(ALL[600:]).argmax(axis=1) == COLUMNS[600:]).mean())


def loss(probe: Probe) -> float:
    """Mean log loss of its calibrated answers on images it has not seen."""
    own = probe.head.probabilities(ALL[600:])[np.arange(600), COLUMNS[600:]]
    return float(-np.log(np.maximum(own, 1e-7)).mean())


@pytest.mark.parametrize("per_class", [2, 5, 20])
def test_it_learns_and_knows_how_well(per_class: int) -> None:
    found = [fitted(*shots(per_class, seed)) for seed in range(3)]
    judged = [p.probabilities.argmax(axis=1) == shots(per_class, s)[1].argmax(axis=1) for s, p in enumerate(found)]
    real = float(np.mean([accuracy(p) for p in found]))
    assert real > 0.25 + 0.1 * np.log(per_class)
    assert abs(np.mean(np.concatenate(judged)) - real) < 0.12
    assert np.mean([loss(p) for p in found]) < np.log(K)


@pytest.mark.parametrize("per_class", [2, 5])
def test_its_probabilities_are_better_than_the_plain_probes(per_class: int) -> None:
    ours, theirs = [], []
    for seed in range(3):
        x, labels = shots(per_class, seed)
        ours.append(loss(fitted(x, labels)))
        options = ProbeOptions(Aim.parse("best_f1"))
        theirs.append(loss(linear_probe(x, labels, np.arange(len(x)), SCHEMA, options)))
    assert np.mean(ours) < np.mean(theirs)


def test_with_one_image_per_class_it_admits_that_nothing_is_known() -> None:
    x, labels = shots(1)
    probe = fitted(x, labels)
    assert probe.facts == {"fitted_by": "few-shot", "chosen": "cosine prototypes", "held_out_log_loss": {}}
    assert probe.notes == (
        "few-shot    cosine prototypes: every class has one image or group, so none can be left out to choose or to judge",
        "warning     nothing has calibrated the confidence: it is kept low, and how often the answers are right is not "
        "known; add a second image of each class",
    )
    assert all(array.flags.c_contiguous for array in probe.head.arrays().values())
    assert not probe.usable.any()
    assert not any(probe.thresholds.reached)
    assert (probe.head.logits(x).argmax(axis=1) == labels.argmax(axis=1)).all()
    assert probe.head.probabilities(ALL[600:]).max(axis=1).mean() < accuracy(probe) + 0.1


def test_the_copies_of_an_image_are_left_out_with_it() -> None:
    """Noise with random labels, every image four times: only who sees a copy of an image can guess its label."""
    rng = np.random.default_rng(0)
    things = np.repeat(np.arange(40), 4)
    x = rng.normal(size=(40, 80)).astype(np.float32)[things]
    labels = np.eye(K, dtype=np.uint8)[np.arange(40) % K][things]
    right = {
        name: (fitted(x, labels, groups=groups).probabilities.argmax(axis=1) == labels.argmax(axis=1)).mean()
        for name, groups in (("together", things), ("apart", np.arange(160)))
    }
    assert right["apart"] > 0.9
    assert right["together"] < 0.5


def test_what_is_chosen_has_the_lowest_held_out_loss_and_is_told() -> None:
    x, labels = shots(5)
    probe = fitted(x, labels)
    losses = probe.facts["held_out_log_loss"]
    assert set(losses) == {
        *("cosine prototypes", "prototypes", "logistic regression"),
        *(f"ridge {penalty:g}" for penalty in (0.01, 0.03, 0.1, 0.3, 1, 3, 10)),
    }
    assert losses[probe.facts["chosen"]] == min(losses.values())
    own = sample_losses(np.log(probe.probabilities), labels.argmax(axis=1), task=Task.MULTICLASS).mean()
    assert own == pytest.approx(min(losses.values()), abs=1e-4)
    assert probe.notes == (
        f"few-shot    {probe.facts['chosen']}, the best of 10 heads on images left out, one of each class at a time",
    )
    assert probe.n_folds == 5


def test_a_class_with_one_image_is_not_judged_but_answered() -> None:
    x, labels = shots(5)
    keep = np.r_[0:16]  # d has its first image alone
    probe = fitted(x[keep], labels[keep])
    assert probe.usable.tolist() == [True] * 15 + [False]
    assert probe.head.logits(x[15:]).argmax(axis=1)[0] == 3


def test_a_class_without_an_image_is_never_answered() -> None:
    x, labels = shots(5)
    present = labels[:, 3] == 0
    probe = fitted(x[present], labels[present])
    assert probe.usable.all()
    assert probe.head.probabilities(ALL)[:, 3].max() < 0.05


@pytest.mark.parametrize("per_class", [1, 4])
def test_binary_and_several_labels(per_class: int) -> None:
    x, labels = shots(per_class)
    two = LabelSchema.from_names(["ok", "bad"], task=Task.BINARY, positive="bad")
    bad = (labels[:, 0] == 1).astype(np.uint8)
    probe = fitted(x, np.stack([1 - bad, bad], axis=1), schema=two)
    assert probe.head.probabilities(x).argmax(axis=1)[0] == 1
    several = LabelSchema.from_names(["a", "b"], task=Task.MULTILABEL)
    probe = fitted(x, np.stack([labels[:, 0], labels[:, 0] | labels[:, 1]], axis=1), schema=several)
    p = probe.head.probabilities(ALL[600:])
    assert p[COLUMNS[600:] == 0, 0].mean() > p[COLUMNS[600:] != 0, 0].mean() + 0.01


def test_the_same_images_give_the_same_head() -> None:
    first, second = (fitted(*shots(5)) for _ in range(2))
    np.testing.assert_array_equal(first.head.weight, second.head.weight)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_many_images_are_told_to_be_too_many() -> None:
    x, labels = shots(60)
    assert fitted(x, labels).notes[1] == (
        "warning     few-shot is meant for up to 20 images per class, these are 60: the method 'probe' judges the model on "
        "images of their own"
    )


def test_labels_are_not_doubted() -> None:
    with pytest.raises(TellapartError) as caught:
        fitted(*shots(5), label_noise="drop")
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "few-shot training believes every label, and label noise is set to 'drop': a handful of images per class cannot "
        "tell which label is wrong; set it to 'keep'"
    )


def test_one_class_is_no_task() -> None:
    x, labels = shots(5)
    with pytest.raises(TellapartError) as caught:
        fitted(x[:5], labels[:5])
    assert caught.value.reason is Reason.TOO_FEW_CLASSES
