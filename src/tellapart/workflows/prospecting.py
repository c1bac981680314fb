"""What more images would buy, from the learning curves to the numbers that checks and reports tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.prospects import Ahead, Prospect, Prospects, Range
from tellapart.records import LabelSchema
from tellapart.training.growth import FARTHEST, Growth
from tellapart.training.inverse_power import Expected
from tellapart.training.learning_curve import learning_curves

_FACTORS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, FARTHEST)


def prospects(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    schema: LabelSchema,
    *,
    seed: int,
) -> Prospects:
    """Of embeddings (n, d) with labels 0/1 (n, k) in schema order and groups (n,).

    Raises:
        TrainingError: `too_few_classes`, `too_few_images`.
    """
    found = learning_curves(embeddings, labels, groups, schema, seed=seed)
    return Prospects(
        found.score,
        _prospect("", found.overall),
        tuple(_prospect(name, growth) for name, growth in zip(schema.names, found.classes, strict=True)),
        tuple(schema.names[column] for column in found.judged),
        found.n_measured,
    )


def _prospect(label: str, growth: Growth) -> Prospect:
    told = not growth.cannot_tell
    return Prospect(
        label,
        growth.n_now,
        tuple(growth.sizes.tolist()),
        tuple(growth.scores.tolist()),
        tuple(growth.deviations.tolist()),
        tuple(_ahead(growth, round((factor - 1) * growth.n_now)) for factor in _FACTORS) if told else (),
        _ahead(growth, two_digits(growth.n_now)) if told else None,
        growth.cannot_tell,
    )


def _ahead(growth: Growth, more: int) -> Ahead:
    return Ahead(more, _range(growth.after(more)), _range(growth.gain(more)))


def _range(expected: Expected) -> Range:
    return Range(expected.value, expected.low, expected.high)


def two_digits(n: int) -> int:
    """A number that sounds as rough as it is: 1,344 → 1,300."""
    unit: int = 10 ** max(0, len(str(n)) - 2)
    return round(n / unit) * unit
