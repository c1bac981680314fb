"""Classes that a model cannot tell apart, as if they were one under two names."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.groups import joined_sets
from tellapart.data.hygiene.label_quality import judgeable
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Float32, Proposal, Severity
from tellapart.data.hygiene.told_apart import told_apart
from tellapart.data.hygiene.wording import some

# Of two images, one of each class, a model that knows the difference picks the right one nearly always, a guess in half
# of the cases. The hardest pair of CIFAR-10, cat and dog, reached 0.72 or more wherever there were 500 images.
_TELLS_APART = 0.7
# Standard errors: 1 of 40 clean sets from CIFAR-10 and magnetic-tile was an alarm (docs/check.md).
_SURE = 2.58
# Each class is compared with those that it is taken for most: all pairs of 1,000 classes would take minutes.
_RIVALS = 3
# A head that never saw more than a few of a class takes the others for anything else, so it is worse than a guess.
_FEWEST = 10


def find(evidence: Evidence) -> list[Finding]:
    """One finding for each set of classes that are hardly told apart, two or more."""
    assert evidence.probabilities is not None
    judged = judgeable(evidence.probabilities)
    labels, answers = evidence.labels[judged], evidence.probabilities[judged]
    told = {pair: _surely_hardly(labels, answers, *pair) for pair in _pairs(labels, answers)}
    found = {pair: share for pair, share in told.items() if share is not None}
    return [_finding(evidence, members, found) for members in joined_sets(found, labels.shape[1])]


def _pairs(labels: NDArray[np.uint8], answers: Float32) -> list[tuple[int, int]]:
    """Each class with those that its images are taken for most."""
    has, lacks = labels.T.astype(np.float32), (labels == 0).astype(np.float32)
    # Of several labels those that often come together are not taken for each other.
    taken = has @ (answers * lacks) / np.maximum(has @ lacks, 1)
    np.fill_diagonal(taken, -1)
    rivals = np.argsort(-taken, axis=1, kind="stable")[:, : min(_RIVALS, len(taken) - 1)]
    return sorted({(min(a, b), max(a, b)) for a, row in enumerate(rivals.tolist()) for b in row})


def _surely_hardly(labels: NDArray[np.uint8], answers: Float32, a: int, b: int) -> float | None:
    """How often a pair of images is told apart, if that is surely below the bar; None else."""
    if labels[:, [a, b]].sum(axis=0).min() < _FEWEST:
        return None
    told = told_apart(labels, answers, a, b)
    return told.share if told and told.share + _SURE * told.error < _TELLS_APART else None


def _finding(evidence: Evidence, members: list[int], pairs: dict[tuple[int, int], float]) -> Finding:
    names = [evidence.schema.names[column] for column in members]
    told = max(pairs[pair] for pair in combinations(members, 2) if pair in pairs)
    sizes = evidence.labels[:, members].sum(axis=0)
    kept = int(sizes.argmax())
    rows, scores = _taken_for_each_other(evidence, members)
    return Finding(
        "confused_classes",
        Severity.WARNING,
        f"a model hardly tells {some(names)} apart: of pairs with one image of each it gets "
        f"{max(told, 0.5) * 100:.0f} % right, and guessing gets 50 %",
        "merge them, or write down what tells them apart and go through their labels again",
        rows=rows,
        scores=scores,
        figures={"told_apart": told},
        proposals=tuple(
            Proposal(int(evidence.labels[:, column].argmax()), "merge", names[kept], was=names[i])
            for i, column in enumerate(members)
            if i != kept
        ),
    )


def _taken_for_each_other(evidence: Evidence, members: list[int]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Images of these classes that a model would rather put into another of them, the surest first."""
    assert evidence.probabilities is not None
    answers, labels = np.nan_to_num(evidence.probabilities[:, members]), evidence.labels[:, members].astype(bool)
    doubt = np.where(labels, 0, answers).max(axis=1) - np.where(labels, answers, 0).max(axis=1)
    doubt[~labels.any(axis=1) | labels.all(axis=1)] = 0
    order = np.argsort(-doubt, kind="stable")[: int((doubt > 0).sum())]
    return tuple(order.tolist()), tuple(doubt[order].tolist())


CHECK = Check("confused_classes", "Confused classes", find, ("probabilities",))
