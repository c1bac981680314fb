"""Generated photos as files: class folders or a CSV, and the truth beside them where it is wanted."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Unpack

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.files import replacing
from tellapart.samples.photos import LineOptions, Progress, SampleImage, iter_bottles
from tellapart.samples.schedule import BottleLine

Layout = Literal["folders", "csv"]

TRUTH_COLUMNS = ("file_name", "label", "true_label", "part", "camera", "shift", "light", "captured_at")


def write_bottles(
    folder: str | Path,
    *,
    layout: Layout | None = None,
    truth: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[LineOptions],
) -> None:
    """Write generated photos to a new folder, which appears when it is complete.

    `layout` "folders" is `folder/<label>/bottle_0001.jpg`; "csv" is `folder/images/…` with `folder/metadata.csv`
    (`file_name,label`, for multi-label `file_name,labels`). Default: folders, for multi-label csv. Neither tells which
    photos show the same part. `truth` is the path of a CSV that does (`TRUTH_COLUMNS`): keep it outside `folder`.

    Raises:
        SettingsError: an option has a value it cannot have.
        DataError: output_exists, when the folder is there and not empty; write_failed.
    """
    line = BottleLine(**options)
    chosen = _layout(layout, line)
    with new_folder(Path(folder), "the photos") as partial:
        _write(partial, chosen, Path(truth) if truth is not None else None, line, progress)


@contextmanager
def new_folder(target: Path, what: str) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` when the block ends well; `what` is written, for the sentence.

    Raises:
        DataError: output_exists, when the folder is there and not empty; write_failed for an `OSError` of the block.
    """
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            message = f"{target} exists and is not an empty folder: choose another name or delete it"
            raise DataError(Reason.OUTPUT_EXISTS, message)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.parent / f".{target.name}.new-{os.getpid():x}-{os.urandom(4).hex()}"
        partial.mkdir()
        try:
            yield partial
            os.replace(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as exc:
        detail = exc.strerror or type(exc).__name__
        message = f"{what} cannot be written to {target}: {detail} ({exc.filename})"
        raise DataError(Reason.WRITE_FAILED, message) from exc


def _layout(layout: str | None, line: BottleLine) -> str:
    multilabel = line.variant == "multilabel"
    chosen = layout or ("csv" if multilabel else "folders")
    if chosen not in ("folders", "csv"):
        raise SettingsError(Reason.BAD_SETTING, f"layout is 'folders' or 'csv', got {layout!r}")
    if multilabel and chosen == "folders":
        message = "a multi-label photo has no single class folder: use layout 'csv'"
        raise SettingsError(Reason.BAD_SETTING, message)
    return chosen


def _write(folder: Path, layout: str, truth: Path | None, line: BottleLine, progress: Progress | None) -> None:
    rows = []
    for image in iter_bottles(line, progress):
        place = f"images/{image.name}" if layout == "csv" else f"{image.labels[0]}/{image.name}"
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(image.jpeg)
        rows.append((place, image))
    if layout == "csv":
        column = "labels" if line.variant == "multilabel" else "label"
        write_csv(folder / "metadata.csv", ("file_name", column), ((p, _cell(i.labels)) for p, i in rows))
    if truth is not None:
        with replacing(truth) as temporary:
            write_csv(temporary, TRUTH_COLUMNS, (_truth(place, image) for place, image in rows))


def _truth(place: str, image: SampleImage) -> tuple[str, ...]:
    known = (image.part, image.camera, image.shift, image.light, image.captured_at.isoformat())
    return (place, _cell(image.labels), _cell(image.true_labels), *known)


def _cell(labels: tuple[str, ...]) -> str:
    """As the readers expect it: names joined by "|"; an empty cell would mean unlabelled, so "none of them" is []."""
    return "|".join(labels) if labels else json.dumps([])


def write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """A CSV with a header; rows are written as they come."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
