"""Losses against formulas written again in numpy, their limits, their gradients, and the tasks they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from tellapart.backbones.torch_libraries import load_timm  # noqa: E402
from tellapart.errors import Reason, SettingsError  # noqa: E402
from tellapart.records import Task  # noqa: E402
from tellapart.settings.recipe import Loss  # noqa: E402
from tellapart.training.finetune.losses import effective_weights, make_loss, resolved_name  # noqa: E402

COUNTS = np.array([500, 60, 7])
N = 567
ONE_LABEL = ("cross_entropy", "focal", "class_balanced", "logit_adjustment", "supervised_contrastive")
SEVERAL = ("bce", "focal", "class_balanced", "logit_adjustment", "asymmetric")
PLAIN = {"gamma_negative": 0.0, "gamma_positive": 0.0, "clip": 0.0}
Doubles = NDArray[np.float64]


def given_batch(n: int = 5, k: int = 3, *, several: bool = False, seed: int = 0) -> tuple[Doubles, Doubles]:
    """Logits and soft targets."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (n, k))
    return logits, rng.uniform(size=(n, k)) if several else rng.dirichlet(np.ones(k), n)


def computed(task: Task, logits: Any, targets: Any, **options: Any) -> float:
    loss = make_loss(Loss(**options), task=task, class_counts=COUNTS[: np.shape(logits)[1]], n=N)
    return float(loss(torch.as_tensor(logits).float(), torch.as_tensor(targets).float()))


def one(logits: Any, targets: Any, **options: Any) -> float:
    return computed(Task.MULTICLASS, logits, targets, **options)


def several(logits: Any, targets: Any, **options: Any) -> float:
    return computed(Task.MULTILABEL, logits, targets, **options)


def softmax(logits: Doubles) -> Doubles:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def sigmoid(logits: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-logits)))


def test_cross_entropy_is_the_mean_of_minus_target_times_log_p() -> None:
    logits, targets = given_batch()
    expected = -(targets * np.log(softmax(logits))).sum(axis=1).mean()
    assert one(logits, targets) == pytest.approx(expected, rel=1e-5)


def test_smoothing_gives_a_part_of_each_target_to_all_classes() -> None:
    logits, targets = given_batch()
    expected = -((targets * 0.9 + 0.1 / 3) * np.log(softmax(logits))).sum(axis=1).mean()
    assert one(logits, targets, smoothing=0.1) == pytest.approx(expected, rel=1e-5)


def test_smoothing_of_several_labels_moves_each_towards_a_half() -> None:
    logits, targets = given_batch(several=True)
    p, soft = sigmoid(logits), targets * 0.9 + 0.05
    expected = -(soft * np.log(p) + (1 - soft) * np.log(1 - p)).mean()
    assert several(logits, targets, smoothing=0.1) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_weighs_by_what_is_missing(gamma: float) -> None:
    logits, targets = given_batch()
    p = softmax(logits)
    expected = -(targets * (1 - p) ** gamma * np.log(p)).sum(axis=1).mean()
    assert one(logits, targets, name="focal", gamma=gamma) == pytest.approx(expected, rel=1e-5)


def test_focal_of_several_labels_is_sigmoid_focal() -> None:
    logits, targets = given_batch(several=True)
    p = sigmoid(logits)
    expected = -(targets * (1 - p) ** 2 * np.log(p) + (1 - targets) * p**2 * np.log(1 - p)).mean()
    assert several(logits, targets, name="focal", gamma=2) == pytest.approx(expected, rel=1e-5)


def test_sigmoid_focal_is_torchvisions_for_hard_targets() -> None:
    load_timm()
    from torchvision.ops import sigmoid_focal_loss

    logits, targets = given_batch(several=True)
    hard = torch.tensor(targets.round())
    expected = sigmoid_focal_loss(torch.tensor(logits), hard, alpha=-1, gamma=3, reduction="mean")
    assert several(logits, hard, name="focal", gamma=3) == pytest.approx(float(expected), rel=1e-5)


def test_class_balanced_weighs_by_the_effective_number_of_images() -> None:
    logits, targets = given_batch()
    weights = np.array([(1 - 0.99) / (1 - 0.99**n) for n in COUNTS])
    weights *= 3 / weights.sum()
    expected = -(weights * targets * np.log(softmax(logits))).sum(axis=1).mean()
    assert one(logits, targets, name="class_balanced", beta=0.99) == pytest.approx(expected, rel=1e-5)


def test_class_balanced_balances_presence_and_absence_of_each_label() -> None:
    logits, targets = given_batch(several=True)
    p = sigmoid(logits)
    weights = np.array([effective_weights(np.array([float(n), N - n]), 0.99) for n in COUNTS]).T
    expected = -(weights[0] * targets * np.log(p) + weights[1] * (1 - targets) * np.log(1 - p)).mean()
    assert several(logits, targets, name="class_balanced", beta=0.99) == pytest.approx(expected, rel=1e-5)


def test_weights_go_from_equal_to_inverse_frequency_with_beta() -> None:
    counts = np.array([1000.0, 100.0, 10.0])
    assert effective_weights(counts, 0.0).tolist() == [1, 1, 1]
    nearly = effective_weights(counts, 1 - 1e-9)
    assert nearly / nearly[0] == pytest.approx([1, 10, 100], rel=1e-4)


def test_logit_adjustment_adds_the_log_frequency_while_training() -> None:
    logits, targets = given_batch()
    expected = -(targets * np.log(softmax(logits + 1.5 * np.log(COUNTS / N)))).sum(axis=1).mean()
    assert one(logits, targets, name="logit_adjustment", tau=1.5) == pytest.approx(expected, rel=1e-5)


def test_logit_adjustment_of_several_labels_adds_the_log_odds_of_each() -> None:
    logits, targets = given_batch(several=True)
    p = sigmoid(logits + np.log(COUNTS / (N - COUNTS)))
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean()
    assert several(logits, targets, name="logit_adjustment") == pytest.approx(expected, rel=1e-5)


def test_asymmetric_clips_and_focuses_absent_labels() -> None:
    logits, targets = given_batch(several=True)
    p = sigmoid(logits)
    clipped = np.maximum(p - 0.05, 0)
    expected = -(targets * (1 - p) * np.log(p) + (1 - targets) * clipped**4 * np.log(1 - clipped)).mean()
    assert several(logits, targets, name="asymmetric", gamma_positive=1) == pytest.approx(expected, rel=1e-5)


def test_asymmetric_is_timms_for_hard_targets_up_to_the_number_of_labels() -> None:
    load_timm()
    from timm.loss import AsymmetricLossMultiLabel

    logits, targets = given_batch(n=20, several=True)
    hard = torch.tensor(targets.round())
    expected = AsymmetricLossMultiLabel(gamma_neg=4, gamma_pos=1, clip=0.05, reduction="mean")(
        torch.tensor(logits), hard
    )
    assert several(logits, hard, name="asymmetric", gamma_positive=1) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"name": "focal", "gamma": 0}, {"name": "class_balanced", "beta": 0}, {"name": "logit_adjustment", "tau": 0}],
)
@pytest.mark.parametrize("loss", [one, several])
def test_without_its_strength_a_loss_is_the_plain_one(loss: Any, options: dict[str, Any]) -> None:
    logits, targets = given_batch(several=loss is several)
    assert loss(logits, targets, **options) == pytest.approx(loss(logits, targets), rel=1e-6)


def test_asymmetric_without_its_strengths_is_bce() -> None:
    logits, targets = given_batch(several=True)
    assert several(logits, targets, name="asymmetric", **PLAIN) == pytest.approx(several(logits, targets), rel=1e-6)


def test_one_column_more_changes_nothing_about_two_classes() -> None:
    logits, targets = given_batch(k=2)
    difference = logits[:, 1] - logits[:, 0]
    expected = (np.log1p(np.exp(difference)) - targets[:, 1] * difference).mean()
    assert computed(Task.BINARY, logits, targets) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["bce", "focal", "class_balanced", "logit_adjustment", "asymmetric"])
@pytest.mark.parametrize("present", [0.0, 1.0])
def test_images_without_any_label_or_with_all_have_a_loss(name: str, present: float) -> None:
    logits = np.zeros((4, 3))
    right, wrong = (several(logits + shift, np.full((4, 3), present), name=name) for shift in (-3, 3))
    assert 0 < min(right, wrong) < max(right, wrong) < 10
    assert (right < wrong) == (present == 0)


@pytest.mark.parametrize("name", [*ONE_LABEL[:-1]])
def test_a_class_that_is_missing_from_the_batch_is_pushed_down(name: str) -> None:
    logits = torch.zeros(4, 3, requires_grad=True)
    loss = make_loss(Loss(name=name), task=Task.MULTICLASS, class_counts=COUNTS, n=N)
    loss(logits, torch.eye(3)[[0, 1, 0, 1]]).backward()
    assert (logits.grad[:, 2] > 0).all()


@pytest.mark.parametrize("name", [*ONE_LABEL[:-1]])
def test_a_class_without_training_images_is_no_division_by_zero(name: str) -> None:
    loss = make_loss(Loss(name=name), task=Task.MULTICLASS, class_counts=np.array([5, 0, 0]), n=5)
    assert torch.isfinite(loss(torch.randn(1, 3), torch.eye(3)[[0]]))


@pytest.mark.parametrize("name", SEVERAL)
def test_a_label_that_all_or_no_training_images_have_is_no_division_by_zero(name: str) -> None:
    loss = make_loss(Loss(name=name), task=Task.MULTILABEL, class_counts=np.array([5, 0, 2]), n=5)
    assert torch.isfinite(loss(torch.randn(1, 3), torch.eye(3)[[0]]))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(
        [(name, task) for task in Task for name in (SEVERAL if task is Task.MULTILABEL else ONE_LABEL)]
    ),
    n=st.integers(1, 4),
    size=st.sampled_from([0.0, 1.0, 30.0, 200.0, 1e4]),
    gamma=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    seed=st.integers(0, 100),
    smoothing=st.sampled_from([0.0, 0.1]),
)
def test_losses_and_gradients_are_finite(
    name: tuple[str, Task], n: int, size: float, gamma: float, seed: int, smoothing: float
) -> None:
    task, k = name[1], 2 if name[1] is Task.BINARY else 3
    given_options = {"gamma": gamma, "gamma_positive": gamma, "gamma_negative": gamma, "smoothing": smoothing}
    options = Loss(name=name[0], **given_options)
    loss = make_loss(options, task=task, class_counts=COUNTS[:k], n=N, embedding_dim=4)
    logits, targets = given_batch(n, k, several=task is Task.MULTILABEL, seed=seed)
    x = torch.tensor(logits * size, dtype=torch.float32, requires_grad=True)
    z = torch.tensor(np.resize(logits, (n, 4)) * size, dtype=torch.float32, requires_grad=True)
    hard = torch.tensor(targets.round() if seed % 2 else targets, dtype=torch.float32)
    value = loss(x, hard, z)
    value.backward()
    assert torch.isfinite(value)
    assert value >= 0
    assert torch.isfinite(x.grad).all()
    assert z.grad is None or torch.isfinite(z.grad).all()


@pytest.mark.parametrize("name", ["focal", "cross_entropy", "class_balanced", "logit_adjustment"])
def test_a_sure_mistake_still_teaches(name: str) -> None:
    logits = torch.tensor([[60.0, -60.0, 0.0]], requires_grad=True)
    make_loss(Loss(name=name), task=Task.MULTICLASS, class_counts=COUNTS, n=N)(logits, torch.eye(3)[[1]]).backward()
    assert logits.grad[0, 0] > 0.1


@pytest.mark.parametrize("name", SEVERAL)
def test_a_sure_mistake_about_a_present_label_still_teaches(name: str) -> None:
    logits = torch.full((1, 3), -60.0, requires_grad=True)
    make_loss(Loss(name=name), task=Task.MULTILABEL, class_counts=COUNTS, n=N)(logits, torch.ones(1, 3)).backward()
    assert (logits.grad < -0.05).all()


@pytest.mark.parametrize("name", ONE_LABEL)
def test_autocast_changes_nothing_but_the_precision_of_the_logits(name: str) -> None:
    loss = make_loss(Loss(name=name), task=Task.MULTICLASS, class_counts=COUNTS, n=N, embedding_dim=4)
    logits = torch.tensor(given_batch()[0]).bfloat16()
    targets, embeddings = torch.eye(3)[[0, 1, 2, 0, 1]], torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(logits, targets.bfloat16(), embeddings.bfloat16())
    assert inside.dtype == torch.float32
    assert torch.equal(inside, loss(logits.float(), targets, embeddings.bfloat16().float()))


def test_auto_is_cross_entropy_or_bce() -> None:
    assert [resolved_name(Loss(), task) for task in Task] == ["cross_entropy", "cross_entropy", "bce"]


@pytest.mark.parametrize("name", ["bce", "asymmetric"])
def test_losses_of_several_labels_refuse_one(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_loss(Loss(name=name), task=Task.MULTICLASS, class_counts=COUNTS, n=N)
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        f"the loss {name!r} is for several labels per image, and here every image has exactly one: "
        "use cross_entropy, focal, class_balanced, logit_adjustment or supervised_contrastive"
    )


@pytest.mark.parametrize("name", ["cross_entropy", "supervised_contrastive"])
def test_losses_of_one_label_refuse_several(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_loss(Loss(name=name), task=Task.MULTILABEL, class_counts=COUNTS, n=N)
    assert str(caught.value) == (
        f"the loss {name!r} takes exactly one label per image, and here an image may have several: "
        "use bce, asymmetric, focal, class_balanced or logit_adjustment"
    )


def test_weights_of_a_loss_are_not_part_of_a_checkpoint() -> None:
    loss = make_loss(Loss(name="class_balanced"), task=Task.MULTICLASS, class_counts=COUNTS, n=N)
    assert not loss.state_dict()
    assert not list(loss.parameters())
