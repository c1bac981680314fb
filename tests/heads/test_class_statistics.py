"""Statistics that grow are those of one pass over everything, and lose nothing but what is taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.class_statistics import ClassStatistics

D = 5


def images(n: int, seed: int = 0, d: int = D) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings far from 0, where a careless variance would cancel, of the ids 2, 4 and 7."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) + 100).astype(np.float32), rng.choice([2, 4, 7], n)


def plain(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """The scatter by its definition."""
    x = x.astype(np.float64)
    away = np.concatenate([x[y == one] - x[y == one].mean(axis=0) for one in np.unique(y)])
    return np.asarray(sum(np.outer(row, row) for row in away))


def same(one: ClassStatistics, other: ClassStatistics, within: float = 1e-9) -> None:
    assert one.ids == other.ids
    assert one.n_scatter == other.n_scatter
    np.testing.assert_array_equal(one.counts, other.counts)
    for name in ("sums", "scatter"):
        a, b = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(a, b, rtol=0, atol=within * max(float(np.abs(b).max(initial=0)), 1e-300))


def test_they_are_what_they_say() -> None:
    x, y = images(40)
    found = ClassStatistics.of(x, y)
    assert found.ids == (2, 4, 7)
    assert found.counts.tolist() == [(y == one).sum() for one in found.ids]
    assert found.n_scatter == 40 - 3
    np.testing.assert_allclose(found.means[1], x[y == 4].mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(found.scatter, plain(x, y), rtol=1e-9, atol=1e-9)
    assert found.sums.dtype == found.scatter.dtype == np.float64


values = st.floats(-1e4, 1e4, width=32)


@given(
    x=arrays(np.float32, st.tuples(st.integers(2, 30), st.just(3)), elements=values),
    data=st.data(),
)
def test_any_order_and_any_grouping_is_one_fit(x: NDArray[np.float32], data: st.DataObject) -> None:
    n = len(x)
    y = data.draw(arrays(np.int64, n, elements=st.integers(0, 4)))
    order = np.array(data.draw(st.permutations(range(n))))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=5)))
    grown = ClassStatistics.empty(3)
    for rows in np.split(order, cuts):
        grown = grown.adding(x[rows], y[rows])
    once = ClassStatistics.of(x, y)
    assert grown.ids == once.ids
    assert grown.n_scatter == once.n_scatter
    np.testing.assert_array_equal(grown.counts, once.counts)
    # Relative to the squares that are summed: what may cancel among them is the data's, not the method's.
    size = max(float(np.abs(x).max()) ** 2 * n, 1e-30)
    np.testing.assert_allclose(grown.scatter, once.scatter, rtol=0, atol=1e-9 * size)
    np.testing.assert_allclose(grown.sums, once.sums, rtol=1e-9, atol=1e-9 * size**0.5)


def test_many_images_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = images(100)
    whole = ClassStatistics.of(x, y)
    monkeypatch.setattr("tellapart.heads.class_statistics._ROWS", 7)
    same(ClassStatistics.of(x, y), whole)


def test_what_was_added_can_be_taken_out() -> None:
    x, y = images(60)
    for gone in (slice(0, 1), slice(0, 20), slice(0, 50)):
        rest = ClassStatistics.of(x, y).removing(x[gone], y[gone])
        same(rest, ClassStatistics.of(x[gone.stop :], y[gone.stop :]))


def test_a_class_of_which_nothing_is_left_stays_with_no_image() -> None:
    x, y = images(60)
    rest = ClassStatistics.of(x, y).removing(x[y == 4], y[y == 4])
    assert rest.ids == (2, 4, 7)
    assert rest.counts[1] == 0
    assert not rest.sums[1].any()
    np.testing.assert_allclose(rest.scatter, plain(x[y != 4], y[y != 4]), rtol=1e-7, atol=1e-7)
    nothing = rest.removing(x[y != 4], y[y != 4])
    assert not nothing.scatter.any()
    assert nothing.n_scatter == 0
    same(nothing.adding(x, y), ClassStatistics.of(x, y))


def test_more_than_there_is_cannot_be_taken_out() -> None:
    x, y = images(10)
    with pytest.raises(SettingsError) as caught:
        ClassStatistics.of(x[:2], np.array([2, 2])).removing(x[:3], np.array([2, 2, 2]))
    assert str(caught.value) == "3 images cannot be taken out of class 2: it has 2"
    with pytest.raises(SettingsError) as caught:
        ClassStatistics.of(x, y).removing(x[:1], np.array([9]))
    assert str(caught.value) == "1 images cannot be taken out of class 9: it has 0"


@pytest.mark.parametrize(("ids", "into"), [((2, 4), 2), ((2, 4), 9), ((2,), 4), ((2, 4, 7), 0)])
def test_merging_is_as_if_they_had_always_been_one(ids: tuple[int, ...], into: int) -> None:
    x, y = images(50)
    merged = ClassStatistics.of(x, y).merging(ids, into)
    same(merged, ClassStatistics.of(x, np.where(np.isin(y, ids), into, y)))


def test_merging_a_class_into_itself_changes_nothing() -> None:
    whole = ClassStatistics.of(*images(50))
    same(whole.merging([4], 4), whole)


def test_retiring_keeps_the_spread() -> None:
    whole = ClassStatistics.of(*images(50))
    rest = whole.retiring(4)
    assert rest.ids == (2, 7)
    np.testing.assert_array_equal(rest.scatter, whole.scatter)
    assert rest.n_scatter == whole.n_scatter
    with pytest.raises(SettingsError) as caught:
        rest.retiring(4)
    assert str(caught.value) == "there is no class of the id 4, known are: 2, 7"


def test_nothing_that_is_given_is_changed() -> None:
    x, y = images(30)
    whole = ClassStatistics.of(x, y)
    before = {name: value.copy() for name, value in whole.arrays().items()}
    whole.adding(x, y).merging([2, 4], 2).retiring(2)
    whole.removing(x[:9], y[:9])
    whole.joined(whole)
    for name, value in whole.arrays().items():
        np.testing.assert_array_equal(value, before[name])


def test_arrays_give_the_same_again() -> None:
    whole = ClassStatistics.of(*images(30)).retiring(7)
    again = ClassStatistics.from_arrays(whole.arrays())
    same(again, whole, within=0)
    assert whole.arrays()["scatter"].shape == (D * (D + 1) // 2,)
    empty = ClassStatistics.from_arrays(ClassStatistics.empty(3).arrays())
    assert (empty.ids, empty.n_features, empty.n_scatter) == ((), 3, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ids", np.array([2, 2, 4])),
        ("counts", np.array([1, -1, 1])),
        ("counts", np.array([1, 1])),
        ("sums", np.zeros((3, D + 1))),
        ("sums", np.zeros(3)),
        ("scatter", np.full(D * (D + 1) // 2, np.nan)),
        ("n_scatter", np.array([-1])),
    ],
)
def test_damaged_arrays_are_told(name: str, value: NDArray[Any]) -> None:
    good = ClassStatistics.of(*images(30)).arrays()
    with pytest.raises(ModelError) as caught:
        ClassStatistics.from_arrays(good | {name: value})
    assert caught.value.reason is Reason.MODEL_DAMAGED
    assert str(caught.value) == (
        "the class statistics do not fit together: ascending ids, counts, sums (k, d) and a triangle of d(d+1)/2 finite "
        "numbers are needed; copy the model again"
    )
    with pytest.raises(ModelError) as caught:
        ClassStatistics.from_arrays({key: array for key, array in good.items() if key != name})
    assert str(caught.value) == f"class statistics need the arrays {name}"


def test_what_does_not_fit_is_refused() -> None:
    x, y = images(10)
    whole = ClassStatistics.of(x, y)
    refused: tuple[tuple[Callable[[], object], str], ...] = (
        (
            lambda: whole.adding(x[:, :3], y),
            "this head reads embeddings of 5 numbers, got 3: was the backbone changed?",
        ),
        (lambda: whole.adding(x, y[:3]), "statistics need one label id for each of the 10 embeddings, got (3,)"),
        (
            lambda: whole.joined(ClassStatistics.empty(3)),
            "statistics of embeddings of 5 and of 3 numbers do not go together",
        ),
        (lambda: whole.merging([9], 2), "there is no class of the id 9, known are: 2, 4, 7"),
    )
    for asked, message in refused:
        with pytest.raises(SettingsError) as caught:
            asked()
        assert str(caught.value) == message
