"""`tellapart predict`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from tellapart.cli.environment import decode_limits, provider
from tellapart.cli.options import MODEL, PATH, WORKERS, flag, parse_rois
from tellapart.cli.output import destination, note, one_line, plain, printable
from tellapart.cli.predict_items import EXIT_NOTHING_ANSWERED, ITEM, asked_for, predict_items
from tellapart.cli.progress import progress
from tellapart.errors import Reason, SettingsError
from tellapart.records import Prediction, Refusal


@click.command()
@MODEL
@click.argument("paths", nargs=-1, required=True, type=PATH)
@flag("--json", "as_json", "JSON Lines, one object per image in input order.")
@flag("--csv", "as_csv", "CSV with a column per label.")
@click.option("--parquet", type=PATH, metavar="FILE", help="Write a Parquet file.")
@click.option("--output", "-o", type=PATH, metavar="FILE", help="Write --json or --csv to this file.")
@click.option(
    "--roi",
    multiple=True,
    metavar="NAME=x0,y0,x1,y1",
    help="Region in 0–1 of the upright image; more pairs make a polygon. May be repeated.",
)
@click.option(
    "--heatmaps", type=PATH, metavar="FOLDER", help="Write a PNG of each image that shows where its answer comes from."
)
@flag("--embedding", "embedding", "Add the embedding to each JSON or Parquet row.")
@WORKERS
@ITEM
def predict(
    model: Path,
    paths: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    parquet: Path | None,
    output: Path | None,
    roi: tuple[str, ...],
    heatmaps: Path | None,
    embedding: bool,
    workers: int,
    item: Mapping[str, Any],
) -> None:
    """Classify image files and folders of images: one answer each, refused files listed with their reason.

    Exit code 0 when at least one image was answered, 3 when none was.
    """
    if asked_for(item):
        if as_csv or parquet is not None or heatmaps is not None or embedding:
            message = "a decision on a piece is written as text or with --json, without heatmaps and embeddings"
            raise SettingsError(Reason.BAD_SETTING, message)
        predict_items(model, paths, item, rois=roi, workers=workers, output=output, as_json=as_json)
        return
    if as_json + as_csv + (parquet is not None) > 1:
        raise SettingsError(Reason.BAD_SETTING, "choose one of --json, --csv and --parquet")
    if parquet is not None and output is not None:
        raise SettingsError(Reason.BAD_SETTING, "--parquet names its file itself, leave out --output")
    from tellapart.workflows.predict import predict as answer

    with progress() as shown:
        run = answer(
            model,
            paths,
            rois=parse_rois(roi),
            workers=workers,
            provider=provider(),
            limits=decode_limits(),
            embedding=embedding,
            heatmaps=heatmaps,
            progress=shown,
        )
        counted = _Counted(run.outcomes)
        if parquet is not None:
            from tellapart.workflows.tables import write_predictions_parquet

            write_predictions_parquet(parquet, counted, run.labels)
        else:
            with destination(output) as stream:
                _write(counted, stream, run.labels, as_json=as_json, as_csv=as_csv)
    if counted.n_refused:
        note(f"{counted.n_refused} of {counted.n} images refused")
    if not counted.n:
        note("no images found: of a folder, the files with an image suffix such as .jpg and .png count")
    if counted.n == counted.n_refused:
        sys.exit(EXIT_NOTHING_ANSWERED)


class _Counted:
    """The outcomes, counted while they pass."""

    def __init__(self, outcomes: Iterable[Prediction | Refusal]) -> None:
        self._outcomes, self.n, self.n_refused = iter(outcomes), 0, 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> Prediction | Refusal:
        outcome = next(self._outcomes)
        self.n += 1
        self.n_refused += isinstance(outcome, Refusal)
        return outcome


def _write(
    outcomes: Iterable[Prediction | Refusal], stream: TextIO, labels: Sequence[str], *, as_json: bool, as_csv: bool
) -> None:
    if as_json:
        for outcome in outcomes:
            stream.write(one_line(outcome.to_json()) + "\n")
    elif as_csv:
        _write_csv(outcomes, stream, labels)
    else:
        _write_text(outcomes, stream)


def _write_csv(outcomes: Iterable[Prediction | Refusal], stream: TextIO, labels: Sequence[str]) -> None:
    rows = csv.writer(stream)
    rows.writerow(["uri", "roi", "predicted", "unknown", "ood_score", *(f"p:{name}" for name in labels), "refused"])
    for outcome in outcomes:
        uri = printable(outcome.uri)
        if isinstance(outcome, Refusal):
            rows.writerow([uri, *[""] * (4 + len(labels)), outcome.code])
        else:
            facts = [outcome.roi or "", "|".join(outcome.predicted), outcome.unknown, f"{outcome.ood_score:.6g}"]
            rows.writerow([uri, *facts, *(f"{p:.8g}" for p in outcome.probabilities), ""])


def _write_text(outcomes: Iterable[Prediction | Refusal], stream: TextIO) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Refusal):
            print(f"{plain(outcome.uri)}: refused, {plain(outcome.message)} [{outcome.code}]", file=sys.stderr)
            continue
        where = plain(outcome.uri) + (f" [{outcome.roi}]" if outcome.roi else "")
        stream.write(f"{where}: {_verdict(outcome)}\n")


def _verdict(prediction: Prediction) -> str:
    ranked = sorted(zip(prediction.probabilities.tolist(), prediction.labels, strict=True), reverse=True)
    shares = ", ".join(f"{plain(name)} {p:.1%}" for p, name in ranked[:3])
    if prediction.unknown:
        return f"unknown, unlike the training images ({shares})"
    answer = " + ".join(plain(name) for name in prediction.predicted)
    return f"{answer or 'not sure'} ({shares})"
