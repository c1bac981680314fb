"""A data set: an immutable table of samples with its label schema, what was refused, and a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from tellapart.data import table as tables
from tellapart.data.containers import read_bytes
from tellapart.data.labels import Labels, infer_schema, similar_names
from tellapart.data.split_names import normalise_split
from tellapart.errors import DataError, Reason
from tellapart.image.types import DecodeLimits
from tellapart.records import Label, LabelSchema, Refusal, Sample, Task

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from tellapart.data.label_map import LabelMap
    from tellapart.data.readers.protocol import ReadKeywords


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples in a fixed order. Every `with_…` and `subset` gives a new data set; nothing changes in place.

    `table` has the columns `uri, id, labels, group, split, roi, captured_at` and `meta:<key>`; `root` is where relative
    uris start. `schema` is None when nothing is labelled. `refusals` are files and rows that were seen and not used.
    """

    table: pl.DataFrame
    schema: LabelSchema | None = None
    root: Path | None = None
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        format: str | None = None,
        label_map: LabelMap | Mapping[str, Any] | str | Path | None = None,
        task: Task | str | None = None,
        positive: str | None = None,
        **options: Unpack[ReadKeywords],
    ) -> Dataset:
        """Read any format of `docs/data.md`; `format` None looks at the files. Images are listed, not opened.

        `options` are those of `ReadOptions`: `images`, `allow_outside`, `regions`, `multilabel`.

        Raises:
            DataError: dataset_not_found, dataset_format, dataset_empty, bad_label_map …; single files are `refusals`.
        """
        from tellapart.data.readers import read

        return read(path, format=format, label_map=label_map, task=task, positive=positive, **options)

    @classmethod
    def from_samples(
        cls,
        samples: Iterable[Sample],
        *,
        root: str | Path | None = None,
        task: Task | str | None = None,
        positive: str | None = None,
        refusals: Iterable[Refusal] = (),
        warnings: Iterable[str] = (),
    ) -> Dataset:
        """Data set of the samples, in their order; labels stripped, empty metadata dropped.

        With an exclusive `task`, images without exactly one label are refused (label_conflict).
        """
        asked = None if task is None else as_task(task)
        kept = [_tidy(sample) for sample in samples]
        refused = list(refusals)
        if asked in (Task.BINARY, Task.MULTICLASS):
            kept, extra = _exclusive(kept)
            refused += extra
        schema = infer_schema([sample.labels for sample in kept], task=asked, positive=positive)
        notes = [*warnings, *similar_names(schema.names if schema else ())]
        where = None if root is None else Path(root)
        return cls(tables.from_samples(kept), schema, where, tuple(refused), tuple(dict.fromkeys(notes)))

    @classmethod
    def from_parquet(cls, path: str | Path, *, root: str | Path | None = None) -> Dataset:
        """Inverse of `to_parquet`; `root` replaces the stored one, for images that moved."""
        path = Path(path)
        table, about = tables.read_table(path)
        try:
            schema = None if about["schema"] is None else _schema_from_json(about["schema"])
            refusals = tuple(Refusal(*entry) for entry in about["refusals"])
            stored = None if about["root"] is None else path.parent / about["root"]
        except (KeyError, TypeError, ValueError) as exc:
            raise DataError(Reason.DATASET_FORMAT, f"{path}: its description is damaged ({exc!r})") from exc
        where = stored if root is None else Path(root)
        return cls(table, schema, where, refusals, tuple(about.get("warnings", ())))

    def to_parquet(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save the table (images by reference). The root is stored relative to the file where it lies below its folder.

        Raises:
            DataError: output_exists, unless `overwrite`; write_failed.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise DataError(Reason.OUTPUT_EXISTS, f"{path} exists; choose another name or allow overwriting")
        about = {
            "schema": None if self.schema is None else _schema_to_json(self.schema),
            "root": None if self.root is None else _relative(self.root, path.parent),
            "refusals": [[r.uri, r.code, r.message] for r in self.refusals],
            "warnings": list(self.warnings),
        }
        tables.write_table(self.table, path, about)

    def __len__(self) -> int:
        return self.table.height

    @property
    def task(self) -> Task | None:
        """Binary, multiclass or multilabel; None when nothing is labelled."""
        return None if self.schema is None else self.schema.task

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """All samples, made from the table on first use."""
        return tables.to_samples(self.table)

    @cached_property
    def uris(self) -> tuple[str, ...]:
        """The uris, in order."""
        return tuple(self.table["uri"].to_list())

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The sample ids, "" where the bytes were not read yet."""
        return tuple(self.table["id"].to_list())

    @cached_property
    def splits(self) -> tuple[str | None, ...]:
        """Split of every sample, None where not assigned."""
        return tuple(self.table["split"].to_list())

    @cached_property
    def groups(self) -> tuple[str | None, ...]:
        """Declared group of every sample, None where there is none."""
        return tuple(self.table["group"].to_list())

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """bool (n,): True where a person said what is on the image, be it "nothing" (multi-label)."""
        return self.table["labels"].is_not_null().to_numpy()

    @property
    def metadata_keys(self) -> tuple[str, ...]:
        """Names of the free columns, sorted."""
        names = (name for name in self.table.columns if name.startswith(tables.META))
        return tuple(sorted(name.removeprefix(tables.META) for name in names))

    def metadata(self, key: str) -> tuple[str | None, ...]:
        """One free column; DataError unknown_name names the known ones."""
        if tables.META + key not in self.table.columns:
            known = ", ".join(self.metadata_keys) or "none"
            raise DataError(Reason.UNKNOWN_NAME, f"no metadata column {key!r}; there are: {known}")
        return tuple(self.table[tables.META + key].to_list())

    def label_matrix(self, schema: LabelSchema | None = None) -> NDArray[np.uint8]:
        """uint8 (n, k): 1 where a label applies, columns in the order of `schema` (default: the data set's own).

        Raises:
            DataError: unlabelled, when any image has no labels (take `subset(labelled)` first); unknown_label.
        """
        schema = schema or self.schema
        n_missing = len(self) - int(self.labelled.sum())
        if schema is None or n_missing:
            message = f"{n_missing} of {len(self)} images have no label; take dataset.subset(dataset.labelled) first"
            raise DataError(Reason.UNLABELLED, message)
        column = {name: i for i, name in enumerate(schema.names)}
        matrix = np.zeros((len(self), len(column)), np.uint8)
        lists = self.table["labels"]
        sizes = lists.list.len().to_numpy()
        rows = np.repeat(np.arange(len(self)), sizes)
        names = lists.filter(sizes > 0).explode().to_list()
        unknown = sorted(set(names) - set(column))
        if unknown:
            schema.index(unknown[0])
        matrix[rows, [column[name] for name in names]] = 1
        return matrix

    def bytes_of(self, index: int, *, limits: DecodeLimits | None = None) -> bytes:
        """Encoded bytes of one image; raises ImageError like `containers.read_bytes`."""
        return read_bytes(self.uris[index], root=self.root, limits=limits or DecodeLimits())

    def with_ids(self, ids: Sequence[str]) -> Dataset:
        """The same samples with these ids (sha256 of the bytes, hex), one per row."""
        return self._with_column("id", ids)

    def with_splits(self, splits: Sequence[str | None]) -> Dataset:
        """The same samples in these splits: train, val, test (other spellings are normalised) or None."""
        unknown = sorted({name for name in splits if name is not None and normalise_split(name) is None})
        if unknown:
            raise DataError(Reason.BAD_SETTING, f"a split is train, val or test, got {', '.join(map(repr, unknown))}")
        return self._with_column("split", [normalise_split(name) for name in splits])

    def with_groups(self, groups: Sequence[str | int | None]) -> Dataset:
        """The same samples with these groups, one per row, None for no group."""
        return self._with_column("group", [None if group is None else str(group) for group in groups])

    def with_captured_at(self, times: Sequence[datetime | None]) -> Dataset:
        """The same samples taken at these times, with a zone, one per row, None where unknown."""
        return self._with_column("captured_at", times)

    def with_metadata(self, key: str, values: Sequence[str | None]) -> Dataset:
        """The same samples with a free column, added or replaced, one value per row, None for no value."""
        return self._with_column(tables.META + key, values)

    def subset(self, mask: Sequence[bool] | Sequence[int] | NDArray[Any]) -> Dataset:
        """Rows where a bool (n,) mask is True, or the rows at int indices, in that order. The schema stays."""
        chosen = np.asarray(mask)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                message = f"a mask has one value per sample, {len(self)}, got shape {chosen.shape}"
                raise DataError(Reason.BAD_SETTING, message)
            chosen = np.flatnonzero(chosen)
        return replace(self, table=self.table[chosen.astype(np.int64)])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) over ids, labels, groups and regions: the same for any row order and any place on disk.

        Samples whose bytes were not read yet stand with their uri, so the value changes when ids are filled in.
        """
        columns = (self.table[name].to_list() for name in ("id", "uri", "labels", "group", "roi"))
        rows = sorted(
            json.dumps([id_ or f"uri:{uri}", None if labels is None else sorted(labels), group, roi])
            for id_, uri, labels, group, roi in zip(*columns, strict=True)
        )
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def _with_column(self, name: str, values: Sequence[Any]) -> Dataset:
        import polars as pl

        if len(values) != len(self):
            raise DataError(Reason.BAD_SETTING, f"{name}: one value per sample, {len(self)}, got {len(values)}")
        series = pl.Series(name, list(values), dtype=self.table.schema.get(name, pl.String))
        return replace(self, table=self.table.with_columns(series))


def as_task(task: Task | str) -> Task:
    """The task of that name; DataError bad_setting lists them."""
    try:
        return Task(task)
    except ValueError:
        raise DataError(Reason.BAD_SETTING, f"a task is binary, multiclass or multilabel, got {task!r}") from None


def _tidy(sample: Sample) -> Sample:
    labels: Labels = sample.labels
    if labels is not None:
        labels = tuple(sorted({name for name in map(str.strip, labels) if name}))
    metadata = sample.metadata if all(sample.metadata.values()) else {k: v for k, v in sample.metadata.items() if v}
    if labels == sample.labels and metadata is sample.metadata:
        return sample
    return replace(sample, labels=labels, metadata=metadata)


def _exclusive(samples: list[Sample]) -> tuple[list[Sample], list[Refusal]]:
    kept, refused = [], []
    for sample in samples:
        if sample.labels is None or len(sample.labels) == 1:
            kept.append(sample)
        else:
            told = ", ".join(sample.labels) or "none"
            message = f"{sample.uri!r} must have exactly one label for this task, it has: {told}"
            refused.append(Refusal(sample.uri, Reason.LABEL_CONFLICT.value, message))
    return kept, refused


def _schema_to_json(schema: LabelSchema) -> dict[str, Any]:
    labels = [[label.id, label.name] for label in schema.labels]
    return {"task": schema.task.value, "positive": schema.positive, "labels": labels}


def _schema_from_json(value: Mapping[str, Any]) -> LabelSchema:
    labels = tuple(Label(int(id_), str(name)) for id_, name in value["labels"])
    return LabelSchema(Task(value["task"]), labels, value["positive"])


def _relative(root: Path, folder: Path) -> str:
    """Root as stored: relative when it lies at or below the saved file's folder, so that both can move together."""
    try:
        return root.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return root.resolve().as_posix()
