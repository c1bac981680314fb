"""The README, .ci/run and constraints.txt say the same."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

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


def test_the_debian_packages_of_the_tests_are_named_where_people_look() -> None:
    line = f"apt-get install --no-install-recommends {debian_packages()}"
    assert line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "`.ci/run`" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("installing", ["no apt-get", "exit 1", "exit 0"])
def test_ci_goes_on_without_debian_packages(tmp_path: Path, installing: str) -> None:
    if installing != "no apt-get":
        program(tmp_path / "apt-get", installing)
        program(tmp_path / "timeout", 'shift; "$@"')  # that of the system would not find the others
        program(tmp_path / "sudo", 'shift; "$@"')
        program(tmp_path / "true", "exit 0")
    body = re.search(r"^install_camera_packages\(\).+?^}", RUN, re.MULTILINE | re.DOTALL)
    assert body is not None
    script = f'set -euo pipefail\ndebian_packages="{debian_packages()}"\n{body[0]}\ninstall_camera_packages\necho on'
    told = subprocess.run(["/bin/bash", "-c", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    skipped = f"not installed: {debian_packages()}; the tests of RTSP cameras are skipped\n"
    begun = "" if installing == "no apt-get" else "\n== Debian packages for the tests of cameras\n"
    assert told.stdout == begun + ("" if installing == "exit 0" else skipped) + "on\n", told.stderr
    assert told.returncode == 0


def test_constraints_are_exact_pins_without_addresses() -> None:
    assert [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line)] == []
    assert len({name(line) for line in PINS}) == len(PINS)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {name(line) for line in project["dependencies"] + project["optional-dependencies"]["test"]}
    assert wanted - {name(line) for line in PINS} == set()


def debian_packages() -> str:
    found = re.search(r'^debian_packages="(.+)"$', RUN, re.MULTILINE)
    assert found is not None
    return found[1]


def program(path: Path, what: str) -> None:
    path.write_text(f"#!/bin/bash\n{what}\n", encoding="utf-8")
    path.chmod(0o755)


def name(requirement: str) -> str:
    """Normalised as in PEP 503."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~ \[]", requirement)[0]).lower()
