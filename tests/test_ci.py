"""The README, .ci/run and constraints.txt say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUN = (ROOT / ".ci/run").read_text(encoding="utf-8")
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_ci_runs_the_command_of_the_readme() -> None:
    found = re.search(r'^test_command="(.+)"$', RUN, re.MULTILINE)
    assert found is not None
    assert found[1] in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_ci_runs_every_check() -> None:
    for command in ("ruff check", "ruff format --check", "mypy --strict", "lint-imports"):
        assert f".venv/bin/{command}\n" in RUN


def test_constraints_are_exact_pins_without_addresses() -> None:
    assert [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line)] == []
    assert len({name(line) for line in PINS}) == len(PINS)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {name(line) for line in project["dependencies"] + project["optional-dependencies"]["test"]}
    assert wanted - {name(line) for line in PINS} == set()


def name(requirement: str) -> str:
    """Normalised as in PEP 503."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~ \[]", requirement)[0]).lower()
