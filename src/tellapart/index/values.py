"""What may stand in a vector: finite numbers, all vectors of one length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason


def checked(vectors: NDArray[np.floating[Any]], what: str) -> tuple[NDArray[np.float32], bool]:
    """The same as float32 (n, d), and whether all of them have length 1 (to 1e-3).

    Raises:
        DataError: `dataset_format` for another shape or values that are no finite numbers, `dataset_empty` for no row.
    """
    values = np.asarray(vectors)
    if values.ndim != 2 or values.dtype.kind != "f" or not values.shape[1]:
        message = f"{what} must be numbers of shape (n, d), got {values.dtype} {values.shape}"
        raise DataError(Reason.DATASET_FORMAT, message)
    if not len(values):
        raise DataError(Reason.DATASET_EMPTY, f"{what}: there is not one vector")
    values = np.ascontiguousarray(values, np.float32)
    return values, _measured(values, what)


def _measured(values: NDArray[np.float32], what: str, at_once: int = 16_384) -> bool:
    normalised = True
    for start in range(0, len(values), at_once):
        part = values[start : start + at_once]
        squares = np.einsum("ij,ij->i", part, part, dtype=np.float64)
        if not np.isfinite(squares).all():
            row = start + int(np.flatnonzero(~np.isfinite(squares))[0])
            message = f"{what}: row {row} has a value that is no finite number; leave it out, or embed again"
            raise DataError(Reason.DATASET_FORMAT, message)
        normalised = normalised and bool((np.abs(squares - 1) < 2e-3).all())
    return normalised
