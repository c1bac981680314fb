"""Projections and principal components."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads import components
from tellapart.heads.components import fit_pca, principal_components
from tellapart.heads.projection import Projection, unit_length


def spread(n: int = 200, d: int = 20, seed: int = 0) -> np.ndarray:
    """Embeddings whose variance falls from direction to direction."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (rng.standard_normal((n, d)) * 0.8 ** np.arange(d) @ turned + rng.standard_normal(d)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(3, 60), d=st.integers(2, 20), data=st.data())
def test_components_are_those_of_scikit_learn(seed: int, n: int, d: int, data: st.DataObject) -> None:
    x = spread(n, d, seed)
    dim = data.draw(st.integers(1, min(n - 1, d)))
    found, theirs = principal_components(x, dim), PCA(dim, svd_solver="full").fit(x.astype(np.float64))
    np.testing.assert_allclose(found.variances, theirs.explained_variance_ * (n - 1) / n, rtol=1e-3, atol=1e-5)
    assert found.explained == pytest.approx(theirs.explained_variance_ratio_.sum(), abs=1e-4)
    np.testing.assert_allclose(found.directions.T @ found.directions, np.eye(dim), atol=1e-4)
    own = np.square((x - found.mean) @ found.directions).mean(axis=0)
    np.testing.assert_allclose(own, found.variances, rtol=1e-3, atol=1e-5)


def test_the_subspace_of_many_dimensions_is_nearly_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    x = spread(500, 120)
    exact = principal_components(x, 8)
    monkeypatch.setattr(components, "_EXACT", 100)
    found = principal_components(x, 8)
    np.testing.assert_allclose(found.variances, exact.variances, rtol=1e-3)
    np.testing.assert_allclose(found.directions, exact.directions, atol=1e-2)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    x = spread(300)
    whole = fit_pca(x, 5)
    monkeypatch.setattr(components, "_AT_ONCE", 7)
    np.testing.assert_allclose(fit_pca(x, 5).matrix, whole.matrix, atol=1e-4)


def test_whitened_numbers_vary_alike_and_plain_ones_keep_distances() -> None:
    x = spread()
    whitened = fit_pca(x, 6, whiten=True).apply(x, normalise=False)
    np.testing.assert_allclose(np.cov(whitened.T, bias=True), np.eye(6), atol=1e-3)
    all_of_it = fit_pca(x, 20).apply(x, normalise=False)
    np.testing.assert_allclose(np.linalg.norm(all_of_it[0] - all_of_it[1]), np.linalg.norm(x[0] - x[1]), rtol=1e-4)


def test_apply_gives_length_1() -> None:
    x = spread()
    vectors = fit_pca(x, 3).apply(x)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_a_vector_of_zeros_stays_one() -> None:
    found = unit_length(np.array([[3, 4], [0, 0], [1e-30, 0]], np.float32))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [1, 0]], rtol=1e-6)


def test_arrays_give_it_back_and_the_checksum_tells_kinds_apart() -> None:
    found = fit_pca(spread(), 3)
    again = Projection.from_arrays(found.arrays(), kind="pca")
    assert again.sha256 == found.sha256
    assert Projection.from_arrays(found.arrays(), kind="supcon").sha256 != found.sha256


@pytest.mark.parametrize(
    ("dim", "sentence"),
    [
        (0, "10 vectors of 20 numbers have 1 to 9 components, 0 were asked for"),
        (10, "10 vectors of 20 numbers have 1 to 9 components, 10 were asked for"),
    ],
)
def test_components_that_are_not_there_are_refused(dim: int, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        fit_pca(spread(10), dim)
    assert str(caught.value) == sentence


def test_other_embeddings_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"^the projection reads vectors of 20 numbers, got shape \(2, 3\)$"):
        fit_pca(spread(), 3).apply(np.zeros((2, 3), np.float32))


def test_damaged_arrays_are_refused() -> None:
    arrays = fit_pca(spread(), 3).arrays()
    for changed in ({"mean": np.zeros(3)}, {"matrix": np.full((20, 3), np.nan)}, {"matrix": np.zeros((20, 0))}):
        with pytest.raises(ModelError, match=r"^a projection needs finite mean \(d,\) and matrix \(d, m\), got "):
            Projection.from_arrays({**arrays, **changed}, kind="pca")
    with pytest.raises(ModelError) as caught:
        Projection.from_arrays(arrays, kind="umap")
    assert caught.value.reason is Reason.MODEL_TOO_NEW
    assert str(caught.value) == (
        "there is no kind of projection 'umap' (known: pca, pca-whitened, supcon); update tellapart"
    )


def test_vectors_that_are_all_the_same_are_projected_to_nothing() -> None:
    x = np.ones((5, 4), np.float32)
    assert fit_pca(x, 2).apply(x).tolist() == [[0, 0]] * 5
    assert principal_components(x, 2).explained == 1
