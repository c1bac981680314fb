"""Preconditioned L-BFGS for penalised linear models: a batch of problems on one design matrix.

scikit-learn's default solver runs plain L-BFGS in float64 and needs hundreds of passes over correlated embeddings.
Here one eigendecomposition of the features' covariance, made once and used for every fold and every C, undoes the
correlation: the Hessian of class c is close to a_c·XᵀX + I with a_c the mean variance of its probability (the block
diagonal of Böhning's bound, Ann. Inst. Stat. Math. 44, 1992, sharpened by the current variances), and its inverse costs
two small products. Logits are linear in the weights, so a line search needs no product at all: two products a step.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.objectives import Doubles, Floats, Objective

# The intercept is free, as in scikit-learn. This much (of the summed weights) keeps it finite where a class has no
# example.
BIAS_RIDGE = 1e-6
_MEMORY = 10
_REFRESH = frozenset({0, 2, 5, 10, 20, 40, 80})
_MAX_ITERATIONS = 400
# Losses are sums of float32 terms: closer than this, relatively, two of them cannot be told apart. So many steps in a
# row that gain no more than that end the search.
_NOISE = 1e-7
_IDLE = 4
# Times the number of features.
_FEW = 8
# Share of the largest eigenvalue.
_SOUND = 1e-7
# Directions looked at beyond those that are kept.
_EXTRA = 16


@dataclass(frozen=True, slots=True)
class Design:
    """Standardised features ready for the solver.

    `matrix` float32 (n, r + 1) ends in a column of ones; `mean` and `scale` (d,) standardised the embeddings. `basis`
    (d, r) is set where the features were turned along the principal directions: of the samples' span where n < d (the
    optimum lies in it), of all features where there are few samples. `eigenvalues` (r,) are those of the features'
    covariance; `eigenvectors` (r, r) too, or None where the features lie along them already.
    """

    matrix: Floats
    mean: Floats
    scale: Floats
    basis: Floats | None
    eigenvectors: Floats | None
    eigenvalues: Floats

    @classmethod
    def of(cls, embeddings: Floats, *, standardise: bool = True) -> Design:
        """Centre, scale to unit variance (constant features stay), decompose the covariance; reduce where n < d."""
        n, d = embeddings.shape
        mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
        matrix = np.empty((n, d + 1), np.float32)
        features = matrix[:, :d]
        np.subtract(embeddings, mean, out=features)
        scale = _scale(features) if standardise else np.ones(d, np.float32)
        features /= scale
        if n < d:
            values, basis = _principal(features)
            return cls(_with_ones(features @ basis), mean, scale, basis, None, values)
        matrix[:, -1] = 1
        values, vectors = np.linalg.eigh(features.T @ features / np.float32(n))
        return cls(matrix, mean, scale, None, vectors, np.maximum(values, 0))._turned()

    @classmethod
    def leading(cls, embeddings: Floats, rank: int) -> Design:
        """Standardised features along their `rank` leading principal directions alone: a tenth of the cost of all.

        By a randomised range finder with one power iteration (Halko, Martinsson, Tropp, SIAM Review 53, 2011), seeded.
        """
        n, d = embeddings.shape
        mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
        features = embeddings - mean
        scale = _scale(features)
        features /= scale
        wide = min(rank + _EXTRA, n, d)
        probes = np.random.default_rng(0).standard_normal((d, wide), np.float32)
        seen, _ = np.linalg.qr(features.T @ np.linalg.qr(features @ probes)[0])
        scores = features @ seen
        values, turn = np.linalg.eigh(scores.T @ scores / np.float32(n))
        first = slice(max(0, len(values) - rank), None)
        return cls(
            _with_ones(scores @ turn[:, first]), mean, scale, seen @ turn[:, first], None, np.maximum(values[first], 0)
        )

    def take(self, rows: NDArray[np.int64]) -> Design:
        """The same features and preconditioner for some of the samples."""
        return replace(self, matrix=self.matrix[rows])._turned()

    def _turned(self) -> Design:
        """Along the eigenvectors, once, where that costs less than turning every gradient there and back."""
        if self.eigenvectors is None or len(self.matrix) > _FEW * len(self.eigenvalues):
            return self
        matrix = self.matrix.copy()
        matrix[:, :-1] = self.matrix[:, :-1] @ self.eigenvectors
        basis = self.eigenvectors if self.basis is None else self.basis @ self.eigenvectors
        return replace(self, matrix=matrix, basis=basis, eigenvectors=None)

    def fold_back(self, solution: Floats) -> tuple[Floats, Floats]:
        """Weights (K, r + 1) on the standardised features → weight (d, K) and bias (K,) on plain embeddings."""
        weight, bias = solution[:, :-1].astype(np.float64), solution[:, -1].astype(np.float64)
        if self.basis is not None:
            weight = weight @ self.basis.T
        weight /= self.scale
        bias = bias - weight @ self.mean.astype(np.float64)
        return np.ascontiguousarray(weight.T, np.float32), bias.astype(np.float32)


def _principal(features: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (r,) and directions (d, r) of fewer samples than features, through the matrix of inner products."""
    n = np.float32(len(features))
    values, vectors = np.linalg.eigh(features @ features.T / n)
    # Below, float32 cannot tell a direction from rounding.
    sound = values > max(_SOUND * float(values[-1]), 1e-30)
    values = values[sound]
    return values, (features.T @ vectors[:, sound]) / np.sqrt(n * values)


def _with_ones(features: Floats) -> Floats:
    matrix = np.ones((len(features), features.shape[1] + 1), np.float32)
    matrix[:, :-1] = features
    return matrix


def _scale(centred: Floats) -> Floats:
    """Standard deviations; 1 for features that are constant but for rounding."""
    deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred) / np.float32(len(centred)))
    tiny = 1e-6 * float(deviation.max(initial=0.0))
    deviation[deviation <= tiny] = 1
    return np.asarray(deviation, np.float32)


@dataclass(frozen=True, slots=True)
class Solution:
    """`weights` float32 (B, K, r + 1), intercept last; penalised `losses` (B,); `products` with the design matrix."""

    weights: Floats
    losses: Doubles
    iterations: int
    products: int


class _Preconditioner:
    """Inverse of a·covariance + I per row, in the eigenbasis of the covariance."""

    def __init__(self, design: Design, objective: Objective, ridge: Doubles) -> None:
        self._design, self._objective, self._ridge = design, objective, ridge
        self._diagonal: Floats = np.empty(0, np.float32)
        self._bias: Floats = np.empty(0, np.float32)

    def refresh(self) -> None:
        curvature = np.maximum(self._objective.curvature(), 10 * self._ridge[:, None]).astype(np.float32)
        self._diagonal = np.asarray(1 / (1 + curvature[:, :, None] * self._design.eigenvalues), np.float32)
        self._bias = np.asarray(1 / curvature, np.float32)

    def apply(self, vector: Floats) -> Floats:
        result = np.empty_like(vector)
        blocks = vector.reshape(*self._bias.shape, -1)
        out = result.reshape(blocks.shape)
        vectors = self._design.eigenvectors
        if vectors is None:
            np.multiply(blocks[:, :, :-1], self._diagonal, out=out[:, :, :-1])
        else:
            turned = _rows(blocks) @ vectors
            turned *= self._diagonal.reshape(turned.shape)
            out[:, :, :-1] = (turned @ vectors.T).reshape(out[:, :, :-1].shape)
        np.multiply(blocks[:, :, -1], self._bias, out=out[:, :, -1])
        return result


def _rows(blocks: Floats) -> Floats:
    """(B, K, r + 1) → (B·K, r) without the intercepts."""
    return blocks.reshape(-1, blocks.shape[2])[:, :-1]


class _History:
    """The last steps and gradient changes of every problem; a problem whose step was none gets no say."""

    def __init__(self) -> None:
        self._pairs: deque[tuple[Floats, Floats, Floats]] = deque(maxlen=_MEMORY)

    def add(self, step: Floats, change: Floats) -> None:
        curvature = np.vecdot(step, change)
        # Below 1e-25 the inverse, times a gradient, would leave the range of float32.
        good = curvature > np.maximum(1e-12 * np.vecdot(change, change), np.float32(1e-25))
        inverse = np.zeros_like(curvature)
        np.divide(1, curvature, out=inverse, where=good)
        self._pairs.append((step, change, inverse))

    def direction(self, gradient: Floats, preconditioner: _Preconditioner) -> Floats:
        """Minus the approximate inverse Hessian times the gradient (two-loop recursion, Nocedal 1980)."""
        q, shares = gradient.copy(), []
        for step, change, inverse in reversed(self._pairs):
            share = inverse * np.vecdot(step, q)
            shares.append(share)
            q -= share[:, None] * change
        q = preconditioner.apply(q)
        for (step, change, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            q += (share - inverse * np.vecdot(change, q))[:, None] * step
        return np.negative(q, out=q)


class _State:
    """Where the search stands: weights (B, P), scores (B, K, n) and penalised losses (B,)."""

    def __init__(self, design: Design, objective: Objective, ridge: Doubles, start: Floats | None) -> None:
        self.matrix, self.objective = design.matrix, objective
        self.shape = (objective.n_problems, objective.n_rows, design.matrix.shape[1])
        self.weights = np.zeros((self.shape[0], self.shape[1] * self.shape[2]), np.float32)
        if start is not None:
            self.weights[:] = start.reshape(self.weights.shape)
        self.products = 0
        self.penalty = np.ones(self.shape, np.float32)
        self.penalty[:, :, -1] = ridge[:, None]
        self.penalty = self.penalty.reshape(self.weights.shape)
        self.scores = self.project(self.weights)
        self.losses = objective.loss(self.scores) + 0.5 * self.dot(self.weights, self.weights)

    def dot(self, first: Floats, second: Floats) -> Doubles:
        """Penalised inner product of each problem."""
        return np.asarray(np.vecdot(first * self.penalty, second), np.float64)

    def project(self, weights: Floats) -> Floats:
        self.products += 1
        flat = weights.reshape(-1, self.shape[2]) @ self.matrix.T
        return flat.reshape(*self.shape[:2], len(self.matrix))

    def gradient(self) -> Floats:
        self.products += 1
        residual = self.objective.residual().reshape(-1, len(self.matrix))
        value = (residual @ self.matrix).reshape(self.weights.shape)
        value += self.penalty * self.weights
        return value

    def move(self, direction: Floats, slope: Doubles, active: NDArray[np.bool_]) -> Floats:
        """Backtrack (Armijo) along the direction, each problem on its own; returns the steps, 0 where none helped."""
        along = self.project(direction)
        cross, square = self.dot(self.weights, direction), self.dot(direction, direction)
        base, t = 0.5 * self.dot(self.weights, self.weights), active.astype(np.float64)
        noise = _NOISE * np.abs(self.losses)
        for attempt in range(25):
            trial = along * t.astype(np.float32)[:, None, None]
            trial += self.scores
            losses = self.objective.loss(trial) + base + t * cross + 0.5 * t * t * square
            worse = ~(losses <= self.losses + 1e-4 * t * slope + noise) & (t > 0)
            if not worse.any():
                break
            t[worse] = 0 if attempt == 23 else _shorter(t, losses - self.losses, slope)[worse]
        step = direction * t.astype(np.float32)[:, None]
        self.weights, self.scores, self.losses = self.weights + step, trial, losses
        return step


def _shorter(t: Doubles, rise: Doubles, slope: Doubles) -> Doubles:
    """Minimum of the parabola through the trial, kept between a tenth and a half of the last step."""
    with np.errstate(all="ignore"):
        best = -slope * t * t / (2 * (rise - slope * t))
    return np.clip(np.where(np.isfinite(best), best, 0.1 * t), 0.1 * t, 0.5 * t)


def minimise(
    design: Design, objective: Objective, weight_sums: Doubles, *, start: Floats | None = None, tolerance: float = 3e-6
) -> Solution:
    """Minimise `objective + ½‖weights‖²` (intercepts free) for every problem of the batch.

    `weight_sums` (B,) are the summed sample weights. A problem ends when the decrease that its last step promises (half
    the Newton decrement) falls below `tolerance` of its loss; measured, the loss was then within 5 × that of the optimum.
    """
    ridge = BIAS_RIDGE * np.maximum(weight_sums, 1e-30)
    # Nobody needs the fourth digit of a loss of a millionth per sample.
    floor = 1e-6 * weight_sums
    state = _State(design, objective, ridge, start)
    preconditioner, history = _Preconditioner(design, objective, ridge), _History()
    active, idle = np.ones(objective.n_problems, bool), np.zeros(objective.n_problems, np.int64)
    step, before = np.empty(0, np.float32), np.empty(0, np.float32)
    for iteration in range(_MAX_ITERATIONS):
        if iteration in _REFRESH:
            preconditioner.refresh()
        gradient = state.gradient()
        if iteration:
            history.add(step, gradient - before)
        direction = history.direction(gradient, preconditioner)
        slope = np.vecdot(gradient, direction).astype(np.float64)
        active &= -0.5 * slope > tolerance * (state.losses + floor)
        if not active.any():
            break
        last = state.losses
        step, before = state.move(direction, slope, active), gradient
        idle = np.where(last - state.losses > _NOISE * last, 0, idle + 1)
        active &= idle < _IDLE
    return Solution(state.weights.reshape(state.shape), state.losses, iteration + 1, state.products)
