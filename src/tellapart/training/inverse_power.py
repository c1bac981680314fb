"""What a handful of scores at growing sizes says about larger sizes: every inverse-power curve, by how well it fits.

An error falls as `floor + (error - floor) · ((n + shift) / (n0 + shift))^-exponent` (POW4 in Viering and Loog, "The shape of
learning curves", TPAMI 2022). Five noisy points do not settle four unknowns, so none is settled: curves on a grid are
weighted by their likelihood, and whatever is asked is answered by all of them together. Where the points allow both a steep
and a flat curve, the interval is wide. The bounds of the grid are what `benchmarks/learning_curve.py` judges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import LEVEL

Doubles = NDArray[np.float64]
# Shares of the error that stay in the end, and of the images at hand that had to be there before the fall began: a curve
# without a shift misses that recall starts late, and then promises too little.
_FLOORS = np.linspace(0.0, 1.0, 13)
_SHIFTS = np.array([0.0, 0.1, 0.3, 1.0])
_EXPONENTS = np.linspace(0.1, 2.0, 12)
# Errors at the largest size, in standard deviations of the measured one.
_ERRORS = np.linspace(-4.0, 4.0, 33)
# Curves that are so much less likely than the best say nothing.
_NEGLIGIBLE = 1e-5
# No real curve is an inverse power to the last digit: this much (standard deviation) at every size.
_DISCREPANCY = 0.005


@dataclass(frozen=True, slots=True)
class Expected:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class InversePower:
    """Curves (m,) through measured scores: `errors` at size `n0`, `floors` in the end, `shifts`, `exponents`, `weights`.

    `misfit` is chi-square of the best of them over its degrees of freedom: far above 1, the points follow no such curve.
    """

    n0: float
    errors: Doubles
    floors: Doubles
    shifts: Doubles
    exponents: Doubles
    weights: Doubles
    misfit: float = 0.0

    @classmethod
    def of(cls, sizes: Doubles, scores: Doubles, covariance: Doubles) -> InversePower:
        """From scores (s,) between 0 and 1 at ascending sizes (s,), with the covariance (s, s) of what was measured."""
        noise = covariance + np.eye(len(sizes)) * _DISCREPANCY**2
        grid = cls._grid(float(sizes[-1]), 1 - float(scores[-1]), float(np.sqrt(noise[-1, -1])))
        off = grid._errors_at(sizes) - (1 - scores)
        squares = np.einsum("ms,ms->m", off @ np.linalg.inv(noise), off)
        likelihood = np.exp(-0.5 * (squares - squares.min()))
        misfit = float(squares.min()) / max(1, len(sizes) - 2)
        return grid._weighted(likelihood, misfit)

    @classmethod
    def _grid(cls, n0: float, error: float, deviation: float) -> InversePower:
        near = np.clip(error + deviation * _ERRORS, 0.0, 1.0)
        axes = np.meshgrid(near, _FLOORS, _SHIFTS, _EXPONENTS, indexing="ij")
        errors, shares, shifts, exponents = (axis.reshape(-1) for axis in axes)
        return cls(n0, errors, errors * shares, shifts * n0, exponents, np.ones(len(errors)))

    def _weighted(self, likelihood: Doubles, misfit: float) -> InversePower:
        kept, likely = likelihood > _NEGLIGIBLE, likelihood[likelihood > _NEGLIGIBLE]
        return InversePower(
            self.n0,
            self.errors[kept],
            self.floors[kept],
            self.shifts[kept],
            self.exponents[kept],
            likely / likely.sum(),
            misfit,
        )

    def at(self, n: float) -> Expected:
        """The score at size `n`."""
        return self._expected(1 - self._errors_at(np.array([n]))[:, 0])

    def gain(self, start: float, end: float) -> Expected:
        """By how much the score rises from one size to another."""
        errors = self._errors_at(np.array([start, end]))
        return self._expected(errors[:, 0] - errors[:, 1])

    def _errors_at(self, sizes: Doubles) -> Doubles:
        shifts, exponents = self.shifts[:, None], self.exponents[:, None]
        falling = ((np.maximum(sizes, 1e-9) + shifts) / (self.n0 + shifts)) ** -exponents
        return np.asarray(np.clip(self.floors[:, None] + (self.errors - self.floors)[:, None] * falling, 0.0, 1.0))

    def _expected(self, values: Doubles) -> Expected:
        order = np.argsort(values)
        mass = np.cumsum(self.weights[order])
        at = np.minimum(np.searchsorted(mass, _TAILS), len(mass) - 1)
        low, high = values[order[at]].tolist()
        return Expected(float(self.weights @ values), low, high)


_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
