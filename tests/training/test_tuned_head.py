"""The head of a fine-tuned network, made honest on images it did not learn from."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.errors import Reason, TrainingError
from tellapart.heads.aims import Aim
from tellapart.records import LabelSchema, Task
from tellapart.training.tuned_head import Roles, assign_roles, finish_head

SCHEMA = LabelSchema.from_names(["good", "scratch"], task=Task.BINARY, positive="scratch")
N = 100


def _labels(n: int = N) -> np.ndarray:
    return np.eye(2, dtype=np.uint8)[np.arange(n) % 2]


def _roles(*splits: str) -> Roles:
    names = np.resize(np.array(splits), N)
    return assign_roles(names, _labels(), np.arange(N) // 2, SCHEMA, seed=0)


def test_each_split_has_its_role() -> None:
    roles = _roles("train", "train", "val", "val", "test", "test", "train", "train", "train", "train")
    assert (roles.learns.sum(), roles.validates.sum(), roles.judges.sum()) == (60, 20, 20)
    assert roles.of_their_own
    assert (roles.known == (roles.learns | roles.validates)).all()


def test_without_val_a_fifth_of_the_groups_to_learn_from_validates() -> None:
    roles = _roles("train", "train", "train", "train", "test", "test")
    assert 10 <= roles.validates.sum() <= 20
    assert not (roles.learns & roles.validates).any()
    assert not set(np.arange(N)[roles.learns] // 2) & set(np.arange(N)[roles.validates] // 2)
    assert roles.of_their_own


def test_of_many_images_a_tenth_validates() -> None:
    splits = np.array(["train"] * 2500 + ["test"] * 100)
    roles = assign_roles(splits, _labels(2600), np.arange(2600), SCHEMA, seed=0)
    assert roles.validates.sum() == 250


def test_without_test_val_judges_and_others_validate() -> None:
    roles = _roles("train", "train", "train", "train", "val", "val")
    assert roles.of_their_own
    assert not (roles.judges & roles.known).any()


def test_with_train_alone_the_validating_images_judge() -> None:
    roles = _roles("train")
    assert not roles.of_their_own
    assert (roles.judges == roles.validates).all()


def test_one_group_cannot_validate() -> None:
    splits = np.array(["train"] * 4)
    with pytest.raises(TrainingError) as caught:
        assign_roles(splits, _labels(4), np.array([0, 0, 0, 0]), SCHEMA, seed=0)
    assert caught.value.reason is Reason.TOO_FEW_IMAGES


def test_every_class_has_an_image_to_learn_from() -> None:
    """Two of the first class and one of each other: nothing of these can be given away."""
    labels = np.eye(4, dtype=np.uint8)[[0, 0, 1, 2, 3]]
    schema = LabelSchema.from_names(["a", "b", "c", "d"], task=Task.MULTICLASS)
    for seed in range(20):
        roles = assign_roles(np.array(["train"] * 5), labels, np.arange(5), schema, seed)
        assert labels[roles.learns].any(axis=0).all()
        assert labels[roles.validates].sum(axis=0).tolist() == [1, 0, 0, 0]


def test_one_image_of_each_class_is_too_few_to_validate() -> None:
    with pytest.raises(TrainingError) as caught:
        assign_roles(np.array(["train", "train", "test", "test"]), _labels(4), np.arange(4), SCHEMA, seed=0)
    assert str(caught.value) == (
        "not one image is left to validate with: every class has its images to learn from in a single group; "
        "add images of other parts (or of other days), or name a split 'val'; the method 'few-shot' does with fewer"
    )


def test_a_sure_network_is_calibrated_on_what_it_did_not_learn_from() -> None:
    rng = np.random.default_rng(0)
    labels, splits = _labels(400), np.resize(np.array(["train", "train", "val", "val"]), 400)
    signs = labels[:, 1] * 2.0 - 1
    embeddings = np.stack([signs + rng.normal(0, 1.2, 400), rng.normal(0, 1, 400)], 1).astype(np.float32)
    embeddings[splits == "train", 0] = 3 * signs[splits == "train"]  # learned by heart
    roles = Roles(splits == "train", splits == "val", splits == "val")
    weight, bias = np.array([[-5.0, 5.0], [0, 0]], np.float32), np.array([1.0, 1.0], np.float32)
    tuned = finish_head(weight, bias, embeddings, labels, np.arange(400), roles, SCHEMA, Aim.parse("best_f1"))
    sure, right = tuned.probabilities.max(1), tuned.probabilities.argmax(1) == labels[splits == "val"].argmax(1)
    assert abs(sure.mean() - right.mean()) < 0.05
    raw = 1 / (1 + np.exp(-np.abs(embeddings[splits == "val", 0]) * 10))
    assert raw.mean() > 0.9 > sure.mean()


def test_binary_columns_say_the_difference() -> None:
    weight = np.array([[0.5, 2.0], [1.0, -1.0]], np.float32)
    bias = np.array([0.25, 0.75], np.float32)
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(N, 2)).astype(np.float32)
    roles = Roles(np.arange(N) < 50, np.arange(N) >= 50, np.arange(N) >= 50)
    tuned = finish_head(weight, bias, embeddings, _labels(), np.arange(N), roles, SCHEMA, Aim.parse("argmax"))
    plain = embeddings @ weight + bias
    ours = tuned.head.logits(embeddings)
    np.testing.assert_allclose(ours[:, 1] - ours[:, 0], plain[:, 1] - plain[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours[:, 0], -ours[:, 1], rtol=1e-6)


@pytest.mark.parametrize("n", [60, 600])
def test_images_like_those_of_the_training_are_known(n: int) -> None:
    """What a network learned by heart looks nearer than it is: the threshold must not come from there."""
    rng = np.random.default_rng(0)
    d, labels = 300, _labels(n + 400)
    embeddings = rng.normal(size=(n + 400, d)).astype(np.float32)
    learns = np.arange(n + 400) % 2 == 0
    learns[n:] = False
    embeddings[learns] *= 0.6
    rows = np.arange(n + 400)
    roles = Roles(learns, (rows < n) & ~learns, rows >= n)
    weight, bias = rng.normal(size=(d, 2)).astype(np.float32), np.zeros(2, np.float32)
    tuned = finish_head(weight, bias, embeddings, labels, rows, roles, SCHEMA, Aim.parse("argmax"))
    assert (tuned.ood.score(embeddings[roles.judges]) >= 1).mean() < 0.05
    assert (tuned.ood.score(embeddings[roles.judges] * 2) >= 1).mean() > 0.9
