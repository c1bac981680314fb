"""New classes from labelled images, and further images for classes that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason
from tellapart.image.types import DecodeLimits
from tellapart.records import Label, LabelSchema
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
from tellapart.workflows.classes.kin import ALONE
from tellapart.workflows.classes.live import Live
from tellapart.workflows.classes.naming import task_of
from tellapart.workflows.progress import Progress, silent


def add_classes(
    model: str | Path,
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
    """Teach a live model from labelled images; labels that it does not know become classes of new ids.

    Images that it knows already (by their bytes) are not counted twice, whatever label they come with. A new class needs
    `min_images` images, near-duplicates counted as one. `preview` writes nothing and tells what would become of every class.
    Relative uris of images that the model remembers start at the folder `pictures`: the report shows some of them.
    `workers`, `provider`, `cache_dir`, `limits` and `progress` are those of `train`.

    Raises:
        TrainingError: `too_few_images`, `unlabelled`.
        DataError: `dataset_empty` when no image is new, and what reading the data raises.
        ModelError: `classes_fixed`, `model_in_use`, `model_changed`, `write_failed`, and what loading raises.
    """
    how = How(preview, _path(pictures), _path(cache_dir), workers, provider, limits, progress)

    def edit(live: Live) -> Draft:
        live.check_dynamic()
        return _draft(live, arrived(live, data, how), str(_named(data)), min_images)

    return changed(model, edit, how)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Which images of a data set are news to a model: bool (n,) masks."""

    fresh: NDArray[np.bool_]
    known: NDArray[np.bool_]
    contradicting: NDArray[np.bool_]


def sorted_out(live: Live, arrivals: Arrivals) -> Sorted:
    """Tell images that the model knows, under the same label or under another."""
    known = dict(zip(live.rows.ids, live.rows.labels, strict=True))
    before = [known.get(image_id) for image_id in arrivals.ids]
    is_known = np.array([label is not None for label in before], bool)
    other = np.array([was is not None and was != now for was, now in zip(before, arrivals.labels, strict=True)], bool)
    return Sorted(~is_known, is_known & ~other, other)


def told_of(arrivals: Arrivals, found: Sorted, live: Live) -> list[str]:
    """Lines about what was read, known before or repeated."""
    parts = [f"{int(found.fresh.sum()):,} new"]
    parts += [f"{int(found.known.sum()):,} known already"] if found.known.any() else []
    parts += [f"{arrivals.n_repeated:,} repeated"] if arrivals.n_repeated else []
    parts += [f"{len(arrivals.refusals):,} refused"] if arrivals.refusals else []
    lines = [f"data        {arrivals.n_seen:,} images seen: {', '.join(parts)}"]
    if found.contradicting.any():
        row = int(np.flatnonzero(found.contradicting)[0])
        was = live.rows.labels[live.rows.ids.index(arrivals.ids[row])]
        lines.append(
            f"warning     {int(found.contradicting.sum()):,} images are known under another label and were left as they are, "
            f"the first {arrivals.images.dataset.uris[row]}: {was!r} in the model, {arrivals.labels[row]!r} here"
        )
    if n_kin := int((arrivals.known[found.fresh] != ALONE).sum()):
        lines.append(
            f"kin         {n_kin:,} new images look like ones the model knows and stay on their side of the split"
        )
    return lines + [f"warning     {text}" for text in arrivals.images.dataset.warnings]


def _draft(live: Live, arrivals: Arrivals, source: str, min_images: int) -> Draft:
    schema = live.classifier.schema
    found = sorted_out(live, arrivals)
    fresh = arrivals.subset(found.fresh)
    if not len(fresh):
        raise DataError(
            Reason.DATASET_EMPTY,
            f"none of the {arrivals.n_seen:,} images is new to the model, so nothing would change"
            + ("; of some it knows another label" if found.contradicting.any() else ""),
        )
    new = sorted(set(fresh.labels) - set(schema.names))
    check_enough(fresh, new, min_images)
    larger = with_labels(schema, new, live.history.next_label_id)
    splits = partitioned(live, fresh, live.rows.counts(schema))
    check_taught(fresh, splits, new)
    paths = {next_row(live) + row: fresh.path(row) for row in range(len(fresh))}
    return Draft(
        operation="add",
        arguments={"data": source, "images": dict(sorted(Counter(fresh.labels).items()))},
        schema=larger,
        statistics=live.statistics.adding(*taught(fresh, splits, larger)),
        rows=live.rows.with_more(table_of(live, fresh, splits)),
        left=live.rows.table.clear(),
        mapping={label.id: (label.id,) for label in schema.labels},
        told=(*told_of(arrivals, found, live), *_news(fresh, new, schema)),
        refusals=arrivals.refusals,
        n_seen=arrivals.n_seen,
        paths=paths,
    )


def with_labels(schema: LabelSchema, names: Sequence[str], first_id: int) -> LabelSchema:
    """Further labels at the end, with ids from `first_id` on."""
    labels = [Label(first_id + i, name) for i, name in enumerate(names)]
    return task_of((*schema.labels, *labels), schema)


def taught(
    arrivals: Arrivals, splits: Sequence[str], schema: LabelSchema
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings and label ids of the images that teach."""
    teaches = np.array([split != "test" for split in splits], bool)
    ids = {label.name: label.id for label in schema.labels}
    label_ids = np.array([ids[name] for name in arrivals.labels], np.int64)
    return arrivals.images.embeddings[teaches], label_ids[teaches]


def _news(fresh: Arrivals, new: Sequence[str], schema: LabelSchema) -> list[str]:
    counts = Counter(fresh.labels)
    lines = [f"new         {name}: {counts[name]:,} images" for name in new]
    lines += [f"more        {name}: {counts[name]:,} images" for name in schema.names if counts[name]]
    by_letters = {name.casefold(): name for name in schema.names}
    alike = [(name, by_letters[name.casefold()]) for name in new if name.casefold() in by_letters]
    lines += [
        f"warning     the new class {name!r} is spelt almost like {before!r}; if they are one, undo this and rename the label"
        for name, before in alike
    ]
    return lines


def _named(data: Dataset | str | Path) -> str | Path:
    if isinstance(data, Dataset):
        return "" if data.root is None else data.root.name
    return Path(data).name


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
