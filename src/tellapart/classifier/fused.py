"""Backbone, head and OOD detector as one ONNX file, for programs that have ONNX Runtime and nothing of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tellapart.backbones.fuse import fuse_arrays
from tellapart.records import Task

if TYPE_CHECKING:
    from tellapart.classifier.classifier import Classifier


def fused_onnx(classifier: Classifier) -> bytes:
    """One file: `image` uint8 (n, h, w, 3) → `probabilities` (n, k), `ood_score` (n,), `embedding` (n, d).

    The metadata tells what a program needs beside it: labels in column order, task, thresholds, preprocess string, model id.
    An `ood_score` of 1 or more means "unknown".
    """
    card = classifier.card
    return fuse_arrays(
        classifier.backbone.onnx_bytes(),
        {**classifier.head.arrays(), **classifier.ood.arrays()},
        activation="sigmoid" if card.schema.task is Task.MULTILABEL else "softmax",
        metadata={
            # The name is that of a folder, which may be no text; ONNX takes nothing else.
            "tellapart.model_id": card.model_id.encode("utf-8", "backslashreplace").decode(),
            "tellapart.task": card.schema.task.value,
            "tellapart.labels": json.dumps(list(card.schema.names), ensure_ascii=False),
            "tellapart.positive": card.schema.positive or "",
            "tellapart.preprocess": card.preprocess,
            "tellapart.thresholds": json.dumps(classifier.thresholds.to_json()),
        },
    )
