"""Hugging Face image Parquet: the images inside, class names in the schema's metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tellapart.data.containers import read_bytes
from tellapart.data.dataset import Dataset
from tellapart.data.readers.rows import metadata_column
from tellapart.data.table import atomic_path
from tellapart.data.writers.images import target_free
from tellapart.data.writers.protocol import WriteOptions, WriteReport
from tellapart.data.writers.rows import EVERYTHING, context
from tellapart.errors import DataError, ImageError, Reason
from tellapart.image.types import DecodeLimits
from tellapart.records import Refusal, Sample

_ARROW_KEY = b"ARROW:schema"
_ROW_GROUP_ROWS = 2_000
_MAX_BYTES = 4 * 2**30


class ParquetWriter:
    """One file: `image: {bytes, path}`, `label` (class number) or `labels` (list of names), and the other columns.

    The images are held in memory until the file is written; above 4 GiB, write csv or jsonl with copies instead.
    """

    name = "parquet"
    carries = EVERYTHING

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """The images are always inside, whatever `copy` says."""
        target_free(path, options.overwrite)
        images: list[dict[str, Any]] = []
        kept: list[Sample] = []
        refusals: list[Refusal] = []
        n_bytes = 0
        for sample in dataset.samples:
            try:
                data = read_bytes(sample.uri, root=dataset.root, limits=DecodeLimits())
            except ImageError as exc:
                refusals.append(Refusal.of(sample.uri, exc))
                continue
            n_bytes += len(data)
            if n_bytes > _MAX_BYTES:
                message = f"{path}: more than {_MAX_BYTES} bytes of images; write csv or jsonl with copies instead"
                raise DataError(Reason.WRITE_FAILED, message)
            images.append({"bytes": data, "path": sample.uri})
            kept.append(sample)
        _write(path, images, kept, dataset)
        return WriteReport(path, len(kept), (), tuple(refusals))


def _write(path: Path, images: list[dict[str, Any]], samples: Sequence[Sample], dataset: Dataset) -> None:
    import polars as pl

    rows = [context(sample) for sample in samples]
    columns = [pl.Series("image", images, dtype=pl.Struct({"bytes": pl.Binary, "path": pl.String}))]
    single = all(sample.labels is None or len(sample.labels) == 1 for sample in samples)
    names = sorted({name for sample in samples for name in sample.labels or ()})
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if single:
        number = {(name,): i for i, name in enumerate(names)}
        values = [None if s.labels is None else number[s.labels] for s in samples]  # type: ignore[index]
        columns.append(pl.Series("label", values, dtype=pl.Int64))
        features["label"] = {"names": names, "_type": "ClassLabel"}
    else:
        lists = [None if s.labels is None else list(s.labels) for s in samples]
        columns.append(pl.Series("labels", lists, dtype=pl.List(pl.String)))
        features["labels"] = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"}
    extra = ["group", "split", "captured_at", "roi", *sorted(metadata_column(key) for key in dataset.metadata_keys)]
    for name in extra:
        found = [row.get(name) for row in rows]
        if any(value is not None for value in found):
            texts = [json.dumps(value) if isinstance(value, dict) else value for value in found]
            columns.append(pl.Series(name, texts, dtype=pl.String))
            features[name] = {"dtype": "string", "_type": "Value"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)}
    with atomic_path(path) as temporary:
        pl.DataFrame(columns).write_parquet(temporary, row_group_size=_ROW_GROUP_ROWS, metadata=metadata)
        _hide_arrow_schema(temporary)


def _hide_arrow_schema(path: Path) -> None:
    """Rename the footer's key `ARROW:schema`, which polars always writes.

    While it is there, pyarrow (and so Hugging Face's `datasets`) takes the schema's metadata from it alone, and our class
    names, which stand beside it, are lost. The new key has the same length, so nothing in the file moves.
    """
    with open(path, "r+b") as file:
        file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        start = file.tell()
        footer = file.read(length)
        if footer.count(_ARROW_KEY) == 1:
            file.seek(start + footer.index(_ARROW_KEY))
            file.write(b"polarschema!")
