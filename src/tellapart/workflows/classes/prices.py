"""A cost table in the terms of other classes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from tellapart.heads.aims import Aim, CostTable
from tellapart.records import LabelSchema
from tellapart.workflows.classes.history import Mapped


def aim_after(aim: Aim, before: LabelSchema, after: LabelSchema, mapping: Mapped) -> Aim:
    """The aim of a model whose label ids `mapping` leads to those of `after`; nothing but a cost table changes.

    Pieces of a class cost what it cost. A class made of several costs what the dearest of them did, where one that is not
    priced counts as the 1 of any wrong answer. Prices of retired classes go, and those of taking for each other what is one
    class now.
    """
    if aim.costs is None:
        return aim
    names = {label.id: label.name for label in after.labels}
    became = {label.name: [names[one] for one in mapping.get(label.id, ())] for label in before.labels}
    came_from: dict[str, list[int]] = defaultdict(list)
    for column, name in enumerate(before.names):
        for new in became[name]:
            came_from[new].append(column)
    # A right answer stays one: taking a piece of a class for another is no right answer of the class.
    pairs = ((x, y) for a, p, _ in aim.costs.costs for x in became[a] for y in became[p] if (x == y) == (a == p))
    matrix = aim.costs.matrix(before)
    costs = tuple(
        (x, y, max(float(matrix[i, j]) for i in came_from[x] for j in came_from[y] if (i == j) == (x == y)))
        for x, y in dict.fromkeys(pairs)
    )
    return replace(aim, costs=CostTable(costs, aim.costs.unknown))
