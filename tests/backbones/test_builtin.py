"""The backbone that ships: its size, its card, and the numbers it must give on every machine."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests.builders import write_folders

from tellapart.backbones.registry import BACKBONES, load_backbone
from tellapart.image.preprocess import PreprocessSpec

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
PHOTOS = ("print.jpg", "wide.jpg", "turned.jpg", "colour.png")


def test_the_file_is_the_one_that_the_docs_describe() -> None:
    data = BACKBONES["builtin"]()
    assert len(data) <= 8_000_000
    assert hashlib.sha256(data).hexdigest() in (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
    assert hashlib.sha256(data).hexdigest() in (ROOT / "tools" / "pretrain" / "README.md").read_text(encoding="utf-8")


def test_the_int8_form_says_nearly_the_same() -> None:
    data = BACKBONES["builtin-int8"]()
    assert hashlib.sha256(data).hexdigest() in (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
    small, whole = load_backbone("builtin-int8"), load_backbone("builtin")
    assert (small.name, small.card.smallest_px) == ("builtin-int8", whole.card.smallest_px)
    assert small.card.origin_sha256 == whole.sha256
    ours, theirs = embeddings("builtin-int8"), embeddings()
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    assert ((ours * theirs).sum(axis=1) / lengths).min() > 0.995


def test_its_card_and_its_weights() -> None:
    card = load_backbone("builtin").card
    assert (card.name, card.licence, card.smallest_px) == ("builtin", "Apache-2.0", 64)
    model = onnx.load_model_from_string(BACKBONES["builtin"]())
    n = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    assert 1_500_000 < n < 4_000_000
    values = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    assert all(np.isfinite(value).all() for value in values)


@pytest.mark.parametrize("height, width", [(32, 32), (64, 64), (97, 131), (512, 512), (16, 500)])
def test_any_size(height: int, width: int) -> None:
    backbone = load_backbone("builtin")
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    features = backbone.run(pixels)
    assert features.feature_map is not None
    start, stop = backbone.card.feature_map_channels or (0, 0)
    np.testing.assert_allclose(features.embedding[:, start:stop], features.feature_map.mean((2, 3)), atol=1e-4)


def embeddings(name: str = "builtin") -> np.ndarray:
    backbone = load_backbone(name)
    spec = PreprocessSpec.parse(backbone.default_spec)
    return backbone.run(np.stack([spec.apply((GOLDEN / name).read_bytes()) for name in PHOTOS])).embedding


def test_photos_give_the_pinned_features() -> None:
    """To pin anew, after new weights: `python -m tests.backbones.test_builtin`."""
    pinned = json.loads((Path(__file__).with_name("builtin_pinned.json")).read_text(encoding="utf-8"))
    np.testing.assert_allclose(embeddings()[:, ::97], pinned, rtol=1e-3, atol=1e-4)


def test_training_needs_no_network_and_no_extra(tmp_path: Path) -> None:
    """Every way out of the machine is closed, and no optional library can be imported."""
    data = write_folders(tmp_path / "parts", {"bad": 8, "good": 8})
    code = (
        "import sys, socket, tellapart as ta\n"
        "def closed(event, _arguments):\n"
        "    if event.startswith('socket.') and event != 'socket.gethostname':\n"
        "        raise AssertionError(event)\n"
        "sys.addaudithook(closed)\n"
        "for name in ('torch', 'timm', 'huggingface_hub', 'sklearn', 'torchvision'):\n"
        "    sys.modules[name] = None\n"
        "model = ta.train(sys.argv[1], output=sys.argv[2])\n"
        "assert model.backbone.name == 'builtin'\n"
    )
    subprocess.run([sys.executable, "-c", code, str(data), str(tmp_path / "model")], check=True)


if __name__ == "__main__":
    rounded = [[round(float(value), 5) for value in row] for row in embeddings()[:, ::97]]
    Path(__file__).with_name("builtin_pinned.json").write_text(json.dumps(rounded) + "\n", encoding="utf-8")
