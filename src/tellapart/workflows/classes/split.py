"""One class becomes several: images of the pieces take its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.image.types import DecodeLimits
from tellapart.records import Label, LabelSchema
from tellapart.workflows.classes.add import taught
from tellapart.workflows.classes.arrivals import (
    Arrivals,
    arrived,
    check_enough,
    check_taught,
    next_row,
    partitioned,
    table_of,
)
from tellapart.workflows.classes.change import MIN_IMAGES, Change, Draft, How, changed
from tellapart.workflows.classes.live import Live
from tellapart.workflows.classes.naming import label_named, listed, task_of
from tellapart.workflows.classes.retire import without_class
from tellapart.workflows.classes.rows import ROW, Rows
from tellapart.workflows.progress import Progress, silent


def split_class(
    model: str | Path,
    name: str,
    data: Dataset | str | Path,
    *,
    preview: bool = False,
    min_images: int = MIN_IMAGES,
    pictures: str | Path | None = None,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Change:
    """Put the labels of `data`, at least two, in the place of the class `name`.

    Images of the class that are among the data (by their bytes) get their new label and stay in their split; its other
    images leave the model, for nobody has said which piece they show. The pieces get new ids, be one of them called `name`
    or not. The rest as in `add_classes`.

    Raises:
        SettingsError: `bad_setting` for one label only.
        DataError: `unknown_label`, `label_conflict` when a piece is called like another class, and what reading raises.
        TrainingError: `too_few_images`, `unlabelled`.
        ModelError: as `add_classes`.
    """
    cache, shown = (None if path is None else Path(path) for path in (cache_dir, pictures))
    how = How(preview, shown, cache, workers, provider, limits, progress)

    def edit(live: Live) -> Draft:
        live.check_dynamic()
        label = label_named(live.classifier.schema, name, live.history)
        arrivals = arrived(live, data, how)
        source = (data.root or Path()).name if isinstance(data, Dataset) else Path(data).name
        return _draft(live, label, arrivals, source, min_images)

    return changed(model, edit, how)


def _draft(live: Live, label: Label, arrivals: Arrivals, source: str, min_images: int) -> Draft:
    schema, rows = live.classifier.schema, live.rows
    others = {one: known for one, known in zip(rows.ids, rows.labels, strict=True) if known != label.name}
    foreign = np.array([one in others for one in arrivals.ids], bool)
    pieces = arrivals.subset(~foreign)
    names = _checked(schema, label, pieces, min_images)
    larger, first = _with_pieces(schema, label, names, live.history.next_label_id), next_row(live)
    pieces_ids = tuple(one.id for one in larger.labels if one.name in names)
    mine = np.array([known == label.name for known in rows.labels], bool)
    said = dict(zip(pieces.ids, pieces.labels, strict=True))
    known = dict(zip(np.array(rows.ids)[mine].tolist(), rows.splits[mine].tolist(), strict=True))
    once = _once_in_both(np.array(rows.ids)[mine].tolist(), pieces.ids)
    stays = mine & np.array([one in once for one in rows.ids], bool)
    fresh = np.array([one not in once for one in pieces.ids], bool)
    new = pieces.subset(fresh)
    new_splits = partitioned(live, new, Counter(pieces.subset(~fresh).labels), known) if len(new) else []
    turns = iter(new_splits)
    splits = [known[one] if one in once else next(turns) for one in pieces.ids]
    check_taught(pieces, splits, names)
    kept = _relabelled(rows, stays, said).without(mine & ~stays)
    return Draft(
        operation="split",
        arguments={"name": label.name, "data": source, "images": dict(sorted(Counter(pieces.labels).items()))},
        schema=larger,
        statistics=_statistics(live, label, mine, pieces, ~fresh).adding(*taught(pieces, splits, larger)),
        rows=kept.with_more(table_of(live, new, new_splits)) if len(new) else kept,
        left=rows.where(mine & ~stays),
        mapping={one.id: pieces_ids if one == label else (one.id,) for one in schema.labels},
        told=_told(label, arrivals, pieces, sum(one in known for one in pieces.ids), len(known.keys() - said.keys())),
        refusals=arrivals.refusals,
        n_seen=arrivals.n_seen,
        paths={first + row: new.path(row) for row in range(len(new))},
    )


def _once_in_both(known: Sequence[str], said: Sequence[str]) -> set[str]:
    """Ids that are there once in either: of several copies or regions of a file nobody knows which is which.

    So those of the model leave, and those of the data come in their place.
    """
    here, there = Counter(known), Counter(said)
    return {one for one in said if here[one] == there[one] == 1}


def _checked(schema: LabelSchema, label: Label, pieces: Arrivals, min_images: int) -> list[str]:
    """The names of the pieces."""
    names = sorted(set(pieces.labels))
    taken = sorted(set(names) & set(schema.names) - {label.name})
    if taken:
        raise DataError(
            Reason.LABEL_CONFLICT,
            f"the data has images of {listed(taken)}, which is a class of its own already; the pieces of {label.name!r} need "
            "other names, further images of a class come with `tellapart classes add`",
        )
    if len(names) < 2:
        found = listed(names) or "none"
        raise SettingsError(
            Reason.BAD_SETTING,
            f"splitting {label.name!r} takes images of at least two pieces, each under a label of its own, got {found}; to "
            "call a class by another name use `tellapart classes rename`",
        )
    check_enough(pieces, names, min_images)
    return names


def _with_pieces(schema: LabelSchema, label: Label, names: list[str], first_id: int) -> LabelSchema:
    """The pieces stand where the class stood."""
    pieces = [Label(first_id + i, name) for i, name in enumerate(names)]
    labels = [new for one in schema.labels for new in (pieces if one == label else [one])]
    return task_of(labels, schema)


def _statistics(
    live: Live, label: Label, mine: NDArray[np.bool_], pieces: Arrivals, known: NDArray[np.bool_]
) -> ClassStatistics:
    """Without the class: images of it that have lost their vector are taken out exactly too where the data has them."""
    rows = live.rows
    forgotten = {one for one, is_ in zip(rows.ids, mine & rows.teaches & ~rows.has_vector, strict=True) if is_}
    chosen = known & np.array([one in forgotten for one in pieces.ids], bool)
    if not chosen.any():
        return without_class(live, label, mine)
    ids = np.full(int(chosen.sum()), label.id, np.int64)
    found = replace(live)
    found.__dict__["statistics"] = live.statistics.removing(pieces.images.embeddings[chosen], ids)
    return without_class(found, label, mine)


def _relabelled(rows: Rows, stays: NDArray[np.bool_], said: dict[str, str]) -> Rows:
    """Rows at `stays` under the label that the data says."""
    import polars as pl

    numbers = rows.table[ROW].to_list()
    new = {number: [said[one]] for number, one, is_ in zip(numbers, rows.ids, stays, strict=True) if is_}
    labels = [new.get(number, old) for number, old in zip(numbers, rows.table["labels"].to_list(), strict=True)]
    return replace(rows, table=rows.table.with_columns(pl.Series("labels", labels, dtype=pl.List(pl.String))))


def _told(label: Label, arrivals: Arrivals, pieces: Arrivals, n_stay: int, n_leave: int) -> tuple[str, ...]:
    counts = Counter(pieces.labels)
    into = " + ".join(f"{name} {counts[name]:,}" for name in sorted(counts))
    n_foreign = len(arrivals) - len(pieces)
    lines = [
        f"data        {arrivals.n_seen:,} images seen: {len(pieces) - n_stay:,} new, {n_stay:,} known of {label.name!r}",
        f"split       {label.name} → {into}",
    ]
    if n_leave:
        lines.append(
            f"left        {n_leave:,} images of {label.name!r} leave: the data does not say which piece they show"
        )
    if n_foreign:
        lines.append(f"warning     {n_foreign:,} images are known as another class and were left as they are")
    return tuple(lines)
