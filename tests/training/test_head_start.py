"""A network's last layer starts at the probe of its frozen features."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.records import LabelSchema, Task
from tellapart.training.head_start import head_start


def _drawn(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = np.arange(n) % k
    centres = np.random.default_rng(0).normal(size=(k, 12)) * 1.5
    return (centres[classes] + rng.normal(size=(n, 12))).astype(np.float32), np.eye(k, dtype=np.uint8)[classes]


@pytest.mark.parametrize("k, task", [(2, Task.BINARY), (4, Task.MULTICLASS)])
def test_plain_logits_are_right_and_as_sure_as_they_may_be(k: int, task: Task) -> None:
    schema = LabelSchema.from_names([f"c{i}" for i in range(k)], task=task, positive="c1" if k == 2 else None)
    embeddings, labels = _drawn(400, k, 1)
    weight, bias = head_start(embeddings, labels, np.arange(400), schema, class_weight="balanced", seed=0)
    assert weight.shape == (12, k)
    assert bias.shape == (k,)
    fresh, truth = _drawn(2000, k, 2)
    logits = fresh @ weight + bias
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    right = probabilities.argmax(1) == truth.argmax(1)
    assert right.mean() > 0.9
    assert abs(probabilities.max(1).mean() - right.mean()) < 0.03


def test_rare_classes_keep_their_rate_though_the_probe_was_balanced() -> None:
    schema = LabelSchema.from_names(["a", "b"], task=Task.BINARY, positive="b")
    rng = np.random.default_rng(0)
    rare = rng.random(1500) < 0.1
    embeddings = (rng.normal(size=(1500, 5)) + rare[:, None]).astype(np.float32)
    labels = np.stack([~rare, rare], 1).astype(np.uint8)
    weight, bias = head_start(embeddings, labels, np.arange(1500), schema, class_weight="balanced", seed=0)
    logits = embeddings @ weight + bias
    assert abs((1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))).mean() - rare.mean()) < 0.02


def test_each_label_of_several_starts_for_itself() -> None:
    schema = LabelSchema.from_names(["a", "b", "c"], task=Task.MULTILABEL)
    rng = np.random.default_rng(0)
    labels = (rng.random((600, 3)) < 0.4).astype(np.uint8)
    embeddings = (labels @ rng.normal(size=(3, 8)) * 2 + rng.normal(size=(600, 8))).astype(np.float32)
    weight, bias = head_start(embeddings, labels, np.arange(600), schema, class_weight="balanced", seed=0)
    found = 1 / (1 + np.exp(-(embeddings @ weight + bias)))
    assert ((found > 0.5) == labels).mean() > 0.85
    np.testing.assert_allclose(found.mean(0), labels.mean(0), atol=0.03)
