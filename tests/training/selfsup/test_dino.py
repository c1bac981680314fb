"""DINO's loss, centre, teacher and multi-crop are those of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from tellapart.backbones.torch_libraries import load_timm  # noqa: E402

load_timm()

from tests.training.selfsup.networks import tiny_network  # noqa: E402

from tellapart.settings.pretraining import Dino, Pretraining  # noqa: E402
from tellapart.training.selfsup.dino import DinoLoss, DinoMethod, PrototypeHead, momentum_at  # noqa: E402
from tellapart.training.selfsup.monitor import spread  # noqa: E402

SMALL = Dino(prototypes=16, bottleneck=8, local_views=2)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(values - values.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def test_the_loss_is_the_cross_entropy_of_all_pairs_of_different_views() -> None:
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(4, 5, 16)), rng.normal(size=(2, 5, 16))
    centre = rng.normal(size=16)
    loss = DinoLoss(SMALL).double()
    loss.centre.copy_(torch.from_numpy(centre))
    terms = [
        -(softmax((teacher[i] - centre) / 0.04) * np.log(softmax(student[j] / 0.1))).sum(1).mean()
        for i in range(2)
        for j in range(4)
        if i != j
    ]
    found = loss(list(torch.from_numpy(student)), list(torch.from_numpy(teacher)))
    assert len(terms) == 6
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-4)


def test_the_centre_follows_the_mean_of_the_answers() -> None:
    loss = DinoLoss(SMALL)
    answers = [torch.full((3, 16), 1.0), torch.full((3, 16), 3.0)]
    loss.update_centre(answers)
    assert loss.centre.tolist() == pytest.approx([0.1 * 2.0] * 16)
    loss.update_centre(answers)
    assert loss.centre.tolist() == pytest.approx([0.9 * 0.2 + 0.1 * 2.0] * 16)


def test_centring_takes_away_what_all_answers_share() -> None:
    loss = DinoLoss(SMALL)
    loss.centre.copy_(torch.arange(16.0))
    assert loss.targets(torch.arange(16.0).repeat(3, 1)).tolist()[0] == pytest.approx([1 / 16] * 16)


def views(n: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = (16, 16, 8, 8)
    return [torch.randn(n, 3, size, size, generator=generator) for size in sizes]


def test_the_teacher_is_a_running_average_of_the_student() -> None:
    method = DinoMethod(tiny_network(), Pretraining(dino=SMALL))
    before = [weight.clone() for weight in method.teacher.parameters()]
    with torch.no_grad():
        for weight in method.student.parameters():
            weight.add_(1.0)
    method.after_step(0.0)
    moved = [(after - old).mean().item() for after, old in zip(method.teacher.parameters(), before, strict=True)]
    assert moved == pytest.approx([0.01] * len(moved), rel=1e-3)
    method.after_step(1.0)
    still = [(after - old).mean().item() for after, old in zip(method.teacher.parameters(), before, strict=True)]
    assert still == pytest.approx(moved)


def test_the_momentum_rises_to_one_by_a_half_cosine() -> None:
    assert momentum_at(0.9, 0.0) == pytest.approx(0.9)
    assert momentum_at(0.9, 0.5) == pytest.approx(0.95)
    assert momentum_at(0.9, 1.0) == pytest.approx(1.0)
    assert momentum_at(0.9, 0.25) == pytest.approx(1 - 0.1 * (1 + math.cos(math.pi / 4)) / 2)


def test_only_the_student_gets_gradients_and_the_prototypes_none_in_the_first_epoch() -> None:
    method = DinoMethod(tiny_network(), Pretraining(dino=SMALL))
    method.loss(views(), 0).backward()
    assert all(weight.grad is None for weight in method.teacher.parameters())
    assert method.student.head.prototypes.weight.grad is None
    assert method.network.body.stem[0].weight.grad is not None
    method.loss(views(), 1).backward()
    assert method.student.head.prototypes.weight.grad is not None


def test_the_state_holds_the_teacher_once() -> None:
    method = DinoMethod(tiny_network(), Pretraining(dino=SMALL))
    names = list(method.state_dict())
    assert {name.split(".")[0] for name in names} == {"student", "teacher", "criterion"}
    assert "criterion.centre" in names


def test_the_student_learns_what_a_teacher_that_stays_says() -> None:
    torch.manual_seed(1)
    still = SMALL.model_copy(update={"centre_momentum": 1.0})
    method = DinoMethod(tiny_network(), Pretraining(dino=still))
    optimizer = torch.optim.AdamW(method.student.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append(method.loss(views(), 1))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < losses[0].item() - 0.1
    assert method.project(views()[0]).shape == (6, 8)
    assert method.result is method.teacher.network


def test_answers_that_are_all_alike_are_seen() -> None:
    """Also when the centre has taken away all that they share."""
    method = DinoMethod(tiny_network(), Pretraining(dino=SMALL))
    seen = spread(method.project(views(40)[0]).detach().numpy())
    with torch.no_grad():
        last = method.teacher.head.layers[-1]
        last.weight.mul_(1e-3)
        last.bias.fill_(1.0)
    planted = spread(method.project(views(40)[0]).detach().numpy())
    assert not seen.collapsed
    assert planted.collapsed


def test_vectors_with_much_in_common_do_not_lie_in_one_place() -> None:
    """As those of convolutional networks, whose columns are above nought."""
    head = PrototypeHead(8, SMALL)
    vectors = 5 + torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    assert spread(head.places(vectors).detach().numpy()).deviation > 0.5
