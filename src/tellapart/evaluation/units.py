"""Groups as resampling units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tellapart.errors import DataError, Reason
from tellapart.evaluation.scored import Ints


def units_of(groups: Sequence[str | None] | None, n: int) -> Ints | None:
    """Unit (n,) of each row, 0 … n_units-1; None when every row stands for itself.

    A row without a group (None or "") is a group of its own.

    Raises:
        DataError: label_conflict when there is not one group per row.
    """
    if groups is None:
        return None
    if len(groups) != n:
        raise DataError(Reason.LABEL_CONFLICT, f"groups want one entry per image, {n}, got {len(groups)}")
    ids: dict[str | int, int] = {}
    units = np.array([ids.setdefault(group or row, len(ids)) for row, group in enumerate(groups)], dtype=np.int64)
    return None if len(ids) == n else units
