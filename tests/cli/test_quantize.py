"""`tellapart model quantize`: figures on stdout, JSON for machines, refusals with their code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.classifier.models import model, model_folder, photos
from tests.cli.command import run
from tests.workflows.test_quantize import fragile_model


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)


def test_the_model_is_written_beside_and_its_figures_are_printed(tmp_path: Path) -> None:
    ran = run("model", "quantize", model_folder(), photos(), "--max-loss", "0.2", "--calibration", 8)
    assert (ran.code, ran.err) == (0, "")
    heads = [line.split("  ")[0] for line in ran.out.splitlines()]
    assert heads[:6] == ["model", "calibrated", "accuracy", "macro F1", "speed", "size"]
    assert "minmax of 8 training images" in ran.out
    assert run("model", "verify", tmp_path / "colours-int8").code == 0


def test_json(tmp_path: Path) -> None:
    options = ["-o", "m8", "--max-loss", 1, "--method", "entropy", "--keep-float", "last", "--no-cache", "--json"]
    ran = run("model", "quantize", fragile_model(), photos(), *options)
    assert ran.code == 0
    assert ran.json["path"] == "m8"
    assert (ran.json["method"], ran.json["n_float_layers"]) == ("entropy", 1)


def test_a_loss_is_refused(tmp_path: Path) -> None:
    ran = run("model", "quantize", fragile_model(), photos(), "-o", "m8")
    assert (ran.code, ran.out) == (1, "")
    assert "nothing was written" in ran.err
    assert "[quantization_loss]" in ran.err
    assert not Path("m8").exists()


def test_wrong_options_are_exit_code_2() -> None:
    assert run("model", "quantize", model_folder(), photos(), "-o", model_folder()).code == 2
    assert run("model", "quantize", model_folder(), photos(), "--max-loss", 2).code == 2
    assert model().backbone.name == "tiny"
