from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tests.builders_nets import classifier_net
from tests.builders_onnx import TINY_DIM, tiny_backbone_bytes

from tellapart.backbones.convert import convert
from tellapart.backbones.fuse import DistanceGraph, HeadGraph, distance_graph, fuse, linear_graph
from tellapart.backbones.graph import GraphBuilder
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.source_card import SourceCard
from tellapart.errors import BackboneError

RNG = np.random.default_rng(1)
IMAGES = RNG.integers(0, 256, (4, 32, 48, 3), np.uint8)


def head(dim: int, activation: str) -> HeadGraph:
    parts = (RNG.standard_normal((dim, 3)), RNG.standard_normal(3), 0.5 + RNG.random(3), RNG.standard_normal(3))
    return HeadGraph(*(part.astype(np.float32) for part in parts), activation)


def distance_arrays(dim: int) -> dict[str, np.ndarray]:
    parts = {
        "mean": RNG.standard_normal(dim),
        "scale": 0.5 + RNG.random(dim),
        "basis": np.linalg.qr(RNG.standard_normal((dim, 5)))[0],
        "weight": RNG.random(5),
        "rest": RNG.random(1),
    }
    return {name: part.astype(np.float32) for name, part in parts.items()}


def expected_score(one: DistanceGraph, x: np.ndarray) -> np.ndarray:
    z = (x - one.mean) / one.scale
    inside = z @ one.basis
    outside = z - inside @ one.basis.T
    return np.sqrt(((inside * one.weight) ** 2).sum(axis=1) + (outside**2).sum(axis=1) * one.rest)


def expected(one: HeadGraph, x: np.ndarray) -> np.ndarray:
    z = (x @ one.weight + one.bias) / one.temperature + one.offset
    if one.activation == "sigmoid":
        return 1 / (1 + np.exp(-z))
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def run(data: bytes) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": IMAGES}), strict=True))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("foreign", [False, True])
def test_one_file_answers_like_backbone_and_head(activation: str, foreign: bool) -> None:
    card = SourceCard("net", "MIT", "a test", size=(32, 48))
    backbone = convert(classifier_net(), card).data if foreign else tiny_backbone_bytes()
    embedding = OnnxBackbone.open(backbone).run(IMAGES).embedding
    dim = embedding.shape[1]
    linear = head(dim, activation)
    distance = DistanceGraph(*distance_arrays(dim).values())
    answers = run(fuse(backbone, probabilities=linear, n_classes=3, ood_score=distance))
    assert list(answers) == ["probabilities", "ood_score", "embedding"]
    np.testing.assert_allclose(answers["embedding"], embedding, atol=1e-6)
    np.testing.assert_allclose(answers["probabilities"], expected(linear, embedding), atol=1e-6)
    np.testing.assert_allclose(answers["ood_score"], expected_score(distance, embedding), rtol=1e-4)


def test_head_and_distance_may_be_given_by_their_arrays() -> None:
    linear, distance = head(TINY_DIM, "softmax"), distance_arrays(TINY_DIM)
    arrays = {name: getattr(linear, name) for name in ("weight", "bias", "temperature", "offset")}
    ood = {f"ood_{name}": value for name, value in distance.items()}
    every = {**arrays, **ood, "other": linear.bias}
    parts = {"probabilities": linear, "ood_score": DistanceGraph(**distance)}
    given = {"probabilities": linear_graph(every, "softmax"), "ood_score": distance_graph(every)}
    assert fuse(tiny_backbone_bytes(), n_classes=3, **given) == fuse(tiny_backbone_bytes(), n_classes=3, **parts)
    with pytest.raises(BackboneError, match=r"^the head cannot be fused, arrays are missing: weight, bias, temper"):
        linear_graph({"offset": arrays["offset"]}, "softmax")
    with pytest.raises(BackboneError, match=r"^the head cannot be fused, arrays are missing: ood_rest$"):
        distance_graph({name: ood[name] for name in ood if name != "ood_rest"})


def test_metadata_stands_beside_the_card_and_bytes_are_equal() -> None:
    linear = head(TINY_DIM, "softmax")
    first, second = (
        fuse(tiny_backbone_bytes(), probabilities=linear, n_classes=3, metadata={"labels": '["a"]', "task": "binary"})
        for _ in range(2)
    )
    assert first == second
    found = {one.key: one.value for one in onnx.load_model_from_string(first).metadata_props}
    assert list(found) == ["labels", "task", "tellapart.backbone"]
    assert found["labels"] == '["a"]'
    assert list(run(first)) == ["probabilities", "embedding"]


def test_any_nodes_may_be_the_head() -> None:
    def uniform(g: GraphBuilder, embedding: str) -> str:
        return g.add("Softmax", g.add("MatMul", embedding, g.constant(np.zeros((TINY_DIM, 2), np.float32))), axis=1)

    answers = run(fuse(tiny_backbone_bytes(), probabilities=uniform, n_classes=2))
    np.testing.assert_array_equal(answers["probabilities"], np.full((4, 2), 0.5, np.float32))


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(BackboneError, match=r"^backbone and head do not fit together: "):
        fuse(tiny_backbone_bytes(), probabilities=head(TINY_DIM + 1, "softmax"), n_classes=3)


def test_a_foreign_file_has_no_card() -> None:
    with pytest.raises(BackboneError, match=r"^the backbone has no card under 'tellapart.backbone'; convert it first"):
        fuse(classifier_net(), probabilities=head(8, "softmax"), n_classes=3)


def test_shapes_of_a_head_are_checked() -> None:
    ones = np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"^HeadGraph wants weight \(d, k\)"):
        HeadGraph(np.ones((4, 2), np.float32), ones, ones, ones, "softmax")
    with pytest.raises(ValueError, match=r"'softmax' or 'sigmoid', got .* and 'tanh'$"):
        HeadGraph(np.ones((4, 3), np.float32), ones, ones, ones, "tanh")
