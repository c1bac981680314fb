"""The headline metric in parts of the data: by camera, day, light or whatever metadata column there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.evaluation.intervals import Estimate, estimate_all
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.scored import Ints, Scored

FEW = "few"
MIN_IMAGES = 10
_MAX_VALUES = 50
_RESAMPLES = 300


@dataclass(frozen=True, slots=True)
class Slice:
    """One value of one metadata column; `below` marks an interval that lies wholly below the overall one's."""

    column: str
    value: str
    n: int
    metric: str
    estimate: Estimate
    below: bool


def slices(
    scored: Scored,
    metadata: Mapping[str, Sequence[str]],
    *,
    metric: str,
    overall: Estimate,
    unit: Ints | None = None,
    seed: int = 0,
) -> tuple[Slice, ...]:
    """The metric for every value with at least 10 images (the rest pooled as "few"), worst first.

    Columns in which no value reaches 10 images, or which have a single value, say nothing and are left out; of a column
    with many values the 50 most frequent are shown. Classes that a slice lacks are left out of its macro averages.
    """
    found = [
        _slice(scored, (column, value, rows), metric, overall, unit, seed)
        for column, values in metadata.items()
        for value, rows in _parts(values)
    ]
    return tuple(sorted(found, key=lambda s: (_sort_value(s.estimate), s.column, s.value)))


def _parts(values: Sequence[str]) -> list[tuple[str, Ints]]:
    texts = np.array(["" if value is None else str(value) for value in values], dtype=object)
    counts = Counter(texts.tolist())
    common = [value for value, n in counts.most_common(_MAX_VALUES) if n >= MIN_IMAGES]
    if not common or len(counts) < 2:
        return []
    parts = [(value or "(empty)", np.flatnonzero(texts == value)) for value in common]
    shown = set(common)
    rest = np.array([i for i, value in enumerate(texts.tolist()) if value not in shown], dtype=np.int64)
    return [*parts, (FEW, rest)] if len(rest) else parts


def _slice(
    scored: Scored,
    part: tuple[str, str, Ints],
    metric: str,
    overall: Estimate,
    unit: Ints | None,
    seed: int,
) -> Slice:
    column, value, rows = part
    own_unit = None if unit is None else np.unique(unit[rows], return_inverse=True)[1].astype(np.int64)
    ranking = metric.startswith(("roc_auc", "average_precision"))
    measurer = Measurer.of(scored.subset(rows), unit=own_unit, ranking=ranking)
    estimate = estimate_all(measurer, seed=seed, n_resamples=_RESAMPLES, only=metric).overall[metric]
    below = estimate.high is not None and overall.low is not None and estimate.high < overall.low
    return Slice(column, value, len(rows), metric, estimate, below)


def _sort_value(estimate: Estimate) -> float:
    return 2.0 if estimate.value is None else estimate.value
