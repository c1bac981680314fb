"""Which vectors may be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tellapart.errors import DataError, Reason
from tellapart.index.space import Space

SPACE = Space("builtin", "ab" * 32, "decode|upright|fit(64)", "cd" * 32, "", True, 8)

DIFFERENT = {
    "dim": (
        replace(SPACE, dim=4),
        "they have 4 numbers each, expected 8; embed them with the backbone 'builtin'",
    ),
    "unknown": (
        Space.unknown(8, normalised=True),
        "the backbone they come from is not known, expected 'builtin' (abababab); embed them with the backbone 'builtin'",
    ),
    "backbone": (
        replace(SPACE, backbone="hog", backbone_sha256="ef" * 32),
        "they come from the backbone 'hog' (efefefef), expected 'builtin' (abababab); embed them with the backbone 'builtin'",
    ),
    "preprocess": (
        replace(SPACE, preprocess="decode|upright|fit(32)", preprocess_hash="01" * 32),
        "their images were prepared by 'decode|upright|fit(32)', expected 'decode|upright|fit(64)'; embed them so",
    ),
    "projection": (
        replace(SPACE, projection_sha256="12" * 32),
        "they went through the projection 12121212, expected no projection; embed them with the same projection",
    ),
    "length": (
        replace(SPACE, normalised=False),
        "they have their own length, expected length 1; embed both with or both without normalising",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_space_is_refused_with_what_differs(name: str) -> None:
    other, sentence = DIFFERENT[name]
    with pytest.raises(DataError) as caught:
        SPACE.check_same(other, "q.parquet")
    assert str(caught.value) == f"q.parquet: these vectors cannot be compared with the others: {sentence}"
    assert caught.value.reason is Reason.FOREIGN_VECTORS


def test_known_vectors_are_refused_among_unknown_ones() -> None:
    with pytest.raises(DataError, match=r"come from is 'builtin' \(abababab\), expected not known$"):
        Space.unknown(8, normalised=True).check_same(SPACE, "q.parquet")


@pytest.mark.parametrize("space", [SPACE, Space.unknown(3)])
def test_a_space_is_the_same_as_itself(space: Space) -> None:
    space.check_same(replace(space, backbone="another name", preprocess="written otherwise"), "q")


def test_json_round_trip() -> None:
    assert Space.from_json(json.loads(json.dumps(SPACE.to_json()))) == SPACE


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"dim": "8"}, "dim must be of type int, got '8'"),
        ({"dim": True}, "dim must be of type int, got True"),
        ({"dim": 0}, "dim must be 1 or more, got 0"),
        ({"normalised": 1}, "normalised must be of type bool, got 1"),
        ({"backbone": None}, "backbone must be of type str, got None"),
    ],
)
def test_damaged_json_is_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        Space.from_json({**SPACE.to_json(), **changed})
    assert str(caught.value) == sentence
