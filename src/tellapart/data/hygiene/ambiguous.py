"""Images that lie between two classes which are otherwise told apart: both are on it, or neither quite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.label_quality import judgeable
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Float32, Severity
from tellapart.data.hygiene.told_apart import told_apart
from tellapart.data.hygiene.wording import count

# Between classes that are told apart less well lie many images, and it is the model that cannot say.
_TOLD_APART = 0.9
# Two answers that leave less than this to others are between two classes; the rest are no image of either.
_OF_TWO = 0.8
# Log odds within which nobody decides (62 to 38), and up to which images are counted to compare: three times as wide.
_UNDECIDED, _AROUND = 0.5, 1.5
_SHARE = _UNDECIDED / _AROUND
# How probable so many undecided ones may be: 2 of 40 clean sets from CIFAR-10 and magnetic-tile came below.
_BY_CHANCE = 0.01
_NEVER_ZERO = 1e-12


def find(evidence: Evidence) -> list[Finding]:
    """Silent unless undecided images are more than those next to them let expect.

    Between two classes that a model tells apart lies a valley: images grow fewer towards the middle, whatever the
    classes overlap. More in the middle than on its sides is a heap of its own.
    """
    assert evidence.probabilities is not None
    judged = np.flatnonzero(judgeable(evidence.probabilities))
    if not evidence.exclusive or not len(judged) or evidence.probabilities.shape[1] < 2:
        return []
    rows, odds = _between_two(evidence, judged)
    undecided = odds < _UNDECIDED
    n = int(undecided.sum())
    if not n or _chance(n, len(rows)) > _BY_CHANCE:
        return []
    return [_finding(evidence, rows[undecided], odds[undecided])]


def _between_two(evidence: Evidence, judged: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows around the middle between two classes that are told apart, and the log odds between the two."""
    assert evidence.probabilities is not None
    # By columns, of which two at a time are compared.
    labels, answers = np.asfortranarray(evidence.labels[judged]), np.asfortranarray(evidence.probabilities[judged])
    pairs, shares = _first_two(answers)
    odds = np.log(shares[:, 0] / np.maximum(shares[:, 1], _NEVER_ZERO))
    near = np.flatnonzero((shares.sum(axis=1) >= _OF_TWO) & (odds < _AROUND))
    k, ordered = answers.shape[1], np.sort(pairs[near], axis=1)
    codes, inverse = np.unique(ordered[:, 0] * k + ordered[:, 1], return_inverse=True)
    known = np.array([_is_told_apart(labels, answers, *divmod(int(code), k)) for code in codes], bool)
    chosen = near[known[inverse]]
    return judged[chosen], odds[chosen]


def _first_two(answers: Float32) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    first = answers.argmax(axis=1)
    others = answers.copy()
    np.put_along_axis(others, first[:, None], -1, axis=1)
    pairs = np.stack([first, others.argmax(axis=1)], axis=1)
    return pairs, np.take_along_axis(answers, pairs, axis=1).astype(np.float64)


def _is_told_apart(labels: NDArray[np.uint8], answers: Float32, a: int, b: int) -> bool:
    told = told_apart(labels, answers, a, b)
    return told is not None and told.share >= _TOLD_APART


def _chance(n: int, around: int) -> float:
    """How probable at least n of so many are in the middle third of the log odds, if none is preferred."""
    from scipy.special import bdtrc

    return float(bdtrc(n - 1, around, _SHARE))


def _finding(evidence: Evidence, rows: NDArray[np.int64], odds: NDArray[np.float64]) -> Finding:
    assert evidence.probabilities is not None
    order = np.argsort(odds, kind="stable")
    rows, doubt = rows[order], 1 - odds[order] / _UNDECIDED
    pair = _first_two(evidence.probabilities[rows[:1]])[0][0]
    first, second = sorted(evidence.schema.names[int(column)] for column in pair)
    lies = "lies" if len(rows) == 1 else "lie"
    return Finding(
        "ambiguous",
        Severity.NOTE,
        f"{count(len(rows), 'image')} {lies} between two classes that are otherwise told apart, such as "
        f"{evidence.dataset.uris[int(rows[0])]} between {first!r} and {second!r}",
        "look whether both are on them, which needs several labels for an image, or whether the picture cannot tell, and "
        "then leave them out",
        rows=tuple(rows.tolist()),
        scores=tuple(doubt.tolist()),
        figures={"images": len(rows)},
    )


CHECK = Check("ambiguous", "Ambiguous images", find, ("probabilities",))
