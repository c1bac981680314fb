"""versions/N/: what the last versions of a model answered with, so that a change can be undone.

A version's card, head, class statistics, evaluation and report, and which image had which label (rows.parquet). The
backbone is not among them: no change of classes touches it. A file that some other version has too is not kept twice,
it is found by the checksum on the version's card. versions/gone.parquet holds the images that have left the reference
since, or whose vector made room for others, with their vectors.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from tellapart.classifier.card import ModelCard
from tellapart.classifier.enclosures import EVALUATION, REPORT
from tellapart.classifier.folder import CARD
from tellapart.classifier.storage import HEAD
from tellapart.errors import Reason, SettingsError
from tellapart.training.class_file import CLASSES
from tellapart.workflows.classes.rows import ROW, Rows

if TYPE_CHECKING:
    import polars as pl

KEPT = 5
# Versions that answer alike, as an undo and what it brought back, count as one: else a few undos would push the others out.
_MOST = 3 * KEPT
ROWS, GONE = "rows.parquet", "versions/gone.parquet"
_STATE = (HEAD, CLASSES, EVALUATION, REPORT)
_FOLDER = re.compile(r"versions/(\d{1,9})/model\.json")
_ANSWERS = ("labels", "split", "confidence", "ood_score")
Files = Mapping[str, bytes]


def versions_in(files: Files) -> list[int]:
    """Numbers of the versions that can be brought back, ascending."""
    return sorted(int(found[1]) for name in files if (found := _FOLDER.fullmatch(name)))


def kept_versions(before: Files, number: int, rows: Rows | None, after: Files) -> dict[str, bytes]:
    """The files below versions/ of a model that replaces version `number`, whose files are `before` and images `rows`
    (None where it has no reference).

    `after` are the new model's other files: what they hold is not kept twice.
    """
    answers = {} if rows is None else {ROWS: _answers(rows)}
    past = {**_unfolded(before), number: {**_chosen(before), **answers}}
    files: dict[str, bytes] = {}
    here = {_checksum(data) for data in after.values()}
    for one in _lasting(past):
        for name, data in past[one].items():
            if name in (CARD, ROWS) or _checksum(data) not in here:
                files[f"versions/{one}/{name}"] = data
                here.add(_checksum(data))
    return files


def restored_files(files: Files, number: int) -> dict[str, bytes]:
    """Card, head, statistics, evaluation, report and rows of an earlier version, as they were.

    Raises:
        SettingsError: `unknown_name` for one that is not kept.
    """
    past = _unfolded(files)
    if number not in past:
        known = ", ".join(map(str, sorted(past))) or "none"
        raise SettingsError(
            Reason.UNKNOWN_NAME,
            f"version {number} is not kept any more, so it cannot be brought back; kept are: {known}",
        )
    return past[number]


def kept_rows(gone: pl.DataFrame | None, left: pl.DataFrame | None, files: Files) -> bytes:
    """versions/gone.parquet: images that left earlier (`gone`) and now (`left`), as far as a kept version has them.

    `files` are those of `kept_versions`.
    """
    import polars as pl

    wanted: set[int] = set()
    for name, data in files.items():
        if name.endswith(f"/{ROWS}"):
            wanted |= set(pl.read_parquet(io.BytesIO(data), columns=[ROW])[ROW].to_list())
    tables = [one for one in (gone, left) if one is not None]
    if not tables:
        return b""
    table = pl.concat([one.select(tables[0].columns) for one in tables])
    # An image may first lose its vector, and leave later: the row with the vector counts.
    table = table.sort(pl.col("embedding").is_not_null(), maintain_order=True)
    table = table.unique(ROW, keep="last", maintain_order=True)
    table = table.filter(pl.col(ROW).is_in(list(wanted)))
    return _parquet(table) if table.height else b""


def read_gone(files: Files) -> pl.DataFrame | None:
    """The images of versions/gone.parquet, None where there is none."""
    import polars as pl

    return pl.read_parquet(io.BytesIO(files[GONE])) if GONE in files else None


def restored_rows(now: Rows, gone: pl.DataFrame | None, answers: bytes) -> tuple[Rows, pl.DataFrame]:
    """The images as a version had them (`answers` is its rows.parquet), and those that it does not have."""
    import polars as pl

    then = pl.read_parquet(io.BytesIO(answers))
    known = now.table if gone is None else pl.concat([now.table, gone.select(now.table.columns)])
    known, columns = known.sort(pl.col("embedding").is_null(), maintain_order=True), known.columns
    known = known.unique(ROW, keep="first", maintain_order=True)
    table = known.drop(_ANSWERS).join(then, on=ROW, how="inner").select(columns).sort(ROW)
    left = now.table.join(then.select(ROW), on=ROW, how="anti")
    absent = pl.concat([now.gone, left.select("id", "split")]).join(table.select("id").unique(), on="id", how="anti")
    return Rows(table, absent), left


def _unfolded(files: Files) -> dict[int, dict[str, bytes]]:
    """Version → its files by name, those found that it shares with another."""
    by_checksum = {_checksum(data): data for data in files.values()}
    found: dict[int, dict[str, bytes]] = {}
    for number in versions_in(files):
        folder = f"versions/{number}"
        own = {name: files[f"{folder}/{name}"] for name in (CARD, ROWS) if f"{folder}/{name}" in files}
        card = ModelCard.from_bytes(own[CARD], location=folder)
        shared = {name: by_checksum.get(card.files.get(name, "")) for name in _STATE}
        found[number] = {**own, **{name: data for name, data in shared.items() if data is not None}}
    return found


def _lasting(past: Mapping[int, Files]) -> list[int]:
    """The last versions that hold `KEPT` different models, ascending."""
    lasting: list[int] = []
    models: set[str] = set()
    for number in sorted(past, reverse=True)[:_MOST]:
        models.add(ModelCard.from_bytes(past[number][CARD], location=f"versions/{number}").model_id)
        if len(models) > KEPT:
            break
        lasting.append(number)
    return lasting[::-1]


def _chosen(files: Files) -> dict[str, bytes]:
    return {name: files[name] for name in (CARD, *_STATE) if name in files}


def _answers(rows: Rows) -> bytes:
    return _parquet(rows.table.select(ROW, *_ANSWERS))


def _parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _checksum(data: bytes) -> str:
    return sha256(data).hexdigest()
