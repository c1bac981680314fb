"""Labels that are probably wrong: a model contradicts them, and is surer than it could be if they were right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.label_quality import judgeable, label_quality
from tellapart.data.hygiene.lapses import fit_lapses
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Float32, Proposal, Severity
from tellapart.data.hygiene.second_opinion import relatives, second_opinion
from tellapart.data.hygiene.wording import count, percent
from tellapart.data.labels import format_labels
from tellapart.records import Task

# What a floor of errors must add to the likelihood: a clean set reaches 5.4 in 1 of 100 draws in theory; of 60 clean sets of
# two classes of CIFAR-10 three did and one reached 7. A model that is seldom sure shows little of where its own errors end:
# there a clean set reached 8.8, and lists of which most were right labels 11.4 (classes that look alike, few images).
_ENOUGH_EVIDENCE, _MUCH_EVIDENCE = 7.0, 12.0
# Median log odds of the first against the second choice, about 3 to 1.
_SURE = 1.2
# Fewer than one label in two hundred is what careful hands leave behind (CIFAR-10 has 0.5 %, Northcutt et al. 2021).
_ENOUGH_ERRORS = 0.005
# More probably wrong than right.
_WRONG = 0.5
_NEVER_ZERO = 1e-12


def quality(evidence: Evidence) -> Float32:
    """`label_quality` of all images by head and neighbours, float32 (n,), 1 = surely right: a ranking of all labels."""
    return label_quality(evidence.labels, second_opinion(evidence), evidence.schema.task)


@dataclass(frozen=True, slots=True)
class _Answers:
    """Questions that a model answered, q of them: of which `rows`, and by its answer which `columns` (of `labels`).

    `sureness` are log odds of its answer, `contradicted` where the label is another one. `odds` is how much more often a
    label that somebody got wrong is this one than it is where the model errs: 1 for questions with two answers.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    sureness: NDArray[np.float64]
    contradicted: NDArray[np.bool_]
    odds: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Doubts:
    """Labels that are more probably wrong than right, worst first: of `rows` (q,), by the model's `columns`, by `chance`.

    The column is the label that the image should have; of several labels, the one that should be turned round. `rate` is
    the share of all labels that are wrong.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    chance: NDArray[np.float64]
    rate: float


def find(evidence: Evidence) -> list[Finding]:
    """Silent unless labels contradict the model at a rate that does not fall with its sureness."""
    found = doubts(evidence.labels, second_opinion(evidence), relatives(evidence), evidence.schema.task)
    return [] if found is None else [_finding(evidence, found)]


def doubts(labels: NDArray[np.uint8], opinion: Float32, groups: NDArray[np.int64], task: Task) -> Doubts | None:
    """Of labels 0/1 (n, k) and a `second_opinion` (n, k) of them; None unless there is evidence of wrong labels.

    A group of `groups` (n,) is as much evidence as one image: a model that errs on one of its images errs on all.
    """
    judged = np.flatnonzero(judgeable(opinion))
    if not len(judged):
        return None
    answers = (_several if task is Task.MULTILABEL else _one_label)(labels, opinion, judged)
    _, place, members = np.unique(groups, return_inverse=True, return_counts=True)
    lapses = fit_lapses(answers.sureness, answers.contradicted, 1 / members[place[answers.rows]])
    needed = _ENOUGH_EVIDENCE if np.median(answers.sureness) >= _SURE else _MUCH_EVIDENCE
    if lapses.evidence < needed or lapses.rate < _ENOUGH_ERRORS:
        return None
    wrong, right = lapses.rate * answers.odds, (1 - lapses.rate) * lapses.error(answers.sureness)
    chance = np.where(answers.contradicted, wrong / (wrong + right + _NEVER_ZERO), 0)
    named = np.argsort(-chance, kind="stable")[: int((chance >= _WRONG).sum())]
    return Doubts(answers.rows[named], answers.columns[named], chance[named], lapses.rate) if len(named) else None


def _one_label(labels: NDArray[np.uint8], opinion: Float32, rows: NDArray[np.int64]) -> _Answers:
    """One question for each image: which label."""
    shares = np.maximum(opinion[rows].astype(np.float64), _NEVER_ZERO)
    given = labels[rows].argmax(axis=1)
    first, second = np.sort(shares, axis=1)[:, :-3:-1].T
    # Whoever labels wrongly takes any other label in half of the cases, else one that looks alike, as the model would.
    alike = shares[np.arange(len(rows)), given] / np.maximum(1 - first, _NEVER_ZERO)
    odds = 0.5 + 0.5 / (max(shares.shape[1] - 1, 1) * alike)
    best = shares.argmax(axis=1)
    return _Answers(rows, best, np.log(first / second), best != given, odds)


def _several(labels: NDArray[np.uint8], opinion: Float32, rows: NDArray[np.int64]) -> _Answers:
    """One question for each image and label: whether it is there."""
    present = opinion[rows].astype(np.float64).clip(_NEVER_ZERO, 1 - _NEVER_ZERO).reshape(-1)
    k = labels.shape[1]
    return _Answers(
        np.repeat(rows, k),
        np.tile(np.arange(k), len(rows)),
        np.abs(np.log(present / (1 - present))),
        (present > 0.5) != labels[rows].reshape(-1),
        np.ones(len(present)),
    )


def _finding(evidence: Evidence, found: Doubts) -> Finding:
    worst: dict[int, float] = {}
    toggled: dict[int, list[int]] = {}
    for row, column, score in zip(found.rows.tolist(), found.columns.tolist(), found.chance.tolist(), strict=True):
        worst.setdefault(row, score)
        toggled.setdefault(row, []).append(column)
    better = {row: _better(evidence, row, columns) for row, columns in toggled.items()}
    example = next(iter(worst))
    is_ = "is" if len(worst) == 1 else "are"
    return Finding(
        "label_errors",
        Severity.WARNING,
        f"{count(len(worst), 'label')} {is_} probably wrong, such as {evidence.dataset.uris[example]} labelled "
        f"{evidence.label_of(example)!r} that looks like {' + '.join(better[example]) or '(none)'!r}; "
        f"of all labels about {percent(found.rate)} are, by how often they contradict a model where it is sure",
        "look at them, the worst first, and accept the new labels that are right",
        rows=tuple(worst),
        scores=tuple(worst.values()),
        figures={"named": len(worst), "share": found.rate},
        proposals=tuple(Proposal(row, "relabel", format_labels(names)) for row, names in better.items() if names),
    )


def _better(evidence: Evidence, row: int, columns: list[int]) -> tuple[str, ...]:
    """The labels an image should have: the model's one, or its own with some of them turned round."""
    names = evidence.schema.names
    if evidence.exclusive:
        return (names[columns[0]],)
    wanted = evidence.labels[row].astype(bool)
    wanted[columns] = ~wanted[columns]
    return tuple(names[column] for column in np.flatnonzero(wanted))


CHECK = Check("label_errors", "Probable label errors", find, ("embeddings", "probabilities", "look_alikes"))
