"""Clusters are those that are there, the largest first, and the same again."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score
from tests.clusters.clouds import clouds

from tellapart.clusters import density, find
from tellapart.clusters.density import hdbscan, smallest_size
from tellapart.clusters.find import Method, find_clusters
from tellapart.clusters.kmeans import choose_number, kmeans
from tellapart.clusters.layout import lay_out
from tellapart.clusters.points import reduced, representatives
from tellapart.clusters.silhouette import silhouette
from tellapart.errors import Reason, SettingsError


@pytest.mark.parametrize("method", ["auto", "kmeans", "hdbscan"])
def test_clouds_are_found_the_largest_first(method: Method) -> None:
    vectors, names = clouds(40, 25, 60)
    found = find_clusters(vectors, method=method)
    assert found.n_clusters == 3
    assert list(found.sizes) == [60, 40, 25]
    assert {(name, int(of)) for name, of in zip(names, found.of, strict=True)} == {("c0", 1), ("c1", 2), ("c2", 0)}


def test_length_does_not_count() -> None:
    vectors, _ = clouds(30, 20)
    lengths = np.random.default_rng(1).uniform(0.1, 10, (50, 1)).astype(np.float32)
    assert np.array_equal(find_clusters(vectors * lengths).of, find_clusters(vectors).of)


def test_hdbscan_leaves_what_lies_alone_to_none() -> None:
    vectors, _ = clouds(40, 40)
    scattered = np.random.default_rng(2).normal(size=(40, 16)).astype(np.float32)
    found = find_clusters(np.concatenate([vectors, scattered]), method="hdbscan")
    assert found.n_clusters == 2
    assert (found.of[:80] >= 0).mean() > 0.9
    assert (found.of[80:] < 0).mean() > 0.8
    assert found.how == "HDBSCAN, clusters of at least 5 different images"


def test_without_groups_auto_cuts_pieces_and_says_so() -> None:
    vectors = np.random.default_rng(0).normal(size=(400, 20)).astype(np.float32)
    found = find_clusters(vectors)
    assert (found.method, found.n_clusters) == ("kmeans", 4)
    assert found.facts["silhouette"] < 0.25
    told = r"k-means; no number of clusters stands out \(mean silhouette at best 0\.\d\d\), so 4 pieces were cut to look at"
    assert re.fullmatch(told, found.how)


def test_one_dense_place_among_scattered_images_is_no_answer_to_auto() -> None:
    of = np.array([0] * 90 + [1] * 10)
    assert not find._convincing(of)  # all but one piece
    assert not find._convincing(np.array([0] * 20 + [1] * 20 + [-1] * 60))  # most in none
    assert find._convincing(np.array([0] * 40 + [1] * 40 + [-1] * 20))


def test_auto_takes_what_separates_better() -> None:
    points = reduced(clouds(30, 30, 30)[0])
    three, two = np.repeat([0, 1, 2], 30), np.repeat([0, 0, 1], 30)
    assert find._is_better(points, three, two, seed=0)
    assert not find._is_better(points, two, three, seed=0)
    few = np.where(np.arange(90) % 30 < 21, three, -1)
    assert not find._is_better(points, few, three, seed=0)  # what it leaves out counts as 0


def test_a_silhouette_is_that_of_scikit_learn() -> None:
    points, of = reduced(clouds(20, 20, 20)[0]), np.repeat([0, 1, -1], 20)
    assert silhouette(points, of) == pytest.approx(silhouette_score(points[:40], of[:40]) * 40 / 60)
    assert silhouette(points, np.zeros(60, np.int64)) is None
    assert silhouette(points, np.arange(60)) is None


def test_as_many_as_asked_for() -> None:
    vectors, _ = clouds(30, 20, 10)
    found = find_clusters(vectors, k=7)
    assert (found.method, found.n_clusters, found.how) == ("kmeans", 7, "k-means, 7 clusters as asked for")
    assert find_clusters(vectors, min_size=8).how == "HDBSCAN, clusters of at least 8 different images"
    few = find_clusters(vectors[:3], k=7)
    assert (few.n_clusters, few.how) == (3, "k-means, 3 clusters: there are no more different images")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("method", ["auto", "kmeans", "hdbscan"])
def test_few_vectors_are_enough(n: int, method: Method) -> None:
    found = find_clusters(np.random.default_rng(n).normal(size=(n, 8)).astype(np.float32), method=method)
    assert found.of.shape == (n,)
    assert found.points.shape[0] == n
    assert found.n_clusters >= 1 or method == "hdbscan"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_vectors_are_one_cluster(value: float) -> None:
    found = find_clusters(np.full((50, 8), value, np.float32))
    assert found.n_clusters == 1
    assert not found.of.any()
    assert found.facts["different_images"] == 1


def test_vectors_of_one_direction_are_one_cluster() -> None:
    for vectors in (np.abs(np.random.default_rng(0).normal(size=(30, 1))), np.arange(1, 31)[:, None] * np.ones((1, 8))):
        found = find_clusters(vectors.astype(np.float32))
        assert (found.of == 0).all()
        assert found.how == "k-means; the images do not differ in anything that tells groups apart"


@pytest.mark.parametrize("size", [1e-36, 1e30])
def test_the_size_of_numbers_does_not_count(size: float) -> None:
    vectors, _ = clouds(40, 20)
    found = find_clusters((vectors * size).astype(np.float32), k=2)
    np.testing.assert_allclose(found.points, find_clusters(vectors, k=2).points, atol=1e-5)
    np.testing.assert_array_equal(found.of, np.repeat([0, 1], [40, 20]))


def test_near_duplicates_of_a_group_make_no_cluster_of_their_own() -> None:
    rng = np.random.default_rng(3)
    scattered = rng.normal(size=(200, 16))
    frames = scattered[[0] * 15 + [1] * 15] + rng.normal(0, 1e-3, (30, 16))
    everything = np.concatenate([scattered, frames]).astype(np.float32)
    groups = [None] * 200 + ["part 0"] * 15 + ["part 1"] * 15
    alone = find_clusters(everything, method="hdbscan", min_size=10)
    grouped = find_clusters(everything, method="hdbscan", min_size=10, groups=groups)
    assert [set(alone.of[200:215]), set(alone.of[215:])] in ([{0}, {1}], [{1}, {0}])
    # Each burst counts once: what is found among 202 scattered images is not the bursts.
    assert all((grouped.of == of).sum() < 15 or of < 0 for of in set(grouped.of[200:]))
    assert len(set(grouped.of[200:215])) == len(set(grouped.of[215:])) == 1
    assert grouped.facts["different_images"] == 202


def test_a_camera_is_a_group_of_different_images() -> None:
    vectors, _ = clouds(40, 40)
    stands = representatives(vectors, reduced(vectors), ["left"] * 40 + ["right"] * 40)
    assert (stands == np.arange(80)).mean() > 0.9


def test_large_groups_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.repeat(clouds(5, 5)[0], 4, axis=0) + np.random.default_rng(0).normal(0, 1e-4, (40, 16))
    points = reduced(vectors)
    monkeypatch.setattr(find.representatives.__module__ + ".MOST_TOGETHER", 20)
    assert (representatives(vectors, points, ["a"] * 20 + ["b"] * 20) != np.arange(40)).sum() == 30
    assert (representatives(vectors, points, ["a"] * 40) == np.arange(40)).all()


def test_the_same_again() -> None:
    vectors = np.random.default_rng(5).normal(size=(300, 12)).astype(np.float32)
    for method in ("kmeans", "hdbscan"):
        assert np.array_equal(find_clusters(vectors, method=method).of, find_clusters(vectors, method=method).of)


def test_any_seed_is_one() -> None:
    vectors, _ = clouds(20, 20)
    for seed in (0, 2**31, 2**40):
        assert find_clusters(vectors, seed=seed).n_clusters == 2
        assert np.isfinite(lay_out(reduced(vectors, seed=seed), seed=seed).xy).all()


def test_many_points_take_the_cluster_of_the_nearest_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    points = reduced(clouds(150, 150)[0])
    monkeypatch.setattr(density, "MOST_POINTS", 100)
    found = hdbscan(points, 5)
    assert (found >= 0).mean() > 0.9
    assert len({int(one) for one in found[:150] if one >= 0}) == 1


def test_a_sensible_smallest_size() -> None:
    assert [smallest_size(n) for n in (10, 400, 1_600, 10_000)] == [5, 5, 10, 25]


def test_kmeans_numbers_all_its_clusters() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    assert sorted(set(kmeans(points, 3).tolist())) == [0, 1, 2]


@given(st.integers(2, 8), st.integers(0, 100))
@settings(max_examples=4)
def test_the_number_of_clear_clusters_is_found(k: int, seed: int) -> None:
    points = reduced(clouds(*[20] * k, seed=seed)[0])
    assert choose_number(points, seed=seed).k == k


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=40))
def test_numbers_go_by_size_and_keep_the_groups(of: list[int]) -> None:
    given_ = np.array(of, np.int64)
    found = find._by_size(given_)
    sizes = np.bincount(found[found >= 0])
    assert (np.diff(sizes) <= 0).all()
    assert (sizes > 0).all()
    assert np.array_equal(found < 0, given_ < 0)
    assert len(set(zip(of, found.tolist(), strict=True))) == len(set(of)) == len(set(found.tolist()))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "dbscan"}, "a method is auto, kmeans, hdbscan, got 'dbscan'"),
        ({"k": 0}, "the number of clusters is 1 or more, got 0"),
        ({"min_size": 1}, "a cluster has 2 images or more, got a smallest size of 1"),
        (
            {"method": "hdbscan", "k": 3},
            "HDBSCAN finds the number of clusters itself; give the smallest size, or take kmeans",
        ),
        (
            {"method": "kmeans", "min_size": 3},
            "a smallest size is for HDBSCAN; k-means takes the number of clusters",
        ),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(told)}$") as caught:
        find_clusters(np.eye(4, dtype=np.float32), **options)  # type: ignore[arg-type]
    assert caught.value.reason is Reason.BAD_SETTING
