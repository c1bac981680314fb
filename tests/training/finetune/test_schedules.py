"""Learning rates step by step, and that a resumed schedule goes on where it stood."""

from __future__ import annotations

import json
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tellapart.settings.recipe import Schedule  # noqa: E402
from tellapart.training.finetune.schedules import Rate, end_epoch, make_schedule, restored  # noqa: E402

EVERY = ["cosine", "one_cycle", "plateau", "constant"]


def optimizer(*rates: float) -> Any:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (1.0,)]
    return torch.optim.SGD(groups, momentum=0.9)


def run(schedule: Schedule, losses: list[float], steps: int = 5) -> list[float]:
    """The rate of every step, with the loss that each epoch ends with."""
    moved, rates = optimizer(), []
    made = make_schedule(moved, schedule, len(losses), steps)
    for loss in losses:
        for _ in range(steps):
            rates.append(moved.param_groups[0]["lr"])
            moved.step()
            made.step()
        end_epoch(made, loss)
    return rates


def test_cosine_warms_up_and_falls_to_the_floor() -> None:
    rates = run(Schedule(name="cosine", warmup_epochs=1, floor=0.1), [1.0] * 5)
    assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert rates[5] == 1
    assert rates[5:] == sorted(rates[5:], reverse=True)
    rate = Rate(Schedule(warmup_epochs=0, floor=0.1), 20, 0)
    assert [rate(step) for step in (0, 10, 20, 30)] == pytest.approx([1, 0.55, 0.1, 0.1])


def test_one_cycle_rises_and_falls() -> None:
    rates = run(Schedule(name="one_cycle", floor=0.01), [1.0] * 6)
    top = rates.index(max(rates))
    assert rates[0] == pytest.approx(0.04)
    assert rates[top] == 1
    assert top == round(0.3 * 29)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert Rate(Schedule(name="one_cycle", floor=0.01), 30, 0)(30) == pytest.approx(0.01)


def test_constant_stays() -> None:
    assert run(Schedule(name="constant", warmup_epochs=0), [1.0] * 2) == [1.0] * 10


def test_plateau_falls_to_a_tenth_after_three_epochs_without_gain_and_not_below_the_floor() -> None:
    losses = [1.0, 0.5, 0.5, 0.6, 0.5, 0.4, 0.4, float("nan"), 0.4, 0.4, 0.4, 0.4, 0.4]
    rates = run(Schedule(name="plateau", warmup_epochs=0, floor=0.05), losses)
    assert rates[::5] == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05])


def test_plateau_sees_a_gain_after_an_epoch_that_was_not_a_number() -> None:
    rate = Rate(Schedule(name="plateau"), 10, 0)
    for loss in (float("nan"), 2.0, 1.0, 0.5):
        rate.end_epoch(loss)
    assert (rate.drops, rate.waited, rate.best) == (0, 0, 0.5)


@pytest.mark.parametrize("name", EVERY)
def test_one_epoch_reaches_the_highest_rate_although_the_warm_up_is_as_long(name: str) -> None:
    assert max(run(Schedule(name=name, warmup_epochs=1), [1.0], steps=10)) == 1


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_trainings_have_a_rate(name: str, steps: int) -> None:
    assert all(0 < rate <= 1 for rate in run(Schedule(name=name, warmup_epochs=0.5, floor=0.0), [1.0], steps=steps))


@pytest.mark.parametrize("name", EVERY)
def test_groups_keep_their_proportion(name: str) -> None:
    moved = optimizer(1.0, 0.1)
    made = make_schedule(moved, Schedule(name=name), 3, 4)
    for _ in range(12):
        assert moved.param_groups[1]["lr"] == pytest.approx(0.1 * moved.param_groups[0]["lr"])
        moved.step()
        made.step()


@pytest.mark.parametrize("name", EVERY)
def test_a_resumed_schedule_goes_on_at_the_same_rates(name: str) -> None:
    schedule, losses = Schedule(name=name, floor=0.001), [1.0] * 9
    whole = run(schedule, losses)
    moved = optimizer()
    made = make_schedule(moved, schedule, 9, 5)
    for _ in range(6):
        for _ in range(5):
            moved.step()
            made.step()
        end_epoch(made, 1.0)
    state = json.loads(json.dumps(made.state_dict()))
    later = optimizer()
    again = make_schedule(later, schedule, 9, 5)
    restored(again, state)
    rates = []
    for _ in range(3):
        for _ in range(5):
            rates.append(later.param_groups[0]["lr"])
            later.step()
            again.step()
        end_epoch(again, 1.0)
    assert rates == whole[30:]
