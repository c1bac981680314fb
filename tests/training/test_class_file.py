"""classes.safetensors gives back the statistics, and says when it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save

from tellapart.errors import ModelError, Reason
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.training.class_file import from_bytes, to_bytes

STATISTICS = ClassStatistics.of(np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32), np.array([1, 5] * 10))


def test_it_gives_back_every_bit() -> None:
    data = to_bytes(STATISTICS)
    again = from_bytes(data)
    assert (again.ids, again.n_scatter) == ((1, 5), 18)
    for name, value in STATISTICS.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], value)
    assert to_bytes(again) == data


def test_what_is_no_such_file_is_told() -> None:
    for data in (b"", b"\x02\0\0\0\0\0\0\0[]", b"x" * 40, to_bytes(STATISTICS)[:-8], save({"ids": np.zeros(1)})):
        with pytest.raises(ModelError) as caught:
            from_bytes(data)
        assert caught.value.reason is Reason.MODEL_DAMAGED
        assert str(caught.value).startswith("classes.safetensors cannot be read (")
        assert str(caught.value).endswith("); copy the model again")
    with pytest.raises(ModelError) as caught:
        from_bytes(save({"ids": np.zeros(1)}, metadata={"format": "1"}))
    assert str(caught.value) == "class statistics need the arrays counts, sums, scatter, n_scatter"


def test_a_later_format_is_not_guessed_at() -> None:
    with pytest.raises(ModelError) as caught:
        from_bytes(save(STATISTICS.arrays(), metadata={"format": "2"}))
    assert caught.value.reason is Reason.MODEL_TOO_NEW
    assert str(caught.value) == "classes.safetensors has format 2, this tellapart reads up to 1: update tellapart"
