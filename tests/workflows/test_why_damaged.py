"""Journals that were edited or copied in part: a decision is explained or the line is named, never a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import DataError, Reason
from tellapart.workflows.why import why

IMAGE: dict[str, Any] = {
    "id": "a/r@5.000000",
    "at": 5.0,
    "camera": "a",
    "number": 3,
    "input": "a/r",
    "uri": "/" + "x" * 5000,
    "modelId": "m@1",
    "region": {"name": "r", "points": [[0.0, 0.0], [0.5, 1.0]]},
    "confidences": {"x": 0.9, "y": 0.1},
    "predicted": ["x"],
    "unknown": True,
    "oodScore": 1.5,
}
ENTRY: dict[str, Any] = {
    "decisionId": "f" * 16,
    "at": 6.0,
    "subject": "a/r",
    "track": "state",
    "state": "x",
    "since": 6.0,
    "changed": True,
    "rule": "rule 1 (x)",
    "because": "1 of 1",
    "evidence": ["a/r@5.000000"],
    "policy": "p@abc",
    "models": ["m@1"],
    "episode": 1,
    "final": True,
    "run": "1-2",
    "was": {"decisionId": "e" * 16, "state": "y", "since": 1.0},
    "images": [IMAGE],
}
GONE = object()
STRANGE: tuple[Any, ...] = (GONE, None, [], "x", -1, {"a": 1}, [1], [{}], 1e300, float("nan"))


def told(folder: Path, entry: dict[str, Any]) -> str:
    """All that is to be said about it, its picture drawn as well."""
    (folder / "line.watch/decisions").mkdir(parents=True, exist_ok=True)
    line = json.dumps(entry, separators=(",", ":"))
    (folder / "line.watch/decisions/decisions-1970-01-01.jsonl").write_text(line + "\n")
    found = why("f" * 16, folders=[folder / "line.watch"])
    found.picture(folder / "why.png")
    return json.dumps(found.to_json())


def changed(entry: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    other = copy.deepcopy(entry)
    if value is GONE:
        del other[key]
    else:
        other[key] = value
    return other


def test_an_entry_that_is_whole_is_explained(tmp_path: Path) -> None:
    assert "Episode 1 of a/r ended as 'x'" in told(tmp_path, ENTRY)


@pytest.mark.parametrize("key", sorted(set(ENTRY) - {"decisionId"}))
def test_an_entry_is_explained_or_named(key: str, tmp_path: Path) -> None:
    for value in STRANGE:
        _explained_or_named(tmp_path, changed(ENTRY, key, value))
    assert (key in {"changed", "episode", "final", "run"}) == _explained_or_named(tmp_path, changed(ENTRY, key, -1))


@pytest.mark.parametrize("key", sorted(IMAGE))
def test_so_are_its_images(key: str, tmp_path: Path) -> None:
    for value in STRANGE:
        _explained_or_named(tmp_path, {**ENTRY, "images": [changed(IMAGE, key, value)]})


def _explained_or_named(folder: Path, entry: dict[str, Any]) -> bool:
    """Whether it is explained."""
    try:
        return bool(told(folder, entry))
    except DataError as error:
        said = f"{error.reason.value}: {error}"
    assert said.startswith(Reason.RECORDING_DAMAGED.value)
    assert "decisions-1970-01-01.jsonl holds a line that is no decision" in said
    return False
