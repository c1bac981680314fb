"""Backbone, head and OOD detector as one ONNX file, for programs that have ONNX Runtime and nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tellapart.backbones.fuse import Nodes, distance_graph, fuse, linear_graph
from tellapart.backbones.fuse_anomaly import anomaly_graph, anomaly_score_graph
from tellapart.backbones.fuse_rejection import class_distance_graph, energy_graph, relative_distance_graph
from tellapart.records import Task

if TYPE_CHECKING:
    from tellapart.classifier.classifier import Classifier

Arrays = Mapping[str, NDArray[Any]]

HEAD_GRAPHS: Mapping[str, Callable[[Arrays, str], Nodes]] = MappingProxyType(
    {"linear": linear_graph, "anomaly": anomaly_graph}
)
"""By kind of head: its arrays and "softmax" or "sigmoid" → nodes that make the probabilities (n, k)."""

REJECTION_GRAPHS: Mapping[str, Callable[[Arrays], Nodes]] = MappingProxyType(
    {
        "mahalanobis": distance_graph,
        "class_distance": class_distance_graph,
        "relative_distance": relative_distance_graph,
        "energy": energy_graph,
        "anomaly": anomaly_score_graph,
    }
)
"""By kind of rejection: the arrays of the head file, the head's among them → nodes that make the score (n,)."""


def fused_onnx(classifier: Classifier) -> bytes:
    """One file: `image` uint8 (n, h, w, 3) → `probabilities` (n, k), `ood_score` (n,), `embedding` (n, d).

    The metadata tells what a program needs beside it: labels in column order, task, thresholds, preprocess string, model id.
    An `ood_score` of 1 or more means "unknown", where the metadata's `rejects` is not "false".
    """
    card, head, ood = classifier.card, classifier.head, classifier.ood
    arrays = {**head.arrays(), **ood.arrays()}
    activation = "sigmoid" if card.schema.task is Task.MULTILABEL else "softmax"
    return fuse(
        classifier.backbone.onnx_bytes(),
        probabilities=HEAD_GRAPHS[head.kind](arrays, activation),
        n_classes=head.n_classes,
        ood_score=REJECTION_GRAPHS[ood.kind](arrays),
        metadata={
            # The name is that of a folder, which may be no text; ONNX takes nothing else.
            "tellapart.model_id": card.model_id.encode("utf-8", "backslashreplace").decode(),
            "tellapart.task": card.schema.task.value,
            "tellapart.labels": json.dumps(list(card.schema.names), ensure_ascii=False),
            "tellapart.positive": card.schema.positive or "",
            "tellapart.preprocess": card.preprocess,
            "tellapart.thresholds": json.dumps(classifier.thresholds.to_json()),
            "tellapart.rejects": json.dumps(ood.rejects),
        },
    )
