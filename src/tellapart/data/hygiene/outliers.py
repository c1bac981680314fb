"""Images that are far from every other one: something else than the data set is about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.neighbours import nearest
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Float32, Severity
from tellapart.data.hygiene.second_opinion import relatives
from tellapart.data.hygiene.wording import count

# An image with this many like it is no outlier but a kind of its own.
_LIKE_IT = 5
# Distances in so many random directions are those in all, within 4 % (Johnson and Lindenstrauss 1984).
_DIRECTIONS = 256
# The tail that tells how fast distances thin out: the farthest tenth.
_TAIL = 0.1
# The tail of fewer images than this is too short to continue.
_FEWEST = 100
# One clean data set in a hundred has an outlier, if distances thin out as their tail does. Measured: none of 40 clean sets from
# CIFAR-10 and magnetic-tile (docs/check.md).
_FALSE_ALARMS = 0.01
_NEVER_ZERO = 1e-12


def find(evidence: Evidence) -> list[Finding]:
    """Silent unless an image is farther from its neighbours than the distances of the others, continued, ever reach."""
    assert evidence.embeddings is not None
    if len(evidence) < _FEWEST:
        return []
    beyond = _beyond(_loneliness(evidence.embeddings, relatives(evidence)))
    rows = np.argsort(-beyond, kind="stable")[: int((beyond > 0).sum())]
    return [_finding(evidence, rows, beyond[rows])] if len(rows) else []


def _loneliness(embeddings: Float32, groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean distance to the five nearest images that are no relatives, float (n,); nan where there are none."""
    directions = np.random.default_rng(0).normal(size=(embeddings.shape[1], _DIRECTIONS)).astype(np.float32)
    # The root makes large features, whose spread grows with their size, count like small ones.
    points = np.ascontiguousarray(np.sign(embeddings) * np.sqrt(np.abs(embeddings)) @ directions / np.sqrt(_DIRECTIONS))
    found = nearest(points - points.mean(axis=0), groups, _LIKE_IT, by="distance").similarity
    distance = np.sqrt(np.maximum(-found, 0, out=np.full(found.shape, np.nan), where=np.isfinite(found)))
    known = np.isfinite(distance)
    total = np.where(known, distance, 0).sum(axis=1)
    return np.asarray(total / np.where(known.any(axis=1), known.sum(axis=1), np.nan), np.float64)


def _beyond(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far log distances are beyond the farthest that is expected, in the tail's own unit; above 0 is an outlier.

    The excess over a high quantile is taken as exponential (peaks over threshold, Pickands 1975); its scale comes from the
    median, which the outliers themselves hardly move.
    """
    log = np.log(np.maximum(np.nan_to_num(distance), _NEVER_ZERO))
    start = np.quantile(log, 1 - _TAIL)
    excess = log[log > start] - start
    if not len(excess):
        return np.full(len(log), -1.0)
    scale = np.median(excess) / np.log(2)
    return np.asarray((log - start) / max(scale, _NEVER_ZERO) - np.log(len(log) * _TAIL / _FALSE_ALARMS), np.float64)


def _finding(evidence: Evidence, rows: NDArray[np.int64], beyond: NDArray[np.float64]) -> Finding:
    is_ = "is" if len(rows) == 1 else "are"
    first = int(rows[0])
    return Finding(
        "outliers",
        Severity.NOTE,
        f"{count(len(rows), 'image')} {is_} unlike all others, first of all {evidence.dataset.uris[first]} "
        f"among {evidence.label_of(first)!r}",
        "leave out what does not belong, and keep what is rare: of that more images would help",
        rows=tuple(rows.tolist()),
        scores=tuple(beyond.tolist()),
        figures={"images": len(rows)},
    )


CHECK = Check("outliers", "Outliers", find, ("embeddings", "look_alikes"))
