"""A class that is no longer wanted leaves the model; its images and what they taught leave with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.class_statistics import ClassStatistics
from tellapart.image.types import DecodeLimits
from tellapart.records import Label
from tellapart.workflows.classes.change import Change, Draft, How, changed
from tellapart.workflows.classes.live import Live
from tellapart.workflows.classes.naming import check_two_left, label_named, task_of
from tellapart.workflows.progress import Progress, silent


def retire_class(
    model: str | Path,
    name: str,
    *,
    preview: bool = False,
    pictures: str | Path | None = None,
    provider: str = "cpu",
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Change:
    """Take a class out of a live model; `preview`, `pictures` and the rest as in `add_classes`.

    Images of it are answered with another class or "unknown" from then on. Its id is not used again.

    Raises:
        DataError: `unknown_label`, `too_few_classes` when fewer than two would be left.
        ModelError: as `add_classes`.
    """
    how = How(preview, None if pictures is None else Path(pictures), None, 0, provider, limits, progress)
    return changed(model, lambda live: _draft(live, name), how)


def _draft(live: Live, name: str) -> Draft:
    schema = live.classifier.schema
    label = label_named(schema, name, live.history)
    check_two_left(len(schema.labels) - 1, f"retiring {name!r}")
    mask = np.array([one == name for one in live.rows.labels], bool)
    return Draft(
        operation="retire",
        arguments={"name": name},
        schema=task_of([one for one in schema.labels if one != label], schema),
        statistics=without_class(live, label, mask),
        rows=live.rows.without(mask),
        left=live.rows.where(mask),
        mapping={one.id: () if one == label else (one.id,) for one in schema.labels},
        told=(f"retired     {name}: {int(mask.sum()):,} images leave",),
    )


def without_class(live: Live, label: Label, mask: NDArray[np.bool_]) -> ClassStatistics:
    """The statistics without a class whose rows are at `mask`.

    Images whose vector is remembered are taken out exactly; where that is all of them, nothing of the class is left, else
    the spread of the others stays in what the classes share.
    """
    rows = live.rows
    chosen = (mask & rows.teaches)[rows.has_vector]
    ids = np.full(int(chosen.sum()), label.id, np.int64)
    statistics = live.statistics.removing(rows.embeddings[chosen], ids) if chosen.any() else live.statistics
    return statistics.retiring(label.id)
