"""Learning from a teacher: the loss against its formula and its limits, and a job that is taught."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tellapart.records import Task  # noqa: E402
from tellapart.settings.recipe import Distillation  # noqa: E402
from tellapart.training.finetune.teacher_loss import TeacherLoss, divergence, softened  # noqa: E402

TASKS = [Task.MULTICLASS, Task.MULTILABEL]


def batch() -> tuple[Any, Any, Any]:
    """The loss of the labels, logits, and the teacher's logits."""
    generator = torch.Generator().manual_seed(0)
    logits, teacher = (2 * torch.randn(4, 3, generator=generator) for _ in range(2))
    return torch.tensor(0.8), logits, teacher


def made(weight: float, temperature: float = 4.0, task: Task = Task.MULTICLASS) -> TeacherLoss:
    return TeacherLoss(Distillation(teacher="big", weight=weight, temperature=temperature), task)


def soft(teacher: Any, temperature: float, task: Task = Task.MULTICLASS) -> Any:
    return torch.from_numpy(softened(teacher.numpy(), temperature, task))


def test_it_is_hintons_formula() -> None:
    plain, logits, teacher = batch()
    q, p = (torch.softmax(x.double() / 3, 1).numpy() for x in (teacher, logits))
    distance = (q * np.log(q / p)).sum(axis=1).mean()
    found = made(0.3, 3.0)(plain, logits, soft(teacher, 3.0)).item()
    assert found == pytest.approx(0.7 * 0.8 + 0.3 * 9 * distance, rel=1e-4)


def test_several_labels_have_a_distance_each() -> None:
    plain, logits, teacher = batch()
    q, p = (torch.sigmoid(x.double() / 3).numpy() for x in (teacher, logits))
    distance = (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))).mean()
    found = made(0.3, 3.0, Task.MULTILABEL)(plain, logits, soft(teacher, 3.0, Task.MULTILABEL)).item()
    assert found == pytest.approx(0.7 * 0.8 + 0.3 * 9 * distance, rel=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_who_answers_like_the_teacher_is_at_no_distance(task: Task) -> None:
    plain, _, teacher = batch()
    assert abs(made(1.0, 4.0, task)(plain, teacher, soft(teacher, 4.0, task)).item()) < 1e-5


@pytest.mark.parametrize("task", TASKS)
def test_without_weight_it_is_the_plain_loss(task: Task) -> None:
    plain, logits, teacher = batch()
    assert torch.equal(made(0.0, 4.0, task)(plain, logits, soft(teacher, 4.0, task)), plain)


def test_the_gradient_hardly_depends_on_the_temperature() -> None:
    sizes = []
    for temperature in (20.0, 40.0):
        plain, logits, teacher = batch()
        logits.requires_grad_()
        made(1.0, temperature)(plain, logits, soft(teacher, temperature)).backward()
        sizes.append(logits.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [0.0, 1.0, 1e3])
def test_it_is_finite_for_teachers_that_are_sure(task: Task, size: float) -> None:
    plain, logits, teacher = batch()
    logits = (logits * size).requires_grad_()
    value = made(0.5, 1.0, task)(plain, logits, soft(teacher * 1e3, 1.0, task))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


def test_mixed_answers_of_the_teacher_are_still_probabilities() -> None:
    _, logits, teacher = batch()
    both = soft(teacher, 2.0)
    mixed = 0.3 * both + 0.7 * both.roll(1, 0)
    assert divergence(logits / 2, mixed, Task.MULTICLASS).item() > 0
    assert mixed.sum(1).tolist() == pytest.approx([1] * 4)


def test_autocast_does_not_change_it() -> None:
    plain, logits, teacher = batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = made(0.5)(plain, logits, soft(teacher, 4.0))
    assert torch.equal(inside, made(0.5)(plain, logits, soft(teacher, 4.0)))
