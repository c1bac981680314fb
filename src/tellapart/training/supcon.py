"""A projection in which images of one label lie together: supervised contrastive learning on frozen embeddings.

Source: Khosla et al. 2020, "Supervised Contrastive Learning", the loss they call L_out. Here the network is one linear map,
so the gradient is written down, and NumPy learns it in seconds. It begins at the principal components and is drawn back to them
a little: without that, labels it did not see fall together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, TrainingError
from tellapart.heads.components import principal_components
from tellapart.heads.objectives import Floats
from tellapart.heads.projection import Projection

TEMPERATURE = 0.1
# Components that it may mix: what lies behind the first 512 is noise of a few thousand images.
_MOST_COMPONENTS = 512
_BATCH, _TOGETHER = 512, 8
_STEPS, _MOST_STEPS, _EPOCHS = 150, 600, 20
_RATE, _PULL = 0.01, 5e-3

Told = Callable[[int, int], None]


def _silent(_done: int, _total: int) -> None:
    """Tells nothing."""


def fit_supcon(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    dim: int,
    *,
    seed: int = 0,
    told: Told = _silent,
) -> Projection:
    """Learn a projection to `dim` numbers from embeddings float32 (n, d) and labels 0/1 (n, k).

    Images are alike by the share of labels they have in common (|A ∩ B| / |A ∪ B|), for one label each: the same or not.
    `told(done, total)` hears of every step. The same arguments give the same projection on the same machine.

    Raises:
        TrainingError: `too_few_classes` when no two images share a label, or all have the same.
        SettingsError: `bad_setting` when so many numbers cannot be had of n embeddings.
    """
    _check(labels)
    n, d = embeddings.shape
    found = principal_components(embeddings, max(dim, min(_MOST_COMPONENTS, n - 1, d)), seed=seed)
    scale = np.float32(1 / np.sqrt(max(float(found.variances.sum()), 1e-20)))
    reduced = np.empty((n, found.directions.shape[1]), np.float32)
    for start in range(0, n, 16_384):
        rows = slice(start, start + 16_384)
        reduced[rows] = (embeddings[rows] - found.mean) @ found.directions * scale
    weights = _learned(reduced, labels, dim, np.random.default_rng(seed), told)
    return Projection("supcon", found.mean, np.ascontiguousarray(found.directions @ weights * scale, np.float32))


def _check(labels: NDArray[np.uint8]) -> None:
    counts = labels.sum(axis=0)
    if (counts > 0).sum() < 2:
        message = "a projection is learned from images of at least two labels; use pca, which needs none"
        raise TrainingError(Reason.TOO_FEW_CLASSES, message)
    if counts.max() < 2:
        message = (
            "a projection is learned from labels that several images have, each has one; use pca, which needs none"
        )
        raise TrainingError(Reason.TOO_FEW_IMAGES, message)


def _learned(x: Floats, labels: NDArray[np.uint8], dim: int, rng: np.random.Generator, told: Told) -> Floats:
    """Weights (r, dim) by Adam, the rate falling to 0 along a cosine."""
    start = np.eye(x.shape[1], dim, dtype=np.float32)
    adam, n_steps = _Adam(start.copy()), int(np.clip(_EPOCHS * len(x) / _BATCH, _STEPS, _MOST_STEPS))
    for step, rows in zip(range(n_steps), _batches(labels, rng), strict=False):
        gradient = x[rows].T @ contrast(x[rows] @ adam.value, labels[rows])[1] + _PULL * (adam.value - start)
        adam.step(gradient, _RATE * 0.5 * (1 + np.cos(np.pi * step / n_steps)))
        told(step + 1, n_steps)
    return adam.value


def _batches(labels: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of one batch after the other, without end; up to 8 images of the same labels stay together.

    With many labels a random batch would hold hardly two images that are alike.
    """
    _, kinds = np.unique(labels, axis=0, return_inverse=True)
    kinds = kinds.reshape(-1)
    while True:
        order = rng.permutation(len(kinds))
        order = order[np.argsort(kinds[order], kind="stable")]
        sorted_kinds = kinds[order]
        begins = np.flatnonzero(np.r_[True, sorted_kinds[1:] != sorted_kinds[:-1]])
        within = np.arange(len(order)) - np.repeat(begins, np.diff(np.r_[begins, len(order)]))
        chunk = np.cumsum(within % _TOGETHER == 0) - 1
        shuffled = order[np.argsort(rng.permutation(chunk[-1] + 1)[chunk], kind="stable")]
        whole = max(len(shuffled) - len(shuffled) % _BATCH, min(len(shuffled), _BATCH))
        yield from (shuffled[begin : begin + _BATCH] for begin in range(0, whole, _BATCH))


def contrast(projected: Floats, labels: NDArray[np.uint8]) -> tuple[float, Floats]:
    """Loss of projected vectors (b, m) with labels 0/1 (b, k), and its gradient (b, m).

    Of every image that has its like in the batch: the mean over these of -log softmax of the cosine over the temperature,
    among all other images.
    """
    lengths = np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), np.float32(1e-12))
    z = projected / lengths
    wanted, asked = _targets(labels)
    logits = z @ z.T / np.float32(TEMPERATURE)
    np.fill_diagonal(logits, -np.inf)
    logits -= logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    sums = shares.sum(axis=1, keepdims=True)
    np.fill_diagonal(logits, 0)
    n_asked = max(int(asked.sum()), 1)
    loss = -float((wanted * (logits - np.log(sums))).sum()) / n_asked
    slope = (shares / sums - wanted) * (asked[:, None] / np.float32(n_asked))
    by_unit = (slope + slope.T) @ z / np.float32(TEMPERATURE)
    inside = np.einsum("ij,ij->i", by_unit, z)[:, None]
    return loss, np.asarray((by_unit - inside * z) / lengths, np.float32)


def _targets(labels: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.bool_]]:
    """How alike each pair is, rows summing to 1, and which rows are like any other."""
    said = np.asarray(labels, np.float32)
    common = said @ said.T
    sizes = said.sum(axis=1)
    alike = common / np.maximum(sizes[:, None] + sizes - common, 1)
    np.fill_diagonal(alike, 0)
    sums = alike.sum(axis=1, keepdims=True)
    return np.asarray(alike / np.where(sums > 0, sums, 1), np.float32), sums[:, 0] > 0


@dataclass(slots=True)
class _Adam:
    """Adam (Kingma and Ba 2015) with its usual constants."""

    value: Floats
    mean: Floats | float = 0.0
    square: Floats | float = 0.0
    n_steps: int = 0

    def step(self, gradient: Floats, rate: float) -> None:
        """Move against a gradient."""
        self.n_steps += 1
        self.mean = np.float32(0.9) * self.mean + np.float32(0.1) * gradient
        self.square = np.float32(0.999) * self.square + np.float32(0.001) * gradient**2
        size = np.sqrt(self.square / (1 - 0.999**self.n_steps)) + 1e-8
        self.value = np.asarray(self.value - rate * (self.mean / (1 - 0.9**self.n_steps)) / size, np.float32)
