from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.groups import Contradiction, combine_groups, contradictions, joined_sets
from tellapart.errors import DataError


def test_groupings_are_joined_by_chains() -> None:
    declared = ["p1", None, "p1", "", None, "p2"]
    near = np.array([-1, 4, 4, 5, -1, -1])
    assert combine_groups(declared, near).tolist() == [0, 0, 0, 1, 2, 3]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(-1, 3)), min_size=1, max_size=12), st.data())
def test_with_keys_the_numbers_do_not_depend_on_the_order(
    rows: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    keys = [f"{i:02}.png" for i in range(len(rows))]
    plain = combine_groups([r[0] for r in rows], [r[1] for r in rows], keys=keys)
    mixed = combine_groups([rows[i][0] for i in order], [rows[i][1] for i in order], keys=[keys[i] for i in order])
    assert plain[order].tolist() == mixed.tolist()
    same = {(i, j) for i in range(len(rows)) for j in range(len(rows)) if plain[i] == plain[j]}
    for i, (name, number) in enumerate(rows):
        for j, (other, other_number) in enumerate(rows):
            if (name and name == other) or (number >= 0 and number == other_number):
                assert (i, j) in same


def test_lengths_must_agree() -> None:
    assert combine_groups([]).tolist() == []
    with pytest.raises(DataError, match=r"got lengths \[1, 2\]"):
        combine_groups(["a"], ["a", "b"])


def test_equal_bytes_with_different_labels_are_listed() -> None:
    ids = ["x", "y", "x", "", "", "y", "x"]
    labels = [("ok",), ("a", "b"), ("bad",), ("ok",), ("bad",), ("b", "a"), None]
    assert contradictions(ids, labels) == (Contradiction("x", (0, 2), (("ok",), ("bad",))),)
    assert contradictions(ids, labels, regions=range(7)) == ()


def test_pairs_join_sets_by_chains() -> None:
    assert joined_sets([(4, 1), (5, 2), (1, 0)], 7) == [[0, 1, 4], [2, 5]]
    assert joined_sets([], 3) == []
