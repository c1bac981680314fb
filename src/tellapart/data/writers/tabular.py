"""CSV, JSON Lines, Google's CSV and Hugging Face image folders: one row per sample."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.labels import format_labels
from tellapart.data.readers.rows import metadata_column
from tellapart.data.writers.images import Placer, folder_free
from tellapart.data.writers.protocol import WriteOptions, WriteReport
from tellapart.data.writers.rows import EVERYTHING, context, placed, write_annotations

_ML_USE = {"train": "TRAIN", "val": "VALIDATION", "test": "TEST", None: "UNASSIGNED"}


class CsvWriter:
    """`file_name,labels` and whatever columns the data have; UTF-8, comma, quoted where needed."""

    name = "csv"
    carries = EVERYTHING

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """One file."""

        def write(temporary: Path, placer: Placer) -> int:
            return write_csv(temporary, dataset, placer)

        return write_annotations(dataset, path, options, self.carries, write)


class JsonlWriter:
    """One object per line: `file_name`, `labels` (null: unlabelled), and what else is known."""

    name = "jsonl"
    carries = EVERYTHING

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """One file."""

        def write(temporary: Path, placer: Placer) -> int:
            return write_jsonl(temporary, dataset, placer)

        return write_annotations(dataset, path, options, self.carries, write)


class GoogleCsvWriter:
    """`ML_USE,uri,label1,label2,…` without header."""

    name = "google_csv"
    carries = frozenset({"multilabel", "unlabelled", "split"})

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """One file."""

        def write(temporary: Path, placer: Placer) -> int:
            count = 0
            with open(temporary, "w", encoding="utf-8", newline="") as file:
                out = csv.writer(file)
                for name, sample in placed(dataset, placer):
                    out.writerow([_ML_USE[sample.split], name, *(sample.labels or ())])
                    count += 1
            return count

        return write_annotations(dataset, path, options, self.carries, write)


class ImageFolderWriter:
    """A folder with `metadata.jsonl` and the images below it; always copies, since names must lie inside."""

    name = "imagefolder"
    carries = EVERYTHING

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """A folder that Hugging Face's `load_dataset("imagefolder", …)` reads as well."""
        folder_free(path, options.overwrite)

        def write(temporary: Path, placer: Placer) -> int:
            return write_jsonl(temporary, dataset, placer)

        inner = WriteOptions(copy=True, overwrite=options.overwrite)
        return write_annotations(dataset, path / "metadata.jsonl", inner, self.carries, write)


def write_csv(path: Path, dataset: Dataset, placer: Placer) -> int:
    """Rows with the columns that any sample needs, canonical names first."""
    rows: list[dict[str, Any]] = []
    for name, sample in placed(dataset, placer):
        row = context(sample)
        if "roi" in row:
            row["roi"] = json.dumps(row["roi"], ensure_ascii=False)
        rows.append({"file_name": name, "labels": format_labels(sample.labels), **row})
    extra = sorted(metadata_column(key) for key in dataset.metadata_keys)
    known = [name for name in ("group", "split", "captured_at", "roi") if any(name in row for row in rows)]
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, ["file_name", "labels", *known, *extra], restval="")
        out.writeheader()
        out.writerows(rows)
    return len(rows)


def write_jsonl(path: Path, dataset: Dataset, placer: Placer) -> int:
    """One JSON object per line."""
    count = 0
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for name, sample in placed(dataset, placer):
            labels = None if sample.labels is None else list(sample.labels)
            file.write(json.dumps({"file_name": name, "labels": labels, **context(sample)}, ensure_ascii=False) + "\n")
            count += 1
    return count
