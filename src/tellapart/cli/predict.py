"""`tellapart predict`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from tellapart.cli.environment import decode_limits
from tellapart.cli.options import EmbeddingOption, RoiOption, WorkersOption, parse_rois
from tellapart.cli.output import destination, note, one_line, plain, printable
from tellapart.cli.progress import progress
from tellapart.errors import Reason, SettingsError
from tellapart.records import Prediction, Refusal

EXIT_NOTHING_ANSWERED = 3


def predict(
    model: Annotated[Path, typer.Argument(help="Model folder or .zip.", show_default=False)],
    paths: Annotated[list[Path], typer.Argument(help="Image files and folders of images.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines, one object per image in input order.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a column per label.")] = False,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write a Parquet file.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write --json or --csv to this file.", show_default=False)
    ] = None,
    roi: RoiOption = None,
    embedding: EmbeddingOption = False,
    workers: WorkersOption = 0,
) -> None:
    """Classify images: one answer per image, refused files listed with their reason.

    Exit code 0 when at least one image was answered, 3 when all were refused.
    """
    if as_json + as_csv + (parquet is not None) > 1:
        raise SettingsError(Reason.BAD_SETTING, "choose one of --json, --csv and --parquet")
    from tellapart.workflows.predict import predict as answer

    with progress() as shown:
        run = answer(
            model,
            paths,
            rois=parse_rois(roi),
            workers=workers,
            limits=decode_limits(),
            embedding=embedding,
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
        raise typer.Exit(EXIT_NOTHING_ANSWERED)


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
