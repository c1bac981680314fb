"""Outliers: lonely images are found, kinds of their own are not, and clean data is silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.contracts.hygiene import outliers as case
from tests.contracts.hygiene.clusters import DIMS, clouds

from tellapart.data.hygiene.outliers import find


def test_the_sentence() -> None:
    (finding,) = find(case.planted())
    assert finding.sentence == "4 images are unlike all others, first of all ship/00233.png among 'ship'"
    assert finding.remedy == "leave out what does not belong, and keep what is rare: of that more images would help"


def test_silent_on_clean_data_in_at_least_19_of_20_draws() -> None:
    assert sum(bool(find(clouds(400, seed=seed)[0])) for seed in range(20)) <= 1


def test_a_kind_of_its_own_is_no_outlier() -> None:
    given, _ = clouds()
    assert given.embeddings is not None
    rng = np.random.default_rng(1)
    given.embeddings[:40] = 60 * np.eye(DIMS)[5] + rng.normal(size=(40, DIMS))
    assert find(given) == []


def test_copies_of_an_outlier_do_not_hide_it() -> None:
    given = case.planted()
    assert given.embeddings is not None
    copies = list(range(20, 30))
    given.embeddings[copies] = given.embeddings[7]
    looks = np.arange(600)
    looks[copies] = 7
    assert set(copies) <= set(find(replace(given, look_alikes=looks))[0].rows)


def test_the_scale_of_embeddings_does_not_matter() -> None:
    given = case.planted()
    assert given.embeddings is not None
    assert find(replace(given, embeddings=given.embeddings * 1000))[0].rows == find(given)[0].rows


def test_images_that_are_all_the_same() -> None:
    given = clouds()[0]
    assert find(replace(given, embeddings=np.ones((600, DIMS), np.float32))) == []
    assert find(replace(given, look_alikes=np.zeros(600, np.int64))) == []
