"""What goes onto the card beside the arrays: where the data came from, what was refused, which versions ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from platform import machine, python_version, system
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.records import LabelSchema
from tellapart.workflows.embedding import EmbeddedDataset

_LIBRARIES = ("tellapart", "numpy", "onnxruntime", "pillow", "polars")
KIND = "kind of image"
"""The metadata column that anomaly models judge by itself: the class that an image had before it was good or bad."""
# A column with more values than this names images, it does not group them.
_MAX_SLICES = 50


def versions() -> dict[str, str]:
    """Versions that decide numbers, and the machine."""
    found = {name: version(name) for name in _LIBRARIES}
    return {**found, "python": python_version(), "platform": f"{system()} {machine()}"}


def data_facts(
    dataset: Dataset, images: EmbeddedDataset, schema: LabelSchema, checks: Sequence[str] = ()
) -> dict[str, Any]:
    """Counts, fingerprint and refusals of a data set, and the lines of its checks; accepted + refused = seen."""
    refusals = images.dataset.refusals
    refused = dict(sorted(Counter(refusal.code for refusal in refusals).items()))
    counts = images.dataset.label_matrix(schema).sum(axis=0).tolist()
    n_unlabelled = int((~dataset.labelled).sum())
    seen = len(images) + n_unlabelled + len(refusals)
    by_label = dict(zip(schema.names, counts, strict=True))
    looking_for = f", looking for {schema.positive}" if schema.positive else ""
    summary = [
        f"data        {seen:,} images seen: {len(images):,} used, {len(refusals):,} refused, {n_unlabelled:,} unlabelled",
        f"task        {schema.task.value}{looking_for}: " + ", ".join(f"{n} {c:,}" for n, c in by_label.items()),
        *(f"refused     {refusal.sentence}" for refusal in refusals[:10]),
        *([f"refused     … and {len(refusals) - 10:,} more, all in report.html"] if len(refusals) > 10 else []),
        *(f"warning     {warning}" for warning in dataset.warnings),
        *checks,
    ]
    return {
        "fingerprint": images.dataset.fingerprint,
        "seen": seen,
        "used": len(images),
        "refused": refused,
        "unlabelled": n_unlabelled,
        "by_label": by_label,
        "summary": summary,
    }


def slicing_columns(dataset: Dataset) -> dict[str, list[str]]:
    """Metadata columns worth slicing by: at least two values, and few enough to be groups."""
    columns = {key: [value or "" for value in dataset.metadata(key)] for key in dataset.metadata_keys if key != KIND}
    return {key: values for key, values in columns.items() if 2 <= len(set(values)) <= _MAX_SLICES}
