from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.builders_nets import classifier_net
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones import registry
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.source_card import SourceCard
from tellapart.errors import BackboneError, Reason


def test_the_default_is_known_and_opens() -> None:
    backbone = registry.load_backbone(registry.DEFAULT_BACKBONE)
    assert backbone.name == "builtin"
    assert set(registry.backbones()) == set(registry.BACKBONES)


def test_canonical_and_foreign_files_open(tmp_path: Path) -> None:
    canonical, foreign = tmp_path / "tiny.onnx", tmp_path / "net.onnx"
    canonical.write_bytes(tiny_backbone_bytes())
    assert registry.load_backbone(canonical).sha256 == OnnxBackbone.open(tiny_backbone_bytes()).sha256
    foreign.write_bytes(classifier_net())
    card = SourceCard("mine", "MIT", "a test", size=(32, 32))
    foreign.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(card)), encoding="utf-8")
    assert registry.load_backbone(str(foreign)).name == "mine"


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(BackboneError) as caught:
        registry.load_backbone("clasic")
    assert caught.value.reason is Reason.BACKBONE_UNKNOWN
    assert str(caught.value) == (
        "there is no backbone 'clasic'; did you mean 'classic'? "
        "(known: builtin, builtin-int8, classic, hog; by name timm/… or hf://…; or the path of a file that ends in .onnx or "
        ".safetensors)"
    )


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BackboneError, match=r"^the backbone file 'no.onnx' cannot be read: No such file"):
        registry.load_backbone("no.onnx")


def test_names_are_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BACKBONES", dict(registry.BACKBONES))
    registry.register("tiny", tiny_backbone_bytes)
    assert registry.load_backbone("tiny").name == "tiny"
    with pytest.raises(BackboneError, match=r"^a backbone named 'tiny' is registered already; choose another name$"):
        registry.register("tiny", tiny_backbone_bytes)


def test_opening_a_canonical_file_loads_neither_onnx_nor_other_heavy_libraries(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_backbone_bytes())
    code = (
        "import sys; from tellapart.backbones.registry import load_backbone; load_backbone(sys.argv[1]);"
        "print([name for name in ('onnx', 'polars', 'pydantic', 'scipy', 'PIL', 'difflib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
