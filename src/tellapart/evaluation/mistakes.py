"""The images worth looking at: worst mistakes, closest calls, and those the model would not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.evaluation.scored import Bools, Floats, Ints, Scored

LIMIT = 24


@dataclass(frozen=True, slots=True)
class Case:
    """One image: row `index` of the evaluated data, what is there, what was answered () for "unknown".

    `confidence` is the probability of the answer (of the most likely label where the answer is "unknown", of the worst
    wrong label's wrong answer for multi-label), `loss` the negative log probability of the truth.
    """

    index: int
    uri: str
    actual: tuple[str, ...]
    predicted: tuple[str, ...]
    confidence: float
    loss: float
    ood_score: float | None = None


@dataclass(frozen=True, slots=True)
class Cases:
    """Worst mistakes, closest calls, most foreign unknowns: at most 24 of each, and how many there are."""

    mistakes: tuple[Case, ...]
    uncertain: tuple[Case, ...]
    unknown: tuple[Case, ...]
    n_mistakes: int
    n_unknown: int


def cases(scored: Scored, *, uris: Sequence[str] | None = None, ood_scores: Floats | None = None) -> Cases:
    """Rank the images; a mistake is a wrong answer ("unknown" is not one), the most confidently wrong comes first."""
    unknown = np.zeros(len(scored), dtype=bool)
    if scored.exclusive:
        unknown[:] = ~scored.decided.any(axis=1)
    wrong = np.asarray((scored.targets != scored.decided).any(axis=1) & ~unknown)
    loss = _loss(scored)
    confidence = _confidence(scored)
    foreign = -confidence if ood_scores is None else np.asarray(ood_scores, dtype=np.float64)

    def build(rows: Ints) -> tuple[Case, ...]:
        return tuple(_case(scored, int(i), loss, confidence, (uris, ood_scores)) for i in rows)

    return Cases(
        build(_first(wrong, -loss)),
        build(_first(~unknown, _margin(scored))),
        build(_first(unknown, -foreign)),
        int(wrong.sum()),
        int(unknown.sum()),
    )


def _first(mask: Bools, key: Floats) -> Ints:
    rows = np.flatnonzero(mask)
    return rows[np.argsort(key[rows], kind="stable")][:LIMIT]


def _loss(scored: Scored) -> Floats:
    eps = np.finfo(np.float64).eps
    right = np.clip(np.where(scored.targets, scored.probabilities, 1 - scored.probabilities), eps, 1.0)
    if scored.exclusive:
        return np.asarray(-np.log(right[np.arange(len(right)), scored.actual]))
    return np.asarray(-np.log(right).sum(axis=1))


def _confidence(scored: Scored) -> Floats:
    p = scored.probabilities
    if scored.exclusive:
        answered = np.where(scored.decided, p, 0).sum(axis=1)
        return np.asarray(np.where(scored.decided.any(axis=1), answered, p.max(axis=1)))
    in_answer = np.where(scored.decided, p, 1 - p)
    wrong = scored.targets != scored.decided
    return np.asarray(np.where(wrong.any(axis=1), np.where(wrong, in_answer, 0).max(axis=1), in_answer.min(axis=1)))


def _margin(scored: Scored) -> Floats:
    """How close a call was: lead over the second label, or for multi-label the distance from p = 0.5."""
    p = scored.probabilities
    if not scored.exclusive:
        return np.asarray(np.abs(p - 0.5).min(axis=1))
    if p.shape[1] < 2:
        return np.zeros(len(p))
    top = np.partition(p, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0])


def _case(
    scored: Scored, i: int, loss: Floats, confidence: Floats, known: tuple[Sequence[str] | None, Floats | None]
) -> Case:
    uris, ood_scores = known
    names = scored.schema.names
    return Case(
        index=i,
        uri="" if uris is None else uris[i],
        actual=tuple(names[j] for j in np.flatnonzero(scored.targets[i])),
        predicted=tuple(names[j] for j in np.flatnonzero(scored.decided[i])),
        confidence=round(float(confidence[i]), 8),
        loss=round(float(loss[i]), 8),
        ood_score=None if ood_scores is None else round(float(ood_scores[i]), 8),
    )
