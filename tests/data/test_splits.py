from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.data.splits import assign_splits, group_folds
from tellapart.errors import DataError, Reason

Matrix = NDArray[np.uint8]
Ints = NDArray[np.int64]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Matrix, Ints]:
    """Labels (single, multi or missing) and groups of many sizes."""
    n, k = draw(st.integers(1, 60)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    groups = rng.integers(0, draw(st.integers(1, 60)), n)
    if draw(st.booleans()):
        labels = np.eye(k, dtype=np.uint8)[np.minimum(rng.geometric(0.5, n) - 1, k - 1)]
    else:
        labels = (rng.random((n, k)) < 0.3).astype(np.uint8)
    return labels, groups.astype(np.int64)


def one_hot(classes: list[int], k: int) -> Matrix:
    return np.eye(k, dtype=np.uint8)[classes]


fast = settings(max_examples=60, deadline=None)


@fast
@given(problems(), st.integers(0, 5))
def test_every_sample_is_assigned_and_no_group_torn(problem: tuple[Matrix, Ints], seed: int) -> None:
    labels, groups = problem
    splits = assign_splits(label_matrix=labels, groups=groups, seed=seed)
    assert set(splits.assigned) <= {"train", "val", "test"}
    assert len(splits.assigned) == len(labels) == sum(splits.sizes)
    for group in set(groups.tolist()):
        assert len({splits.assigned[i] for i in np.flatnonzero(groups == group)}) == 1
    assert splits.leaks == ()
    assert splits.sizes[0] > 0


@fast
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(problem: tuple[Matrix, Ints], random: object) -> None:
    labels, groups = problem
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    plain = assign_splits(label_matrix=labels, groups=groups)
    mixed = assign_splits(label_matrix=labels[order], groups=groups[order])
    assert [plain.assigned[i] for i in order] == list(mixed.assigned)
    folds = group_folds(labels, groups, 3)
    assert folds[order].tolist() == group_folds(labels[order], groups[order], 3).tolist()


@fast
@given(problems(), problems(), st.integers(0, 3))
def test_growth_moves_nothing(old: tuple[Matrix, Ints], new: tuple[Matrix, Ints], seed: int) -> None:
    labels, groups = old
    first = assign_splits(label_matrix=labels, groups=groups, seed=seed)
    k = max(labels.shape[1], new[0].shape[1])
    wide = [np.pad(part, ((0, 0), (0, k - part.shape[1]))) for part in (labels, new[0])]
    grown_labels, grown_groups = np.concatenate(wide), np.concatenate([groups, new[1]])
    existing = [*first.assigned, *[None] * len(new[0])]
    grown = assign_splits(label_matrix=grown_labels, groups=grown_groups, existing=existing, seed=seed + 1)
    assert grown.assigned[: len(labels)] == first.assigned
    assert grown.leaks == ()
    for group in set(groups.tolist()):
        assert len({grown.assigned[i] for i in np.flatnonzero(grown_groups == group)}) == 1


@fast
@given(problems())
def test_a_class_in_several_groups_is_in_train_and_test(problem: tuple[Matrix, Ints]) -> None:
    labels, groups = problem
    classes = labels.argmax(axis=1)
    exclusive = one_hot(classes.tolist(), labels.shape[1])
    # Groups of one class each: only then can every class be promised its places.
    own = groups * labels.shape[1] + classes
    splits = assign_splits(label_matrix=exclusive, groups=own)
    for column in range(labels.shape[1]):
        rows = np.flatnonzero(classes == column)
        n_groups = len(set(own[rows].tolist()))
        present = {splits.assigned[i] for i in rows}
        wanted = [set(), {"train"}, {"train", "test"}, {"train", "test", "val"}][min(n_groups, 3)]
        assert wanted <= present


@pytest.mark.parametrize("k, multi", [(3, False), (8, True)])
def test_fractions_are_met_for_every_label(k: int, multi: bool) -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((4000, k)) < 0.2).astype(np.uint8) if multi else one_hot(rng.integers(0, k, 4000).tolist(), k)
    splits = assign_splits(label_matrix=labels, groups=rng.integers(0, 1500, 4000))
    assert np.abs(np.array(splits.sizes) / 4000 - [0.64, 0.16, 0.20]).max() < 0.01
    assert np.abs(splits.counts / splits.counts.sum(axis=0) - np.array([[0.64], [0.16], [0.20]])).max() < 0.02
    assert splits.warnings == ()


def test_new_groups_restore_the_fractions() -> None:
    labels = one_hot([0] * 100, 1)
    splits = assign_splits(label_matrix=labels, groups=np.arange(100), existing=["train"] * 60 + [None] * 40)
    assert splits.sizes == (64, 16, 20)


def test_given_splits_are_honoured_and_their_leaks_reported() -> None:
    labels = one_hot([0, 0, 1, 1, 0, 1], 2)
    groups = np.array([7, 7, 7, 8, 9, 9])
    existing = ["Training", "testing", None, "train", "test", "validation"]
    splits = assign_splits(label_matrix=labels, groups=groups, existing=existing)
    assert splits.assigned == ("train", "test", "train", "train", "test", "val") or splits.assigned[2] in (
        "train",
        "test",
    )
    assert [splits.assigned[i] for i in (0, 1, 3, 4, 5)] == ["train", "test", "train", "test", "val"]
    assert [(leak.group, dict(leak.rows)) for leak in splits.leaks] == [
        (7, {"train": (0,), "test": (1,)}),
        (9, {"val": (5,), "test": (4,)}),
    ]
    assert splits.warnings[0] == (
        "the split that images have already leaks: 2 groups are torn apart (4 images that belong together or are nearly "
        "the same), so the figures will be too good; "
        "the first has 1 in train (row 0) and 1 in test (row 1)"
    )


def test_what_is_missing_is_told_by_name() -> None:
    labels = one_hot([0] * 20 + [1], 2)
    splits = assign_splits(label_matrix=labels, groups=np.arange(21), label_names=("ok", "crack"))
    assert splits.assigned[20] == "train"
    assert splits.warnings == ("label 'crack' is missing in val and test: its 1 images are in too few groups",)


def test_unlabelled_and_single_samples_are_dealt_out_too() -> None:
    assert assign_splits(label_matrix=np.zeros((1, 0), np.uint8), groups=np.zeros(1)).assigned == ("train",)
    many = assign_splits(label_matrix=np.zeros((100, 3), np.uint8), groups=np.arange(100))
    assert many.sizes == (64, 16, 20)
    assert assign_splits(label_matrix=np.zeros((0, 2), np.uint8), groups=np.zeros(0)).assigned == ()


def test_a_share_of_nothing_gets_nothing() -> None:
    fractions = {"train": 0.8, "val": 0.0, "test": 0.2}
    splits = assign_splits(label_matrix=one_hot([0, 1] * 50, 2), groups=np.arange(100), fractions=fractions)
    assert splits.sizes == (80, 0, 20)
    assert splits.warnings == ()
    assert splits.rows("test").tolist() == [i for i, name in enumerate(splits.assigned) if name == "test"]


@pytest.mark.parametrize("options", [
    {"fractions": {"train": 0.5, "test": 0.4}}, {"fractions": {"train": 1.5, "test": -0.5}},
    {"fractions": {"training": 1.0}}, {"fractions": {}}, {"existing": ["train"]}, {"existing": ["fold1", None]},
    {"groups": np.zeros(3)}, {"label_matrix": np.zeros(2)},
])  # fmt: skip
def test_what_does_not_fit_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(DataError) as caught:
        assign_splits(**{"label_matrix": np.ones((2, 1)), "groups": np.zeros(2), **options})  # type: ignore[arg-type]
    assert caught.value.reason is Reason.BAD_SETTING


@fast
@given(problems(), st.integers(2, 6))
def test_folds_tear_no_group(problem: tuple[Matrix, Ints], n_folds: int) -> None:
    labels, groups = problem
    folds = group_folds(labels, groups, n_folds)
    assert folds.shape == groups.shape
    assert set(folds.tolist()) <= set(range(n_folds))
    for group in set(groups.tolist()):
        assert len(set(folds[groups == group].tolist())) == 1


def test_folds_are_even_in_size_and_labels() -> None:
    rng = np.random.default_rng(3)
    labels = one_hot(rng.choice(4, 1000, p=[0.7, 0.2, 0.08, 0.02]).tolist(), 4)
    folds = group_folds(labels, rng.integers(0, 500, 1000), 5)
    assert np.ptp(np.bincount(folds)) <= 4
    per_fold = np.stack([labels[folds == fold].sum(axis=0) for fold in range(5)])
    assert np.ptp(per_fold, axis=0).max() <= 5
    assert (per_fold[:, 3] > 0).all()


def test_the_seed_draws_among_equals() -> None:
    labels = one_hot([0, 1] * 50, 2)
    drawn = [assign_splits(label_matrix=labels, groups=np.arange(100), seed=seed).assigned for seed in range(3)]
    assert len(set(drawn)) == 3
