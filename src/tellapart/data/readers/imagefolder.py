"""Hugging Face image folders: images with `metadata.csv`, `metadata.jsonl` or `metadata.parquet` beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tellapart.data.files import list_images
from tellapart.data.readers.csv_file import Csv, with_plural
from tellapart.data.readers.jsonl import json_rows
from tellapart.data.readers.parquet import class_names, named_labels, parquet_rows
from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.rows import Roles, RowCollector, sample_order
from tellapart.data.split_names import normalise_split
from tellapart.errors import DataError, Reason
from tellapart.records import Refusal, Sample

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class ImageFolder:
    """A metadata file at the root, or one in each split folder; `file_name` is relative to the metadata file.

    Without a label column the first folder of `file_name` is the class. Images that no row names are refused.
    """

    name = "imagefolder"
    summary = "Hugging Face image folder with metadata.csv, .jsonl or .parquet"

    def accepts(self, path: Path) -> bool:
        """A folder with a metadata file in it or in a split folder."""
        return path.is_dir() and bool(_metadata_files(path))

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """All parts together; splits by the names of the folders, or a split column."""
        root = options.images or path
        samples: list[Sample] = []
        refusals: list[Refusal] = []
        warnings: list[str] = []
        files = _metadata_files(path)
        if not files:
            raise DataError(Reason.DATASET_FORMAT, f"{path} has none of {', '.join(METADATA_NAMES)}")
        for prefix, file in files:
            part = _read_part(file, root / prefix, options)
            split = normalise_split(prefix)
            samples += [_placed(sample, prefix, split) for sample in part.samples]
            refusals += [_placed_refusal(refusal, prefix, root) for refusal in part.refusals]
            warnings += part.warnings
        refusals += _unnamed(root, samples, refusals)
        return ReadResult(root, tuple(sorted(samples, key=sample_order)), tuple(refusals), tuple(warnings))


def _metadata_files(path: Path) -> list[tuple[str, Path]]:
    """(folder below the root or "", metadata file), the root's own first and alone if there is one."""
    for folder, prefixes in ((path, [""]), (path, _split_names(path))):
        found = [
            (prefix, file)
            for prefix in prefixes
            if (file := next((f for n in METADATA_NAMES if (f := folder / prefix / n).is_file()), None)) is not None
        ]
        if found:
            return found
    return []


def _split_names(path: Path) -> list[str]:
    try:
        return sorted(child.name for child in path.iterdir() if normalise_split(child.name) and child.is_dir())
    except OSError:
        return []


def _read_part(file: Path, root: Path, options: ReadOptions) -> ReadResult:
    options = replace(options, images=root)
    if file.suffix == ".csv":
        result = Csv().read(file, options)
    else:
        collector = RowCollector(root, options)
        rows = json_rows(file, collector) if file.suffix == ".jsonl" else _table_rows(file, collector)
        for where, row in rows:
            collector.options = with_plural(options, Roles.find(row))
            collector.add(row, where=where)
        result = collector.finish()
    if result.has_labels:
        return result
    return replace(result, samples=tuple(_class_by_folder(sample) for sample in result.samples))


def _table_rows(file: Path, collector: RowCollector) -> Iterator[tuple[str, dict[str, Any]]]:
    names = class_names(file)
    for i, row in enumerate(parquet_rows(file)):
        where = f"{file.name} row {i}"
        try:
            yield where, {key: named_labels(value, names[key]) if key in names else value for key, value in row.items()}
        except DataError as exc:
            collector.refuse(where, exc.reason, f"{where}: {exc}")


def _class_by_folder(sample: Sample) -> Sample:
    folder = sample.uri.split("/", 1)[0] if "/" in sample.uri and not sample.uri.startswith("/") else ""
    return replace(sample, labels=(folder.strip(),)) if folder.strip() else sample


def _placed(sample: Sample, prefix: str, split: str | None) -> Sample:
    uri = f"{prefix}/{sample.uri}" if prefix and not Path(sample.uri).is_absolute() else sample.uri
    return replace(sample, uri=uri, split=sample.split or split)


def _placed_refusal(refusal: Refusal, prefix: str, root: Path) -> Refusal:
    """Refusals of rows carry the written name; where it is a file of this part, give it the part's folder."""
    inside = prefix and "\0" not in refusal.uri and (root / prefix / refusal.uri).exists()
    return replace(refusal, uri=f"{prefix}/{refusal.uri}") if inside else refusal


def _unnamed(root: Path, samples: list[Sample], refusals: list[Refusal]) -> list[Refusal]:
    """Images on disk that no row speaks of: seen, and not usable without guessing."""
    known = {sample.uri for sample in samples} | {refusal.uri for refusal in refusals}
    message = "no row of the metadata file names this image"
    listing = list_images(str(root))
    missing = [uri for uri in listing.uris if uri not in known]
    return [Refusal(uri, Reason.UNLABELLED.value, f"{uri!r}: {message}") for uri in missing]
