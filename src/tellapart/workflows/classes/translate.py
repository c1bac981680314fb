"""Old predictions read in new terms: by the model id they carry and what became of each label since."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.files import replacing
from tellapart.workflows.classes.history import History
from tellapart.workflows.classes.live import history_of, read_whole
from tellapart.workflows.classes.terms import RETIRED, Terms, terms_of_labels, terms_of_model

if TYPE_CHECKING:
    import polars as pl

_P = "p:"


@dataclass(frozen=True, slots=True)
class Translated:
    """How many predictions of which version (0: refused images, which have no answer) were written, and in whose terms."""

    output: str
    model_id: str
    version: int
    by_version: Mapping[int, int]
    n_refused: int
    ambiguous: tuple[str, ...]
    retired: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "output": self.output,
            "model_id": self.model_id,
            "version": self.version,
            "by_version": {str(version): n for version, n in self.by_version.items()},
            "refused": self.n_refused,
            "ambiguous": list(self.ambiguous),
            "retired": list(self.retired),
        }

    def lines(self) -> list[str]:
        """For a terminal."""
        n, refused = sum(self.by_version.values()), f", {self.n_refused:,} refused images" if self.n_refused else ""
        lines = [f"{self.output}: {n:,} predictions in the terms of version {self.version} ({self.model_id}){refused}"]
        lines += [f"version {version}  {count:,} predictions" for version, count in sorted(self.by_version.items())]
        lines += [f"ambiguous  {name}" for name in self.ambiguous]
        return lines + [f"retired    {name}" for name in self.retired]


def translate_predictions(
    model: str | Path, predictions: str | Path, output: str | Path, *, version: int | None = None
) -> Translated:
    """Write predictions of earlier versions of a model in the terms of the present one, in their own format.

    `predictions` is what `tellapart predict` wrote: .jsonl, .csv or .parquet. Probabilities of merged classes add up; a class
    that was split keeps its own under `"old → a | b"`; those of retired classes stand under "retired". JSON and Parquet
    say which model answered; for a CSV its labels tell the version, or `version` does.

    Raises:
        DataError: `label_conflict` for predictions of another model, `dataset_format`, `dataset_not_found`, `write_failed`.
        SettingsError: `bad_setting` for an ending that is none of the three, or labels that fit several versions.
        ModelError: what reading a model raises.
    """
    source, target = Path(predictions), Path(output)
    work = _format(source)
    if _format(target) is not work:
        message = (
            f"the output has the format of the predictions, so its name ends in {source.suffix}, got {target.name!r}"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    card, enclosures = read_whole(model)
    reading = Reading(history_of(model, card, enclosures.others), str(model), version)
    try:
        data = source.read_bytes()
    except OSError as exc:
        raise DataError(Reason.DATASET_NOT_FOUND, f"{source} cannot be read: {exc.strerror or exc}") from exc
    try:
        written = work(data, reading)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        message = f"{source} is not what `tellapart predict` writes ({exc!r:.120})"
        raise DataError(Reason.DATASET_FORMAT, message) from exc
    try:
        with replacing(target) as temporary:
            temporary.write_bytes(written)
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{target} could not be written: {exc.strerror or exc}") from exc
    return reading.told(str(target))


class Reading:
    """The history that predictions are read by, and what was met while they were."""

    def __init__(self, history: History, location: str, version: int | None) -> None:
        self.history, self._location, self._version = history, location, version
        self.by_version: Counter[int] = Counter()
        self.n_refused = 0
        self._met: dict[int, Terms] = {}
        self._of_model: Callable[[str], Terms] = cache(lambda one: terms_of_model(history, one, location))

    @property
    def model_id(self) -> str:
        """In whose terms predictions are told."""
        return self.history.latest.model_id

    def of_model(self, model_id: str) -> Terms:
        """Of one more prediction by that model."""
        return self._count(self._of_model(model_id))

    def of_labels(self, labels: list[str]) -> Terms:
        """Of predictions with these labels; none is counted."""
        return terms_of_labels(self.history, labels, self._version, self._location)

    def count(self, terms: Terms) -> None:
        """One more prediction by these."""
        self._count(terms)

    def _count(self, terms: Terms) -> Terms:
        self.by_version[terms.version] += 1
        self._met[terms.version] = terms
        return terms

    def told(self, output: str) -> Translated:
        """The summary."""
        ambiguous = {
            name for one in self._met.values() for old, name in one.names.items() if name.startswith(f"{old} → ")
        }
        retired = {name for one in self._met.values() for name in one.retired}
        latest = self.history.latest
        return Translated(
            output,
            latest.model_id,
            latest.version,
            dict(self.by_version),
            self.n_refused,
            tuple(sorted(ambiguous)),
            tuple(sorted(retired)),
        )


def _format(path: Path) -> Callable[[bytes, Reading], bytes]:
    formats = {".jsonl": _jsonl, ".json": _jsonl, ".csv": _csv, ".parquet": _parquet}
    found = formats.get(path.suffix.lower())
    if found is None:
        raise SettingsError(
            Reason.BAD_SETTING, f"predictions are read from .jsonl, .csv and .parquet, got the name {path.name!r}"
        )
    return found


def _jsonl(data: bytes, reading: Reading) -> bytes:
    lines = [_line(json.loads(line), reading) for line in data.decode("utf-8").splitlines() if line.strip()]
    return "".join(f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n" for line in lines).encode()


def _line(value: dict[str, Any], reading: Reading) -> dict[str, Any]:
    if "refused" in value:
        reading.n_refused += 1
        return value
    terms = reading.of_model(value["modelId"])
    results = [(one["label"], float(one["confidence"])) for one in value["classifierResults"]]
    found, retired = terms.probabilities(results)
    predicted, gone = terms.answers(value["predicted"])
    new = {**value, "classifierResults": _sorted(found), "predicted": predicted}
    if terms.retired:
        new[RETIRED] = {"classifierResults": _sorted(retired), "predicted": gone}
    return {**new, "translatedTo": reading.model_id}


def _sorted(probabilities: Mapping[str, float]) -> list[dict[str, Any]]:
    ranked = sorted(probabilities.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"label": name, "confidence": round(p, 8)} for name, p in ranked]


def _csv(data: bytes, reading: Reading) -> bytes:
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))
    labels = [name.removeprefix(_P) for name in (rows[0] if rows else {}) if name.startswith(_P)]
    if rows and ("uri" not in rows[0] or not labels):
        raise ValueError("it has no column uri, or none of a label")
    terms = reading.of_labels(labels) if rows else None
    lines = [] if terms is None else [_csv_row(row, labels, terms, reading) for row in rows]
    columns = _columns(lines)
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, restval="")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue().encode()


def _csv_row(row: dict[str, str], labels: list[str], terms: Terms, reading: Reading) -> dict[str, str]:
    plain = {name: value for name, value in row.items() if not name.startswith(_P)}
    if row["refused"]:
        reading.n_refused += 1
        return plain
    reading.count(terms)
    found, retired = terms.probabilities((name, float(row[_P + name])) for name in labels)
    # A label may hold the bar that stands between several answers: with exclusive classes there is only one.
    said = [row["predicted"]] if row["predicted"] in labels else [one for one in row["predicted"].split("|") if one]
    predicted, gone = terms.answers(said)
    probabilities = {f"{_P}{name}": f"{p:.8g}" for name, p in found.items()}
    probabilities |= {f"{RETIRED}:{name}": f"{p:.8g}" for name, p in retired.items()}
    answers = {"predicted": "|".join(predicted)} | ({RETIRED: "|".join(gone)} if terms.retired else {})
    return {**plain, **answers, **probabilities}


def _columns(rows: list[dict[str, str]]) -> list[str]:
    """All columns, that of refused images last."""
    found = list(dict.fromkeys(name for row in rows for name in row))
    return [*(name for name in found if name != "refused"), *(["refused"] if "refused" in found else [])]


def _parquet(data: bytes, reading: Reading) -> bytes:
    import polars as pl

    try:
        table = pl.read_parquet(io.BytesIO(data))
    except pl.exceptions.PolarsError as exc:
        raise ValueError(str(exc)) from exc
    rows = list(_parquet_rows(table, reading))
    fixed: dict[str, Any] = {name: kind for name, kind in table.schema.items() if not name.startswith(_P)}
    found = dict.fromkeys(name for row in rows for name in row if name.startswith((_P, f"{RETIRED}:")))
    schema = {**fixed, RETIRED: pl.List(pl.String), "translated_to": pl.String, **dict.fromkeys(found, pl.Float64)}
    buffer = io.BytesIO()
    pl.DataFrame(rows, schema=schema).write_parquet(buffer)
    return buffer.getvalue()


def _parquet_rows(table: pl.DataFrame, reading: Reading) -> Iterator[dict[str, Any]]:
    for row in table.iter_rows(named=True):
        plain = {name: value for name, value in row.items() if not name.startswith(_P)}
        if row["refused"] is not None:
            reading.n_refused += 1
            yield plain
            continue
        terms = reading.of_model(row["model_id"])
        # A table of predictions of several models has columns of all their labels.
        mine = [(name.removeprefix(_P), p) for name, p in row.items() if name.startswith(_P) and p is not None]
        found, retired = terms.probabilities(mine)
        predicted, gone = terms.answers(row["predicted"])
        probabilities = {f"{_P}{name}": p for name, p in found.items()}
        probabilities |= {f"{RETIRED}:{name}": p for name, p in retired.items()}
        yield {**plain, "predicted": predicted, RETIRED: gone, "translated_to": reading.model_id, **probabilities}
