"""What checks found against what was planted: pairs, lists and rankings. No files, no model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np
from benchmarks.planted import NEAR, Row
from numpy.typing import NDArray

from tellapart.data.hygiene.protocol import Finding

Pair = tuple[int, int]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Score:
    """`recall` and `precision` in 0–1, nan where there is nothing to divide by; `n` things were found."""

    recall: float
    precision: float
    n: int


def score(found: Collection[object], true: Collection[object]) -> Score:
    """Set against set."""
    hit = len(set(found) & set(true))
    return Score(_share(hit, len(set(true))), _share(hit, len(set(found))), len(set(found)))


def pairs(clusters: Iterable[Sequence[int]]) -> set[Pair]:
    """All pairs of rows that are in a cluster together."""
    return {pair for rows in clusters for pair in combinations(sorted(rows), 2)}


def planted_pairs(rows: Sequence[Row], faults: Collection[str], *, quarrelling: bool = False) -> set[Pair]:
    """A copy with its source; `quarrelling` only those under two labels."""
    original = {row.source: i for i, row in enumerate(rows) if not row.is_copy}
    found = ((i, original[row.source]) for i, row in enumerate(rows) if row.fault in faults)
    return {(min(a, b), max(a, b)) for a, b in found if not quarrelling or rows[a].label != rows[b].label}


def exact_duplicates(rows: Sequence[Row], findings: Sequence[Finding]) -> Score:
    """Pairs of the same bytes."""
    return score(pairs(_clusters(findings)), planted_pairs(rows, ["exact"]))


def near_duplicates(
    rows: Sequence[Row], findings: Sequence[Finding], pictures: Mapping[int, int] = MappingProxyType({})
) -> tuple[Score, set[Pair]]:
    """Pairs of a near-duplicate and its source; and the wrong ones, by the numbers of the images in the clean data.

    `pictures` tells of images that are the same picture without being planted, as CIFAR-10 has them: image → picture. Their
    pairs count neither as right nor as wrong, nor do exact copies, as another check finds those. A pair with a copy counts
    as the pair with its source.
    """
    found = pairs(_clusters(findings))
    sources = ((rows[a].source, rows[b].source) for a, b in found)
    wrong = {(min(a, b), max(a, b)) for a, b in sources if a != b and pictures.get(a, -1) != pictures.get(b, -2)}
    true = planted_pairs(rows, NEAR.keys())
    hit = len(found & true)
    return Score(_share(hit, len(true)), _share(hit, hit + len(wrong)), hit + len(wrong)), wrong


def quarrels(
    rows: Sequence[Row],
    findings: Sequence[Finding],
    faults: Collection[str],
    pictures: Mapping[int, int] = MappingProxyType({}),
) -> Score:
    """Pairs of copies under two labels, among those that findings show as such; `pictures` as for near-duplicates."""
    true = planted_pairs(rows, faults, quarrelling=True)
    found = {(a, b) for a, b in pairs(_clusters(findings)) if rows[a].label != rows[b].label}
    sources = {(a, b): (rows[a].source, rows[b].source) for a, b in found - true}
    own = {pair for pair, (a, b) in sources.items() if a != b and pictures.get(a, -1) == pictures.get(b, -2)}
    return score(found - own, true)


def label_errors_listed(rows: Sequence[Row], findings: Sequence[Finding]) -> Score:
    """The images of the findings against those whose label is wrong, copies under another label included."""
    wrong = [i for i, row in enumerate(rows) if row.label != row.truth]
    return score({row for finding in findings for row in finding.rows}, wrong)


def label_errors_ranked(rows: Sequence[Row], quality: Floats) -> float:
    """Average precision of all images (n,) by `quality`, low first."""
    return average_precision(-quality, np.array([row.label != row.truth for row in rows]))


def relabelled_rightly(rows: Sequence[Row], findings: Sequence[Finding]) -> float:
    """The share of the proposed labels that are the true one."""
    proposed = [one for finding in findings for one in finding.proposals if one.action == "relabel"]
    return _share(sum(one.value == rows[one.row].truth for one in proposed), len(proposed))


def average_precision(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Mean over the positives of the precision down to each; scores (n,), high first, ties in their order; nan for none."""
    hits = positive[np.argsort(-scores, kind="stable")]
    ranks = np.flatnonzero(hits) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean()) if len(ranks) else float("nan")


def shortcut(rows: Sequence[Row], findings: Sequence[Finding]) -> Score:
    """Findings that name the brightened class and its brightness, against all."""
    name = next(row.truth for row in rows if row.bright)
    hits = [finding for finding in findings if repr(name) in finding.sentence and "bright" in finding.sentence]
    return Score(float(bool(hits)), _share(len(hits), len(findings)), len(findings))


def _clusters(findings: Sequence[Finding]) -> list[tuple[int, ...]]:
    return [cluster for finding in findings for cluster in finding.clusters]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
