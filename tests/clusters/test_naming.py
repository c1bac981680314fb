"""Names come from labels inside, then from labels near by; agreement is that of the textbooks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from tellapart.clusters.agreement import agreement
from tellapart.clusters.naming import name_clusters

LABELS = st.sampled_from([None, "crack", "dent", "ok"])


def names(of: list[int], labels: list[str | None]) -> list[str]:
    points = np.array([[float(place), 0.0] for place in of], np.float32)
    return [name.text for name in name_clusters(np.array(of, np.int64), points, labels)]


def test_the_most_frequent_label_names_a_cluster() -> None:
    assert names([0] * 4, ["crack", "crack", "crack", None]) == ["all crack"]
    assert names([0] * 11, ["crack"] * 9 + ["dent"] * 2) == ["mostly crack (82 %)"]
    assert names([0] * 5, ["a", "a", "b", "b", "c"]) == ["mixed: a 40 %, b 40 %"]
    assert names([0] * 400, ["a"] * 399 + ["b"]) == ["mostly a (99 %)"]


def test_without_a_label_inside_the_nearest_labels_name_it() -> None:
    assert names([0, 0, 1, 2, 2], [None, None, "dent", "crack", "crack"]) == [
        "cluster 1 near crack",
        "all dent",
        "all crack",
    ]
    (name, _) = name_clusters(np.array([0, 1]), np.eye(2, dtype=np.float32), [None, "dent"])
    assert (name.label, name.share, name.near) == ("dent", 1.0, True)


def test_without_any_label_there_is_only_the_number() -> None:
    assert names([0, 1, 1, -1], [None] * 4) == ["cluster 1", "cluster 2"]


@given(st.lists(st.tuples(st.integers(-1, 4), LABELS), min_size=1, max_size=40))
def test_the_share_is_that_of_the_label(rows: list[tuple[int, str | None]]) -> None:
    present = {of: place for place, of in enumerate(sorted({of for of, _ in rows if of >= 0}))}
    of = np.array([present.get(one, -1) for one, _ in rows], np.int64)
    labels = [label for _, label in rows]
    found = name_clusters(of, np.zeros((len(of), 2), np.float32), labels)
    assert len(found) == len(present)
    for cluster, name in enumerate(found):
        inside = [labels[row] for row in np.flatnonzero(of == cluster) if labels[row] is not None]
        if inside and name.label is not None:
            assert not name.near
            assert name.share == inside.count(name.label) / len(inside)
            assert name.share == max(inside.count(one) for one in inside) / len(inside)
        else:
            assert name.near == any(label is not None for label in labels)


@given(st.lists(st.tuples(st.integers(-1, 4), LABELS), min_size=1, max_size=40))
def test_agreement_is_that_of_scikit_learn_on_rows_with_both(rows: list[tuple[int, str | None]]) -> None:
    both = [(of, label) for of, label in rows if of >= 0 and label is not None]
    found = agreement(np.array([of for of, _ in rows], np.int64), [label for _, label in rows])
    if len(both) < 2:
        assert found is None
        return
    clusters, labels = zip(*both, strict=True)
    assert found is not None
    assert found.n == len(both)
    assert found.n_none == sum(of < 0 and label is not None for of, label in rows)
    assert found.adjusted_rand == pytest.approx(adjusted_rand_score(labels, clusters))
    assert found.mutual_information == pytest.approx(normalized_mutual_info_score(labels, clusters))
    right = sum(max(both.count((of, label)) for label in set(labels)) for of in set(clusters))
    assert found.purity == pytest.approx(right / len(both))
    assert found.chance <= found.purity <= 1
