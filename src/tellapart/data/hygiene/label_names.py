"""Names that are one label written in several ways: a model would have to tell a class from itself."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from tellapart.data.groups import joined_sets
from tellapart.data.hygiene.label_variants import Variant, variants
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Proposal, Severity
from tellapart.data.hygiene.wording import count

Pair = tuple[int, int]
_SEVERAL_WAYS = "look like one label written in several ways"


def find(evidence: Evidence) -> list[Finding]:
    """One finding for each set of names that belong together; the commonest is proposed for all of them."""
    totals = evidence.labels.sum(axis=0, dtype=np.int64).tolist()
    pairs = variants(evidence.schema.names, totals)
    return [_told(evidence, totals, columns, pairs) for columns in joined_sets(pairs, len(totals))]


def _told(evidence: Evidence, totals: list[int], columns: list[int], pairs: Mapping[Pair, Variant]) -> Finding:
    names = evidence.schema.names
    first, *others = sorted(columns, key=lambda column: (-totals[column], names[column]))
    ways = {pairs[pair] for pair in combinations(columns, 2) if pair in pairs}
    listed = [f"{names[first]!r} ({count(totals[first], 'image')})"]
    listed += [f"{names[column]!r} ({totals[column]:,})" for column in others]
    way = next(iter(ways)) if len(ways) == 1 else _SEVERAL_WAYS
    return Finding(
        "label_names",
        Severity.WARNING,
        f"labels {', '.join(listed[:-1])} and {listed[-1]} {way}",
        f"merge them into {names[first]!r} if they mean the same: nobody can tell a class from itself",
        rows=tuple(np.flatnonzero(evidence.labels[:, others].any(axis=1)).tolist()),
        figures={"names": len(columns)},
        proposals=tuple(_merge(evidence, column, names[first], sure=way is Variant.SPELLING) for column in others),
    )


def _merge(evidence: Evidence, column: int, name: str, *, sure: bool) -> Proposal:
    """A merge is about a label; the row is any image that has it."""
    row = int(evidence.labels[:, column].argmax())
    return Proposal(row, "merge", name, was=evidence.schema.names[column], sure=sure)


CHECK = Check("label_names", "Label names", find)
