"""Anomaly heads: distances, thresholds, arrays, and ONNX nodes that answer alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.backbones.fuse_anomaly import anomaly_graph, anomaly_score_graph
from tellapart.backbones.graph import GraphBuilder, float_output
from tellapart.classifier.fused import HEAD_GRAPHS, REJECTION_GRAPHS
from tellapart.classifier.head_file import head_from_bytes, head_to_bytes
from tellapart.errors import BackboneError, ModelError, SettingsError
from tellapart.heads.anomaly import AnomalyHead, AnomalyScore
from tellapart.heads.anomaly_fit import farthest_first, image_memory, patch_gaussian, patch_memory
from tellapart.heads.anomaly_scores import PatchMemory, Scorer, image_scores
from tellapart.heads.calibration import Calibration
from tellapart.heads.false_alarms import choose_threshold, tail_of
from tellapart.heads.protocol import head_kind
from tellapart.heads.rejection import restore_rejection
from tellapart.records import Task

GRID, CHANNELS = (3, 2), 8


def embeddings(n: int, seed: int = 0, n_strange: int = 0) -> np.ndarray:
    """n images of 3 x 2 patches of 8 values; the first `n_strange` have one patch far from all others."""
    rng = np.random.default_rng(seed)
    patches = (
        rng.standard_normal((n, 6, CHANNELS)).astype(np.float32) * 0.1 + np.arange(6, dtype=np.float32)[:, None] % 3
    )
    for row in range(n_strange):
        patches[row, row % 6] += 3
    return patches.reshape(n, -1)


SCORERS: dict[str, Scorer] = {
    "patchcore": patch_memory(embeddings(40), GRID, share=0.5),
    "mahalanobis": patch_gaussian(embeddings(40), GRID),
    "knn": image_memory(embeddings(40)),
}
kinds = pytest.mark.parametrize("kind", SCORERS)


def head_of(kind: str, positive: int = 0) -> AnomalyHead:
    calibration = Calibration(Task.BINARY, np.array([2, 2], np.float32), np.array([0.5, -0.5], np.float32))
    return AnomalyHead(SCORERS[kind], positive, 0.1, 0.5, calibration)


@kinds
def test_strange_patches_score_highest_and_are_found(kind: str) -> None:
    head, x = head_of(kind), embeddings(12, 1, n_strange=6)
    scores = head.scores(x)
    assert scores.dtype == np.float32
    assert scores[:6].min() > 1.5 * scores[6:].max()
    if kind != "knn":
        assert (head.patch_scores(x)[:6].reshape(6, -1).argmax(axis=1) == np.arange(6)).all()
    assert head.patch_scores(x[:0]).shape == (0, *head.grid)


@kinds
@pytest.mark.parametrize("positive", [0, 1])
def test_the_logit_is_zero_at_the_threshold_and_rises_for_the_positive_column(kind: str, positive: int) -> None:
    head = head_of(kind, positive)
    logits = head.logits_of(np.array([0.5, 1.0, 1.5], np.float32))
    assert logits[1].tolist() == [0, 0]
    assert (np.diff(logits[:, positive]) > 0).all()
    assert head.logits(embeddings(3)).shape == (3, 2)
    np.testing.assert_allclose(head.probabilities(embeddings(3)).sum(axis=1), 1, atol=1e-6)
    assert (head.task, head.n_classes, head.n_features) == (Task.BINARY, 2, 48)


@kinds
def test_arrays_and_the_head_file_say_everything(kind: str) -> None:
    head, x = head_of(kind), embeddings(5, 2)
    data = head_to_bytes(head, AnomalyScore(head))
    again, score = head_from_bytes(data, Task.BINARY, kind="anomaly", rejection="anomaly")
    np.testing.assert_array_equal(again.probabilities(x), head.probabilities(x))
    np.testing.assert_array_equal(score.score(x), head.scores(x))
    assert not score.rejects
    assert head_to_bytes(again, score) == data
    assert head_kind("anomaly").restore is not None


@kinds
@pytest.mark.parametrize("fault", ["missing", "shape", "positive", "tail", "task"])
def test_damaged_arrays_are_refused(kind: str, fault: str) -> None:
    arrays = dict(head_of(kind).arrays())
    task = Task.MULTICLASS if fault == "task" else Task.BINARY
    if fault == "missing":
        del arrays["grid"]
    elif fault == "shape":
        arrays["scale" if "scale" in arrays else "whiten"] = np.ones((3, 3), np.float32)
    elif fault != "task":
        arrays[fault] = np.array([-2], np.float32)
    with pytest.raises(ModelError) as caught:
        AnomalyHead.from_arrays(arrays, task=task)
    assert caught.value.reason == "model_damaged"
    if fault in ("missing", "shape"):
        with pytest.raises(ModelError):
            restore_rejection("anomaly", arrays)


@kinds
def test_onnx_nodes_answer_alike(kind: str) -> None:
    head, x = head_of(kind), embeddings(20, 3, n_strange=4)
    assert HEAD_GRAPHS["anomaly"] is anomaly_graph
    assert REJECTION_GRAPHS["anomaly"] is anomaly_score_graph
    g = GraphBuilder()
    g.add("Identity", anomaly_graph(head.arrays(), "softmax")(g, "embedding"), output="probabilities")
    g.add("Identity", anomaly_score_graph(head.arrays())(g, "embedding"), output="score")
    outputs = [float_output("probabilities", ["n", 2]), float_output("score", ["n"])]
    model = g.model("head", inputs=[float_output("embedding", ["n", x.shape[1]])], outputs=outputs)
    session = ort.InferenceSession(model.SerializeToString())
    probabilities, scores = session.run(["probabilities", "score"], {"embedding": x})
    np.testing.assert_allclose(scores, head.scores(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(probabilities, head.probabilities(x), atol=2e-3)


def test_a_head_without_its_arrays_is_not_fused() -> None:
    with pytest.raises(BackboneError, match=r"^the anomaly head cannot be fused, arrays are missing: whiten$"):
        anomaly_score_graph({"mean": np.ones((1, 2))})


def test_distances_are_those_to_the_nearest_remembered_patch() -> None:
    rng = np.random.default_rng(0)
    memory, scale = rng.standard_normal((30, 5)).astype(np.float32), np.full(5, 0.5, np.float32)
    patches = rng.standard_normal((2000, 5)).astype(np.float32)
    expected = np.linalg.norm(patches[:, None] * scale - memory, axis=2).min(axis=1)
    found = PatchMemory((2, 1), memory, scale).patch_scores(patches.reshape(1000, 10))
    np.testing.assert_allclose(found.reshape(-1), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(image_scores(found), found.max(axis=(1, 2)))


def test_scaling_scales_all_distances() -> None:
    x = embeddings(4, 5)
    for scorer in SCORERS.values():
        np.testing.assert_allclose(scorer.scaled(3).patch_scores(x), 3 * scorer.patch_scores(x), rtol=2e-3, atol=1e-4)


@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 40))
def test_the_coreset_is_the_greedy_one(seed: int, n: int, wanted: int) -> None:
    points = np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)
    chosen = farthest_first(points, wanted, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == len(chosen) == min(n, wanted)
    for at in range(1, len(chosen)):
        apart = np.linalg.norm(points[:, None] - points[chosen[:at]], axis=2).min(axis=1)
        assert apart[chosen[at]] >= apart.max() - 1e-3


def test_copies_are_remembered_once() -> None:
    points = np.repeat(np.eye(3, 40, dtype=np.float32), 5, axis=0)
    assert len(farthest_first(points, 15, np.random.default_rng(0))) == 3
    constant = patch_memory(np.zeros((4, 48), np.float32), GRID, share=1.0)
    assert np.isfinite(constant.patch_scores(embeddings(2))).all()
    flat = patch_gaussian(np.ones((2, 48), np.float32), GRID)
    assert np.isfinite(flat.patch_scores(embeddings(2))).all()


def alone(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int64)


def test_enough_good_images_keep_the_promise() -> None:
    scores = np.random.default_rng(0).gamma(4, 1, 400).astype(np.float32)
    found = choose_threshold(scores, alone(400), 0.01)
    assert (found.reached, found.n_groups, found.n_needed) == (True, 400, 230)
    assert found.promised <= 0.01 + 1e-6
    assert (scores >= found.threshold).mean() <= 0.01
    assert found.line() == "alarms      at most 1 % of good images, with 90 % confidence: by 400 good groups held out"


def test_few_good_images_say_what_they_can_promise() -> None:
    scores = np.random.default_rng(0).gamma(4, 1, 60).astype(np.float32)
    found = choose_threshold(scores, alone(60), 0.01)
    assert not found.reached
    assert found.threshold > scores.max()
    assert found.promised == pytest.approx(1 - 0.1 ** (1 / 60), rel=1e-6)
    assert found.line() == (
        "warning     the threshold is set for 1 % false alarms, but it takes 230 good groups to promise that, there are 60; "
        "with 90 % confidence it can promise at most 3.8 %"
    )
    related = choose_threshold(np.repeat(scores, 5), np.repeat(alone(60), 5), 0.01)
    assert (related.n_groups, related.reached) == (60, False)
    assert related.promised == pytest.approx(found.promised)


def test_promises_hold_in_nine_of_ten_data_sets() -> None:
    rng, broken = np.random.default_rng(1), 0
    for _ in range(200):
        found = choose_threshold(rng.random(120).astype(np.float32), alone(120), 0.05)
        broken += found.reached and 1 - found.threshold > 0.05
    assert broken <= 0.1 * 200 + 2 * np.sqrt(200 * 0.09)


@pytest.mark.parametrize("allowed", [0.0, -0.1, 0.6, float("nan")])
def test_a_share_that_cannot_be_is_refused(allowed: float) -> None:
    with pytest.raises(SettingsError, match=r"^the share of false alarms lies above 0 and is at most 0.5, got "):
        choose_threshold(np.ones(3, np.float32), alone(3), allowed)


def test_further_images_alarm_as_often_as_expected() -> None:
    rng, alarms = np.random.default_rng(2), []
    for _ in range(300):
        images = rng.random((150, 1)) * 0.7 + rng.random((150, 4)) * 0.3  # four exposures of a part
        found = choose_threshold(images.reshape(-1).astype(np.float32), np.repeat(alone(150), 4), 0.01)
        assert not found.reached
        further = rng.random((2000, 1)) * 0.7 + rng.random((2000, 4)) * 0.3
        alarms.append((further >= found.threshold).mean())
    assert 0.002 < np.mean(alarms) < 0.0105


def test_scores_without_spread_have_a_tail() -> None:
    scores: Any = np.array([1, 5, 2, 3], np.float32)
    assert tail_of(scores, 1.0, 0.01) > 0
    equal = choose_threshold(np.zeros(5, np.float32), alone(5), 0.5)
    assert equal.threshold > 0
