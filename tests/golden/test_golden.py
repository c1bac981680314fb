"""From bytes to probabilities, pinned: whoever changes any step between them changes numbers here.

The model is code: tiny backbone, fixed weights, no training. The images lie beside this file. To pin anew, on purpose,
run `python -m tests.golden.test_golden`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.builders_onnx import TINY_DIM, tiny_backbone_bytes

from tellapart.backbones.onnx import OnnxBackbone, run_file
from tellapart.classifier.card import ModelCard
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.fused import fused_onnx
from tellapart.heads.aims import Aim
from tellapart.heads.calibration import Calibration
from tellapart.heads.linear import LinearHead
from tellapart.heads.ood import OodDetector
from tellapart.heads.thresholds import Thresholds
from tellapart.image.preprocess import PreprocessSpec
from tellapart.records import LabelSchema, Task

HERE = Path(__file__).parent
PINNED = HERE / "pinned.json"
IMAGES = sorted(p.name for p in HERE.iterdir() if p.suffix in (".png", ".jpg", ".webp", ".tif", ".gif", ".bmp"))
TASKS = ["binary", "multiclass", "multilabel"]


def classifier(task: str) -> Classifier:
    """Fixed weights for two or three labels."""
    rng = np.random.default_rng(2026)
    names = ("good", "scratch") if task == "binary" else ("dent", "good", "scratch")
    schema = LabelSchema.from_names(names, task=Task(task))
    backbone = OnnxBackbone.open(tiny_backbone_bytes())
    weight = rng.normal(0, 2, (TINY_DIM, len(names))).astype(np.float32)
    bias = rng.normal(0, 0.5, len(names)).astype(np.float32)
    calibration = Calibration.from_arrays(
        {"temperature": np.full(len(names), 1.3, np.float32), "offset": np.full(len(names), 0.1, np.float32)},
        task=schema.task,
    )
    head = LinearHead(schema.task, weight, bias, calibration)
    ood = OodDetector.fit(rng.normal(0.4, 0.2, (60, TINY_DIM)).astype(np.float32))
    thresholds = Thresholds(
        Aim.parse("best_f1"), (0.5,) * len(names), (True,) * len(names), (1.0,) * len(names), (9,) * len(names)
    )
    spec = PreprocessSpec.parse(backbone.default_spec)
    card = ModelCard("pinned", schema, str(spec), spec.hash, {}, {}, thresholds.to_json())
    return Classifier(card, spec, backbone, head, thresholds, ood)


def answers(task: str) -> dict[str, dict[str, object]]:
    model = classifier(task)
    found = {}
    for name in IMAGES:
        answer = model.predict((HERE / name).read_bytes())
        found[name] = {
            "probabilities": [round(float(p), 7) for p in answer.probabilities],
            "ood_score": round(answer.ood_score, 6),
            "predicted": list(answer.predicted),
        }
    return found


@pytest.mark.parametrize("task", TASKS)
def test_bytes_give_the_pinned_probabilities(task: str) -> None:
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))[task]
    found = answers(task)
    assert set(found) == set(pinned)
    for name, wanted in pinned.items():
        got = found[name]
        np.testing.assert_allclose(got["probabilities"], wanted["probabilities"], atol=1e-5, err_msg=name)
        assert got["ood_score"] == pytest.approx(wanted["ood_score"], rel=1e-4), name
        assert got["predicted"] == wanted["predicted"], name


@pytest.mark.parametrize("task", TASKS)
def test_the_fused_file_gives_the_pinned_probabilities(task: str) -> None:
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))[task]
    model = classifier(task)
    fused = fused_onnx(model)
    for name, wanted in pinned.items():
        pixels = model.spec.apply((HERE / name).read_bytes())
        (probabilities,) = run_file(fused, pixels[None], ["probabilities"])
        np.testing.assert_allclose(probabilities[0], wanted["probabilities"], atol=1e-5, err_msg=name)


def test_the_pinned_numbers_tell_the_images_apart() -> None:
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))
    assert len(IMAGES) >= 5
    for task in TASKS:
        rows = [tuple(entry["probabilities"]) for entry in pinned[task].values()]
        assert len(set(rows)) == len(rows)


if __name__ == "__main__":
    PINNED.write_text(json.dumps({task: answers(task) for task in TASKS}, indent=1) + "\n", encoding="utf-8")
