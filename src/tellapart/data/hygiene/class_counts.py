"""Classes with too few images to be learned, or to tell afterwards whether they were."""

from __future__ import annotations

import math

import numpy as np

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Int64, Severity
from tellapart.data.hygiene.wording import count, percent

# 50 images put 10 into a test split of 20 %: the interval of a recall of 90 % is then 39 points wide.
_FEW = 50
# Five folds choose the regularisation and calibrate; with fewer images some of them have none of the class.
_HARDLY_ANY = 5
_TEST_SHARE = 0.2
# A recall that most would call good, and the normal quantile of a 95 % interval.
_RECALL, _Z = 0.9, 1.959964
_SHOWN = 4


def find(evidence: Evidence) -> list[Finding]:
    """Classes under 5 images are an error, those under 50 a warning that says what it does to the interval."""
    totals = evidence.labels.sum(axis=0, dtype=np.int64)
    tiny = np.flatnonzero(totals < _HARDLY_ANY)
    small = np.flatnonzero((totals >= _HARDLY_ANY) & (totals < _FEW))
    found = [_hardly_any(evidence, totals, tiny)] if len(tiny) else []
    return [*found, _few(evidence, totals, small)] if len(small) else found


def _hardly_any(evidence: Evidence, totals: Int64, columns: Int64) -> Finding:
    sentence = f"{_have(columns, _HARDLY_ANY)}, too few to learn and to test: {_listed(evidence, totals, columns)}"
    remedy = "add images, merge with another class, or leave out with a label map"
    return _finding(evidence, Severity.ERROR, sentence, remedy, columns)


def _few(evidence: Evidence, totals: Int64, columns: Int64) -> Finding:
    smallest = columns[totals[columns].argmin()]
    n_test = _to_test(evidence, smallest)
    low, high = wilson(_RECALL, n_test)
    sentence = (
        f"{_have(columns, _FEW)}: {_listed(evidence, totals, columns)}; a recall of {percent(_RECALL)} of "
        f"{evidence.schema.names[smallest]!r}, measured on {count(n_test, 'test image')}, "
        f"could be anything from {percent(low)} to {percent(high)}"
    )
    remedy = "add images of them before you trust their figures"
    return _finding(evidence, Severity.WARNING, sentence, remedy, columns)


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval (low, high) of a share measured on n images (Wilson, JASA 22, 1927)."""
    middle, spread = share + _Z**2 / (2 * n), _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return (middle - spread) / (1 + _Z**2 / n), (middle + spread) / (1 + _Z**2 / n)


def _to_test(evidence: Evidence, column: int) -> int:
    """Images of a class in the user's own test split, else in that which a training would make."""
    of_class = evidence.labels[:, column].astype(bool)
    test = np.array([split == "test" for split in evidence.dataset.splits], bool)
    n = int((of_class & test).sum()) if test.any() else round(of_class.sum() * _TEST_SHARE)
    return max(1, n)


def _have(columns: Int64, limit: int) -> str:
    return f"{count(len(columns), 'class')} {'has' if len(columns) == 1 else 'have'} fewer than {limit} images"


def _listed(evidence: Evidence, totals: Int64, columns: Int64) -> str:
    order = columns[np.argsort(totals[columns], kind="stable")]
    told = [f"{evidence.schema.names[column]!r} with {totals[column]}" for column in order[:_SHOWN]]
    more = len(order) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _finding(evidence: Evidence, severity: Severity, sentence: str, remedy: str, columns: Int64) -> Finding:
    rows = np.flatnonzero(evidence.labels[:, columns].any(axis=1)).tolist()
    return Finding("class_counts", severity, sentence, remedy, rows=tuple(rows), figures={"classes": len(columns)})


CHECK = Check("class_counts", "Images in each class", find)
