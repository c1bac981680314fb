"""The names people give to the parts of a data set, read as `train`, `val` and `test`."""

from __future__ import annotations

_NAMES = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "validate": "val",
    "test": "test", "testing": "test", "tst": "test", "eval": "test",
}  # fmt: skip
_UNASSIGNED = frozenset({"", "unassigned", "none", "null"})


def normalise_split(name: object) -> str | None:
    """`train`, `val` or `test` for any spelling of them, None for names that are not a split."""
    return _NAMES.get(name.strip().lower()) if isinstance(name, str) else None


def is_unassigned(name: object) -> bool:
    """True for nothing, blanks and the words that mean "not assigned yet"."""
    return name is None or (isinstance(name, str) and name.strip().lower() in _UNASSIGNED)
