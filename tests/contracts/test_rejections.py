"""Every kind of rejection keeps what it promises: a threshold, arrays that say everything, nodes that answer alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
from tests.builders_onnx import TINY_DIM, tiny_backbone_bytes
from tests.heads.data import embeddings

from tellapart.backbones.fuse import HeadGraph, fuse
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.classifier.fused import REJECTION_GRAPHS
from tellapart.classifier.head_file import head_from_bytes, head_to_bytes
from tellapart.errors import BackboneError, ModelError, SettingsError
from tellapart.heads.familiar import Familiar
from tellapart.heads.rejection import REJECTION_FITS, REJECTIONS, Rejection, fit_rejection, restore_rejection
from tellapart.heads.selection import fit_selected
from tellapart.records import Task

KINDS = list(REJECTION_FITS)
kinds = pytest.mark.parametrize("kind", KINDS)


def familiar(x: np.ndarray, y: np.ndarray, share: float = 0.01) -> Familiar:
    folds = np.arange(len(x)) % 5
    task = Task.BINARY if y.max() < 2 else Task.MULTICLASS
    found, head = fit_selected(x, y, folds, task=task, grid=(1e-3,))
    return Familiar(x, y, folds, head, found.logits, found.usable, share)


def strange(n: int, d: int) -> np.ndarray:
    """Images of two classes more, of those that `embeddings(…, 4)` knows nothing."""
    x, y = embeddings(3 * n, d, 6, separation=2.0)
    return x[y > 3][:n]


@pytest.fixture(scope="module")
def known() -> tuple[Familiar, np.ndarray]:
    """1,000 images of four classes, and 3,000 others like them."""
    x, y = embeddings(6300, 40, 6, separation=2.0)
    x, y = x[y < 4][:4000], y[y < 4][:4000]
    return familiar(x[:1000], y[:1000]), x[1000:]


@pytest.fixture(scope="module")
def fitted(known: tuple[Familiar, np.ndarray]) -> dict[str, Rejection]:
    return {kind: fit_rejection(kind, known[0]) for kind in KINDS}


def test_every_kind_can_be_fitted_restored_and_fused() -> None:
    assert set(KINDS) <= set(REJECTIONS)
    assert set(REJECTIONS) == set(REJECTION_GRAPHS)


@kinds
def test_scores_are_finite_and_know_the_strange(
    kind: str, fitted: dict[str, Rejection], known: tuple[Familiar, np.ndarray]
) -> None:
    one, unlike = fitted[kind], strange(600, 40)
    assert (one.kind, one.rejects, one.n_features) == (kind, True, 40)
    like, others = one.score(known[1]), one.score(unlike)
    assert like.dtype == np.float32
    assert like.shape == (len(known[1]),)
    assert np.isfinite(like).all()
    assert like.min() >= 0
    assert np.median(others) > np.median(like) * (1 if kind == "energy" else 1.1)
    assert 0.001 < (like >= 1).mean() < 0.025
    far = one.score(np.full((1, 40), 1e4, np.float32) * np.sign(np.arange(40) - 19.5).astype(np.float32))
    assert np.isfinite(far).all()


@kinds
@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize(("n", "d"), [(600, 200), (900, 30)])
def test_about_the_stated_share_of_familiar_images_is_flagged(kind: str, share: float, n: int, d: int) -> None:
    x, y = embeddings(n + 3000, d, 4)
    one = fit_rejection(kind, familiar(x[:n], y[:n], share))
    assert 0.4 * share < float((one.score(x[n:]) >= 1).mean()) < 1.7 * share


@kinds
def test_the_order_of_images_does_not_matter(kind: str) -> None:
    x, y = embeddings(300, 20, 3)
    known, order = familiar(x, y), np.random.default_rng(0).permutation(300)
    turned = replace(
        known,
        embeddings=x[order],
        targets=y[order],
        folds=known.folds[order],
        logits=known.logits[order],
        usable=known.usable[order],
    )
    first, second = (fit_rejection(kind, each).score(x) for each in (known, turned))
    np.testing.assert_allclose(first, second, rtol=2e-3, atol=1e-4)


@kinds
def test_arrays_say_everything(kind: str, known: tuple[Familiar, np.ndarray], fitted: dict[str, Rejection]) -> None:
    one, head = fitted[kind], known[0].head
    arrays = {**head.arrays(), **one.arrays()}
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    again = restore_rejection(kind, {**arrays, "other": np.zeros(3)})
    np.testing.assert_array_equal(again.score(known[1]), one.score(known[1]))
    _, stored = head_from_bytes(head_to_bytes(head, one), Task.MULTICLASS, rejection=kind)
    np.testing.assert_array_equal(stored.score(known[1]), one.score(known[1]))


@kinds
def test_damaged_arrays_are_refused(
    kind: str, known: tuple[Familiar, np.ndarray], fitted: dict[str, Rejection]
) -> None:
    arrays = {**known[0].head.arrays(), **fitted[kind].arrays()}
    for name in fitted[kind].arrays():
        with pytest.raises(ModelError, match=name if kind != "class_distance" else "ood_"):
            restore_rejection(kind, {other: array for other, array in arrays.items() if other != name})
        with pytest.raises(ModelError):
            restore_rejection(kind, {**arrays, name: np.ones((7, 3, 2), np.float32)})
        with pytest.raises(BackboneError, match=f"cannot be fused, arrays are missing: {name}$"):
            REJECTION_GRAPHS[kind]({other: array for other, array in arrays.items() if other != name})


@kinds
def test_fused_nodes_give_the_same_score(kind: str) -> None:
    images = np.random.default_rng(3).integers(0, 256, (240, 32, 48, 3), np.uint8)
    images[80:160] //= 2
    images[160:, :, :, 0] //= 3
    x = OnnxBackbone.open(tiny_backbone_bytes()).run(images).embedding
    known = familiar(x, np.repeat(np.arange(3), 80))
    one = fit_rejection(kind, known)
    arrays = {**known.head.arrays(), **one.arrays()}
    head = HeadGraph(*(arrays[name] for name in ("weight", "bias", "temperature", "offset")), "softmax")
    data = fuse(tiny_backbone_bytes(), probabilities=head, n_classes=3, ood_score=REJECTION_GRAPHS[kind](arrays))
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    strangers = np.concatenate([images[::7], 255 - images[::9]])
    scores, vectors = session.run(["ood_score", "embedding"], {"image": strangers})
    assert vectors.shape[1] == TINY_DIM
    np.testing.assert_allclose(scores, one.score(vectors), rtol=1e-4, atol=1e-5)


@kinds
def test_degenerate_images_are_no_error(kind: str) -> None:
    same = familiar(np.ones((20, 7), np.float32), np.arange(20) % 2)
    scores = fit_rejection(kind, same).score(np.ones((3, 7), np.float32))
    assert np.isfinite(scores).all()
    assert (scores < 1).all() or kind == "mahalanobis"
    x, _ = embeddings(4, 7, 2)
    few = fit_rejection(kind, familiar(x, np.array([0, 1, 0, 1])))
    assert np.isfinite(few.score(x)).all()


def test_faults_are_said(known: tuple[Familiar, np.ndarray]) -> None:
    with pytest.raises(SettingsError) as caught:
        fit_rejection("psychic", known[0])
    assert str(caught.value) == (
        "unknown rejection 'psychic', known are: auto, mahalanobis, class_distance, relative_distance, energy"
    )
    with pytest.raises(SettingsError) as caught:
        replace(known[0], share=0.7)
    assert str(caught.value) == (
        "a rejection needs two embeddings or more, a target, a fold and answers for each, and a share in (0, 0.5]; "
        "got 1000 embeddings, lengths [1000], share 0.7"
    )
    several = replace(known[0], targets=np.eye(4, dtype=np.uint8)[known[0].targets])
    for kind, sentence in {
        "class_distance": "images of several labels have no class of their own to be near to: "
        "tell unknown ones by 'mahalanobis'",
        "energy": "the energy is that of a linear head with one label per image: tell unknown images by 'mahalanobis'",
    }.items():
        with pytest.raises(SettingsError) as caught:
            fit_rejection(kind, several)
        assert str(caught.value) == sentence


def test_the_distance_to_classes_is_that_of_their_shared_covariance() -> None:
    """With as many directions as features the score is the plain Mahalanobis distance to the nearest mean, scaled."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 400)
    x = (rng.normal(size=(1200, 4)) + 5 * rng.normal(size=(3, 4))[y]).astype(np.float32)
    one = fit_rejection("class_distance", familiar(x, y))
    arrays = one.arrays()
    z = (x - arrays["ood_mean"]) / arrays["ood_scale"]
    p = z @ arrays["ood_basis"]
    rest = ((z - p @ arrays["ood_basis"].T) ** 2).sum(axis=1) * arrays["ood_rest"]
    by_hand = ((p * arrays["ood_weight"])[:, None] - arrays["ood_centres"]) ** 2
    np.testing.assert_allclose(one.score(x), np.sqrt(by_hand.sum(axis=2).min(axis=1) + rest), rtol=1e-3, atol=1e-4)
    assert (
        one.score(x.mean(axis=0, keepdims=True))[0] > 1
    )  # the middle of all is no class: mahalanobis calls it familiar
    assert fit_rejection("mahalanobis", familiar(x, y)).score(x.mean(axis=0, keepdims=True))[0] < 0.1
