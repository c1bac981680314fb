"""Optimisers by name, the rates they start from, and exact resumption."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tellapart.errors import Reason, SettingsError  # noqa: E402
from tellapart.settings.recipe import Optimizer  # noqa: E402
from tellapart.training.finetune.optimizers import (  # noqa: E402
    checked_name,
    family,
    learning_rate,
    make_optimizer,
)


def network() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


def groups(model: Any, lr: float | None = 0.01) -> list[dict[str, Any]]:
    given = {} if lr is None else {"lr": lr}
    return [{"params": list(model[0].parameters()), **given}, {"params": list(model[2].parameters()), **given}]


def learn(model: Any, optimizer: Any, steps: range) -> None:
    for step in steps:
        x = torch.randn(16, 6, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
        optimizer.step()


def error(model: Any) -> float:
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(99))
    return torch.nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()).item()


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion", "lamb", "rmsprop", "nadamw", "lookahead_adamw", "AdamW"])
def test_an_optimiser_learns(name: str) -> None:
    model = network()
    before = error(model)
    learn(model, make_optimizer(groups(model), Optimizer(name=name), 32), range(60))
    assert error(model) < 0.85 * before


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion", "lamb"])
def test_resumption_is_exact(name: str) -> None:
    whole, first, second = network(), network(), network()
    learn(whole, make_optimizer(groups(whole), Optimizer(name=name), 32), range(8))
    before = make_optimizer(groups(first), Optimizer(name=name), 32)
    learn(first, before, range(5))
    after = make_optimizer(groups(second), Optimizer(name=name), 32)
    second.load_state_dict(first.state_dict())
    after.load_state_dict(before.state_dict())
    learn(second, after, range(5, 8))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))


def test_groups_keep_their_own_rate_and_decay() -> None:
    model = network()
    given = groups(model)
    given[0] |= {"lr": 0.001, "weight_decay": 0.0}
    made = make_optimizer(given, Optimizer(name="sgd", momentum=0.7, weight_decay=0.3), 32)
    assert [(g["lr"], g["weight_decay"], g["momentum"]) for g in made.param_groups] == [
        (0.001, 0.0, 0.7),
        (0.01, 0.3, 0.7),
    ]


def test_groups_without_a_rate_take_the_automatic_one() -> None:
    options = Optimizer(name="adamw")
    made = make_optimizer(groups(network(), None), options, 128, start="scratch")
    assert {g["lr"] for g in made.param_groups} == {learning_rate(options, "scratch", 128)}


def test_rates_grow_with_the_batch_for_sgd_and_with_its_root_for_the_others() -> None:
    def growth(name: str, lr: float | str) -> float:
        options = Optimizer(name=name, lr=lr)
        return learning_rate(options, "scratch", 128) / learning_rate(options, "scratch", 32)

    assert [growth(name, lr) for name in ("sgd", "adamw", "lion") for lr in ("auto", 0.3)] == [4, 4, 2, 2, 2, 2]
    assert growth("kron", 0.3) == 2
    assert learning_rate(Optimizer(name="sgd", lr=0.3), "scratch", 32) == 0.3


def test_good_weights_are_moved_more_gently() -> None:
    for name in ("sgd", "adamw", "lion"):
        pretrained, scratch = (learning_rate(Optimizer(name=name), start, 32) for start in ("pretrained", "scratch"))
        assert pretrained < scratch


def test_every_name_of_a_family_is_one_of_timms() -> None:
    from tellapart.training.finetune import optimizers

    names = optimizers._SGD + optimizers._ADAM + optimizers._LION
    assert [checked_name(name) for name in names] == list(names)
    assert family("lookahead_nadamw") == "adam"


def test_an_optimiser_with_rules_of_its_own_has_no_automatic_rate() -> None:
    with pytest.raises(SettingsError) as caught:
        learning_rate(Optimizer(name="kron"), "scratch", 32)
    assert str(caught.value) == (
        "there is no automatic learning rate for the optimiser 'kron': set optimizer.lr to a number or to find, "
        "or take sgd or adamw"
    )


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingsError) as caught:
        make_optimizer(groups(network()), Optimizer(name="adanw8"), 32)
    assert caught.value.reason is Reason.UNKNOWN_NAME
    assert str(caught.value).startswith("timm knows no optimiser 'adanw8'; did you mean adanw or ")


def test_one_that_needs_what_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm.optim

    def refuse(*args: Any, **options: Any) -> None:
        raise RuntimeError("CUDA required")

    monkeypatch.setattr(timm.optim, "create_optimizer_v2", refuse)
    with pytest.raises(SettingsError) as caught:
        make_optimizer(groups(network()), Optimizer(name="bnbadamw"), 32)
    assert str(caught.value) == (
        "timm's optimiser 'bnbadamw' cannot be used here (CUDA required); sgd and adamw always can"
    )
