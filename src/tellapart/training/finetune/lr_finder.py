"""The learning rate from a range test: a few dozen steps at ever higher rates, and the rate at which the loss fell fastest.

Smith 2017 (cyclical learning rates), with the rates growing exponentially. The network is put back as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.errors import Reason, TrainingError

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 100
DIVERGED = 4.0
"""The test ends when the smoothed loss is this many times the lowest one, or no number."""

_WIDTH = 9
_NOISE = 2.0
_LEAST_FALL = 0.02
Batch = tuple[Tensor, Tensor]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """A range test: the loss before the step at each rate, the smoothed one, and what follows.

    `lr` is the suggestion, None where the curve has none to make; `why` says in a sentence how it came about.
    """

    lr: float | None
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    why: str


def find_lr(
    step: Callable[[float], float], *, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS
) -> Found:
    """Call `step(rate)`, which learns from a batch at that rate and returns the loss it had before, at rising rates.

    Raises:
        TrainingError: `diverged` when the first loss is not a number.
    """
    rates: list[float] = []
    losses: list[float] = []
    for rate in np.geomspace(lowest, highest, steps).tolist():
        loss = step(rate)
        if not math.isfinite(loss):
            break
        rates.append(rate)
        losses.append(loss)
        if _diverged(losses):
            break
    if not losses:
        raise TrainingError(Reason.DIVERGED, _NO_NUMBER)
    smooth = smoothed(np.array(losses))
    lr, why = _suggestion(np.array(rates), np.array(losses), smooth)
    return Found(lr, tuple(rates), tuple(losses), tuple(smooth.tolist()), why)


def find_network_lr(
    network: nn.Module,
    loss: Callable[[Batch], Tensor],
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    *,
    clip_norm: float = 0.0,
    steps: int = STEPS,
) -> Found:
    """The range test of a network in training.

    Network and optimiser are as they were afterwards, and so is torch's random state. `batches`, a list or what else begins
    anew when it is iterated again, are gone through as often as needed. Groups of the optimiser keep the proportion of their
    rates: the rate tried is that of the highest.

    Args:
        loss: a batch's mean loss, from which gradients flow into the network's parameters.
        clip_norm: largest norm of the gradient, as in the training; 0: no limit.

    Raises:
        TrainingError: `diverged` when the first loss is not a number.
    """
    given = _endless(batches)
    highest = max(group["lr"] for group in optimizer.param_groups)
    shares = [group["lr"] / highest for group in optimizer.param_groups]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def step(rate: float) -> float:
        for group, share in zip(optimizer.param_groups, shares, strict=True):
            group["lr"] = rate * share
        optimizer.zero_grad()
        value = loss(next(given))
        value.backward()
        if clip_norm:
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        return float(value.detach())

    with closing(given), restoring(network, optimizer):
        network.train()
        return find_lr(step, steps=steps)


def _endless(batches: Iterable[Batch]) -> Generator[Batch]:
    """Again from the beginning at the end; none is kept, as there may be more than the memory holds."""
    while True:
        nothing = True
        for batch in batches:
            nothing = False
            yield batch
        if nothing:
            raise ValueError("the batches ended before the range test did, and do not begin anew")


@contextmanager
def restoring(network: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Put weights, buffers, gradients, modes, the optimiser and torch's random states back at the end."""
    modes = {module: module.training for module in network.modules()}
    gradients = [(p, p.grad) for group in optimizer.param_groups for p in group["params"]]
    learned = deepcopy([p.detach() for p, _ in gradients])
    weights, state = deepcopy(network.state_dict()), deepcopy(optimizer.state_dict())
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        with torch.random.fork_rng():
            yield
    finally:
        network.load_state_dict(weights)
        with torch.no_grad():
            for (parameter, gradient), values in zip(gradients, learned, strict=True):
                parameter.copy_(values)  # a loss may have parameters that the network does not
                parameter.grad = gradient
        optimizer.load_state_dict(state)
        for module, mode in modes.items():
            module.training = mode


def smoothed(losses: Doubles) -> Doubles:
    """Mean of 9 neighbours, weighted by a triangle; fewer at the ends. Unlike a running average it does not lag."""
    half = _WIDTH // 2
    weights = (1.0 + half) - np.abs(np.arange(-half, half + 1))
    summed = np.convolve(losses, weights)[half : half + len(losses)]
    return np.asarray(summed / np.convolve(np.ones(len(losses)), weights)[half : half + len(losses)])


def _suggestion(rates: Doubles, losses: Doubles, smooth: Doubles) -> tuple[float | None, str]:
    if len(losses) < _WIDTH:
        return (
            None,
            f"the loss was no number after {len(losses)} steps at rates up to {rates[-1]:.1g}: nothing can be read from it",
        )
    bottom = int(smooth.argmin())
    fall = float(smooth[: bottom + 1].max() - smooth[bottom])
    noise = float(np.std((losses - smooth)[: bottom + 1]))  # not of the end, where it runs away
    if fall < max(_NOISE * noise, _LEAST_FALL * abs(float(smooth[0]))) or not bottom:
        return None, (
            f"the loss fell at no rate from {rates[0]:.1g} to {rates[-1]:.1g} by more than it varies from batch to batch "
            f"({fall:.2g}, where it varies by {noise:.2g})"
        )
    slope = np.gradient(smooth[: bottom + 1], np.log(rates[: bottom + 1]))
    steepest = int(slope[:-1].argmin())  # not the bottom itself, where the fall is over
    return float(rates[steepest]), (
        f"the loss fell fastest at a rate of {rates[steepest]:.2g}; it was lowest at {rates[bottom]:.2g}"
    )


def _diverged(losses: list[float]) -> bool:
    if len(losses) < _WIDTH:
        return False
    lately = smoothed(np.array(losses))
    return bool(lately[-1] > DIVERGED * max(float(lately.min()), 1e-12))


_NO_NUMBER = (
    "the loss is not a number before anything was learned: the range test of the learning rate cannot begin. Are the weights "
    "that the network starts from whole? Does precision 32 instead of 16 help?"
)
