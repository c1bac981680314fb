"""NT-Xent is the formula of the paper, and a few steps of it bring views of one image together."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from tests.training.selfsup.networks import tiny_network  # noqa: E402

from tellapart.settings.pretraining import Pretraining  # noqa: E402
from tellapart.training.selfsup.simclr import SimClrMethod, nt_xent  # noqa: E402


def by_hand(first: NDArray[np.float64], second: NDArray[np.float64], temperature: float) -> float:
    """Equation 1 of Chen et al. 2020, term by term."""
    both = np.concatenate([first, second])
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    n, terms = len(first), []
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        weights = [np.exp(both[i] @ both[k] / temperature) for k in range(2 * n) if k != i]
        terms.append(-np.log(np.exp(both[i] @ both[partner] / temperature) / sum(weights)))
    return float(np.mean(terms))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_the_formula_of_the_paper(temperature: float) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 7))
    found = nt_xent(torch.from_numpy(first), torch.from_numpy(second), temperature)
    assert found.item() == pytest.approx(by_hand(first, second, temperature), rel=1e-5)


def test_nt_xent_of_equal_vectors_is_that_of_guessing() -> None:
    same = torch.ones(6, 4)
    assert nt_xent(same, same, 0.2).item() == pytest.approx(np.log(2 * 6 - 1), rel=1e-5)


def test_nt_xent_takes_no_notice_of_lengths() -> None:
    first, second = torch.randn(4, 3), torch.randn(4, 3)
    assert nt_xent(3 * first, second, 0.3).item() == pytest.approx(nt_xent(first, second, 0.3).item(), rel=1e-5)


def test_steps_bring_views_of_one_image_together() -> None:
    method = SimClrMethod(tiny_network(), Pretraining())
    optimizer = torch.optim.SGD(method.parameters(), lr=0.3)
    colours = torch.linspace(-1, 1, 8 * 3).view(8, 3, 1, 1)
    views = [colours + 0.1 * torch.randn(8, 3, 12, 12) for _ in range(2)]
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        losses.append(method.loss(views, 0))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < 0.7 * losses[0].item()
    assert method.project(views[0]).shape == (8, 128)
    assert method.result is method.network
