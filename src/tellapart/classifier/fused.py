"""Backbone, head and OOD detector as one ONNX file, for programs that have ONNX Runtime and nothing of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from tellapart.backbones.fuse import HeadGraph, fuse
from tellapart.heads.ood import OodDetector
from tellapart.records import Task

if TYPE_CHECKING:
    from tellapart.backbones.graph import GraphBuilder
    from tellapart.classifier.classifier import Classifier


def fused_onnx(classifier: Classifier) -> bytes:
    """One file: `image` uint8 (n, h, w, 3) → `probabilities` (n, k), `ood_score` (n,), `embedding` (n, d).

    The metadata tells what a program needs beside it: labels in column order, task, thresholds, preprocess string, model id.
    """
    calibration = classifier.head.calibration
    head = HeadGraph(
        classifier.head.weight,
        classifier.head.bias,
        calibration.temperature,
        calibration.offset,
        "sigmoid" if classifier.schema.task is Task.MULTILABEL else "softmax",
    )
    return fuse(
        classifier.backbone.onnx_bytes(),
        probabilities=head,
        n_classes=len(classifier.labels),
        ood_score=_OodGraph(classifier.ood),
        metadata=_metadata(classifier),
    )


class _OodGraph:
    """`OodDetector.score` in ONNX operators."""

    def __init__(self, ood: OodDetector) -> None:
        self._ood = ood

    def __call__(self, g: GraphBuilder, embedding: str) -> str:
        ood = self._ood
        z = g.add("Div", g.add("Sub", embedding, g.constant(ood.mean)), g.constant(ood.scale))
        inside = g.add("MatMul", z, g.constant(ood.basis))
        outside = g.add("Sub", z, g.add("MatMul", inside, g.constant(np.ascontiguousarray(ood.basis.T))))
        weighted = g.add("Mul", inside, g.constant(ood.weight))
        near = g.add("ReduceSum", g.add("Mul", weighted, weighted), g.ints(1), keepdims=0)
        far = g.add("ReduceSum", g.add("Mul", outside, outside), g.ints(1), keepdims=0)
        return g.add("Sqrt", g.add("Add", near, g.add("Mul", far, g.constant(ood.rest))))


def _metadata(classifier: Classifier) -> dict[str, str]:
    card = classifier.card
    return {
        "tellapart.model_id": card.model_id,
        "tellapart.task": card.schema.task.value,
        "tellapart.labels": json.dumps(list(card.schema.names), ensure_ascii=False),
        "tellapart.positive": card.schema.positive or "",
        "tellapart.preprocess": card.preprocess,
        "tellapart.thresholds": json.dumps(classifier.thresholds.to_json()),
        "tellapart.unknown_from_ood_score": "1.0",
    }
