"""Imports go downward only, and the command answers without loading what it does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tellapart

ROOT = Path(__file__).parent.parent

HEAVY = {
    "torch", "ray", "fastapi", "nicegui", "sqlalchemy", "matplotlib", "sklearn", "polars", "scipy", "pydantic",
    "onnx", "onnxruntime", "rich", "numpy", "PIL",
}  # fmt: skip

LOADED = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded_by(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after `code`; its last line of output is ours."""
    script = f"{code}\n{LOADED}"
    # Coverage and the like hook into every interpreter through the environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_tellapart_loads_nothing_heavy() -> None:
    assert loaded_by("import tellapart") & HEAVY == set()


def test_help_loads_nothing_heavy() -> None:
    code = """
import sys
from tellapart.cli.main import main
sys.argv = ["tellapart", "--help"]
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
"""
    assert loaded_by(code) & (HEAVY - {"numpy"}) == set()


def test_the_predict_path_loads_only_its_few_libraries() -> None:
    code = "from tellapart.classifier.storage import load; from tellapart.image.preprocess import PreprocessSpec"
    assert loaded_by(code) & HEAVY <= {"numpy", "onnxruntime", "PIL"}


def test_settings_and_samples_draw_without_the_heavy_ones() -> None:
    assert loaded_by("import tellapart.samples") & HEAVY <= {"numpy", "PIL"}
    assert loaded_by("import tellapart.settings") & HEAVY <= {"pydantic"}


def test_imports_keep_to_the_layers() -> None:
    """The contracts of pyproject.toml, as `lint-imports` in .ci/run checks them."""
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists():
        pytest.skip("import-linter is not installed beside this Python")
    done = subprocess.run([command, "--no-cache"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_public_api_is_sorted_and_complete() -> None:
    assert tellapart.__all__ == sorted(tellapart.__all__)
    assert set(tellapart.__all__) == set(tellapart._HOME)


@pytest.mark.parametrize("name", tellapart.__all__)
def test_every_public_name_loads_and_is_documented(name: str) -> None:
    value = getattr(tellapart, name)
    assert value.__doc__
    assert name in dir(tellapart)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tellapart' has no attribute 'trian'"):
        _ = tellapart.trian


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{tellapart.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
