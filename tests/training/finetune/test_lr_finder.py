"""The range test: where it ends, what it suggests, what it says of curves that say nothing, and that it leaves no trace."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tellapart.errors import Reason, TrainingError  # noqa: E402
from tellapart.training.finetune.lr_finder import Found, find_lr, find_network_lr, restoring, smoothed  # noqa: E402
from tellapart.training.finetune.lr_picture import lr_picture  # noqa: E402


def falling(at: float, noise: float = 0.0, runs_away: float = math.inf) -> Callable[[float], float]:
    """A loss that falls from 2 to 1, fastest at the rate `at`, and grows without bound from `runs_away` on."""
    rng = np.random.default_rng(0)

    def step(rate: float) -> float:
        loss = 1.5 - 0.5 * math.tanh(2 * math.log10(rate / at)) + noise * rng.normal()
        return loss + 50 * (rate / runs_away - 1) if rate > runs_away else loss

    return step


@pytest.mark.parametrize("at", [1e-4, 1e-2, 0.3])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_suggestion_is_where_the_loss_falls_fastest(at: float, noise: float) -> None:
    found = find_lr(falling(at, noise))
    assert found.lr is not None
    assert abs(math.log10(found.lr / at)) < 0.35
    assert found.why.startswith(f"the loss fell fastest at a rate of {found.lr:.2g}; it was lowest at ")


def test_it_ends_when_the_loss_runs_away() -> None:
    found = find_lr(falling(1e-3, runs_away=0.1))
    assert 0.1 < found.rates[-1] < 1
    assert found.lr == pytest.approx(1e-3, rel=0.5)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 100


def test_rates_grow_by_the_same_factor() -> None:
    found = find_lr(lambda rate: 1.0 + rate * 1e-9, lowest=1e-4, highest=1.0, steps=41)
    assert found.rates == pytest.approx(np.geomspace(1e-4, 1, 41))


def test_it_ends_at_a_loss_that_is_no_number_and_reads_what_came_before() -> None:
    found = find_lr(lambda rate: math.nan if rate > 0.1 else falling(1e-3)(rate))
    assert found.rates[-1] < 0.1
    assert found.lr == pytest.approx(1e-3, rel=0.5)


def test_a_flat_curve_suggests_nothing_and_says_so() -> None:
    rng = np.random.default_rng(1)
    found = find_lr(lambda _: 2.3 + 0.1 * rng.normal())
    assert found.lr is None
    assert re.fullmatch(
        r"the loss fell at no rate from 1e-06 to 1e\+01 by more than it varies from batch to batch "
        r"\(0\.\d+, where it varies by 0\.\d+\)",
        found.why,
    )


def test_a_loss_that_only_rises_suggests_nothing() -> None:
    assert find_lr(lambda rate: 1.0 + 10 * rate).lr is None


def test_a_loss_that_runs_away_within_a_few_steps_suggests_nothing() -> None:
    found = find_lr(lambda rate: 1.0 if rate < 2e-6 else math.inf)
    assert found.lr is None
    assert (
        found.why
        == f"the loss was no number after {len(found.losses)} steps at rates up to 2e-06: nothing can be read from it"
    )


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_at_once_is_an_error(loss: float) -> None:
    with pytest.raises(TrainingError) as caught:
        find_lr(lambda _: loss)
    assert caught.value.reason is Reason.DIVERGED
    assert str(caught.value) == (
        "the loss is not a number before anything was learned: the range test of the learning rate cannot begin. "
        "Are the weights that the network starts from whole? Does precision 32 instead of 16 help?"
    )


def test_smoothing_keeps_lines_and_does_not_lag() -> None:
    line = np.arange(30.0)
    assert smoothed(line)[4:-4] == pytest.approx(line[4:-4])
    bump = np.exp(-((np.arange(41) - 20.0) ** 2) / 20)
    assert int(smoothed(bump).argmax()) == 20
    assert smoothed(np.ones(5)).tolist() == [1] * 5


def network() -> Any:
    torch.manual_seed(0)
    layers = [
        torch.nn.Linear(6, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.1),
        torch.nn.Linear(8, 2),
    ]
    return torch.nn.Sequential(*layers)


def batches(n: int) -> list[Any]:
    rows = [torch.randn(32, 6, generator=torch.Generator().manual_seed(seed)) for seed in range(n)]
    return [(x, (x[:, 0] > 0).long()) for x in rows]


def loss_of(model: Any) -> Callable[[Any], Any]:
    return lambda batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1])


def state_of(model: Any, optimizer: Any) -> list[Any]:
    numbers = [value.clone() for value in model.state_dict().values()]
    numbers += [p.grad.clone() for p in model.parameters() if p.grad is not None]
    for state in optimizer.state_dict()["state"].values():
        numbers += [value.clone() for value in state.values() if isinstance(value, torch.Tensor)]
    return [*numbers, torch.get_rng_state(), torch.tensor([group["lr"] for group in optimizer.param_groups])]


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_network_is_left_as_it_was_and_its_rate_learns(kind: str) -> None:
    model = network().eval()
    made = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[kind]
    optimizer = made(
        [{"params": model[0].parameters(), "lr": 0.05}, {"params": list(model[1:].parameters()), "lr": 0.1}]
    )
    loss_of(model)(batches(1)[0]).backward()
    optimizer.step()
    before = state_of(model, optimizer)
    found = find_network_lr(model, loss_of(model), batches(7), optimizer)
    assert all(torch.equal(a, b) for a, b in zip(before, state_of(model, optimizer), strict=True))
    assert not model.training
    assert found.lr is not None
    for group in optimizer.param_groups:
        group["lr"] = found.lr
    first = loss_of(model)(batches(1)[0]).item()
    for batch in batches(40):
        optimizer.zero_grad()
        loss_of(model)(batch).backward()
        optimizer.step()
    assert loss_of(model)(batches(1)[0]).item() < 0.7 * first


def test_weights_of_the_loss_itself_are_put_back_too() -> None:
    model, projection = network(), torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD([*model.parameters(), *projection.parameters()], lr=0.1)
    before = projection.weight.detach().clone()
    find_network_lr(
        model,
        lambda batch: torch.nn.functional.cross_entropy(projection(model(batch[0])), batch[1]),
        batches(3),
        optimizer,
    )
    assert torch.equal(before, projection.weight)


def test_it_is_put_back_after_an_error() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = state_of(model, optimizer)
    with pytest.raises(RuntimeError, match="broken"), restoring(model, optimizer):  # noqa: PT012
        loss_of(model)(batches(1)[0]).backward()
        optimizer.step()
        raise RuntimeError("broken")
    assert all(torch.equal(a, b) for a, b in zip(before, state_of(model, optimizer), strict=True))


def test_batches_that_end_are_named() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="the batches ended before the range test did, and do not begin anew"):
        find_network_lr(model, loss_of(model), iter(batches(3)), optimizer)


def test_groups_keep_their_proportion_and_gradients_their_limit() -> None:
    model, seen = network(), []
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[4].parameters(), "lr": 0.1}]
    )

    def noting(batch: Any) -> Any:
        seen.append([group["lr"] for group in optimizer.param_groups])
        return 1000 * loss_of(model)(batch)

    found = find_network_lr(model, noting, batches(3), optimizer, clip_norm=1e-6, steps=20)
    assert [low / high for low, high in seen] == pytest.approx([0.1] * 20)
    assert len(found.rates) == 20  # without the limit it would have run away


def test_the_picture_is_a_file_of_its_own() -> None:
    import xml.etree.ElementTree as ElementTree

    picture = lr_picture(find_lr(falling(1e-3, 0.03, runs_away=0.1)))
    root = ElementTree.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "fastest fall: " in picture
    numbers = [float(value) for line in re.findall(r'points="([^"]+)"', picture) for value in re.split("[ ,]", line)]
    assert min(numbers) >= 0
    assert max(numbers) <= 460


def test_the_picture_says_when_there_is_no_suggestion() -> None:
    assert "no learning rate can be read from this curve" in lr_picture(find_lr(lambda _: 2.0))
    assert "<svg" in lr_picture(Found(None, (1e-6,), (2.0,), (2.0,), "one step"))
