"""`tellapart data import|export|split|suggest|augment|fix|diff|log|formats|generate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.data_augment import augment
from tellapart.cli.data_generate import generate
from tellapart.cli.data_repair import diff, fix, log
from tellapart.cli.data_suggest import suggest
from tellapart.cli.environment import cache_dir, decode_limits
from tellapart.cli.options import (
    FORMAT,
    JSON,
    LABEL_MAP,
    OVERWRITE,
    PATH,
    SEED,
    SPLIT,
    WORKERS,
    flag,
)
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading

if TYPE_CHECKING:
    from tellapart.data.dataset import Dataset
    from tellapart.data.writers.protocol import WriteReport

SOURCE = click.argument("source", type=PATH)
OUTPUT = click.option("--output", "-o", type=PATH, required=True, help="Where to write.")


@click.group()
def data() -> None:
    """Data sets in and out of every format, and their splits."""


@data.command("import")
@SOURCE
@OUTPUT
@READING
@OVERWRITE
@JSON
def import_(
    source: Path,
    output: Path,
    reading: Reading,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Read a data set once and keep what was found as one Parquet table (images by reference)."""
    dataset = reading.dataset(source)
    dataset.to_parquet(output, overwrite=overwrite)
    _tell(dataset, output, as_json=as_json)


@data.command()
@SOURCE
@OUTPUT
@click.option("--to", required=True, metavar="NAME", help="Format to write, see `tellapart data formats`.")
@flag("--copy", "copy", "Copy the images beside the annotations.")
@OVERWRITE
@FORMAT
@LABEL_MAP
@JSON
def export(
    source: Path,
    output: Path,
    to: str,
    copy: bool,
    overwrite: bool,
    data_format: str | None,
    label_map: Path | None,
    as_json: bool,
) -> None:
    """Write a data set in another format; says what that format has no place for."""
    from tellapart.data.dataset import Dataset
    from tellapart.data.writers import write

    dataset = Dataset.read(source, format=data_format, label_map=label_map)
    _tell_written(write(dataset, output, format=to, copy=copy, overwrite=overwrite), as_json=as_json)


@data.command()
@SOURCE
@OUTPUT
@FORMAT
@LABEL_MAP
@SPLIT
@OVERWRITE
@SEED
@WORKERS
@JSON
def split(
    source: Path,
    output: Path,
    data_format: str | None,
    label_map: Path | None,
    split: str,
    overwrite: bool,
    seed: int,
    workers: int,
    as_json: bool,
) -> None:
    """Assign train, val and test without leaks and keep them in a Parquet table; assigned images never move."""
    from tellapart.workflows.split import split as run

    with progress() as shown:
        dataset, parted = run(
            source,
            format=data_format,
            label_map=label_map,
            how=split,
            earlier=output if overwrite else None,
            seed=seed,
            cache_dir=cache_dir(),
            limits=decode_limits(),
            workers=workers,
            progress=shown,
        )
    dataset.to_parquet(output, overwrite=overwrite)
    _tell(dataset, output, as_json=as_json)
    if not as_json:
        print("\n".join(parted.summary()))


@data.command()
def formats() -> None:
    """List the formats that are read and written."""
    from tellapart.data.readers import READERS
    from tellapart.data.writers import WRITERS

    for name, reader in sorted(READERS.items()):
        print(f"{name:14}{'read, write' if name in WRITERS else 'read':13}{reader.summary}")


for command in (suggest, augment, fix, diff, log, generate):
    data.add_command(command)


def _tell(dataset: Dataset, output: Path, *, as_json: bool) -> None:
    labels = list(dataset.schema.names) if dataset.schema else []
    if as_json:
        refused = [refusal.to_json() for refusal in dataset.refusals]
        facts = {"path": str(output), "images": len(dataset), "labels": labels, "refused": refused}
        print(pretty({**facts, "warnings": list(dataset.warnings), "fingerprint": dataset.fingerprint}))
        return
    task = f", {dataset.task.value}: {', '.join(labels)}" if dataset.task else ", no labels"
    print(plain(f"{output}: {len(dataset):,} images{task}"))
    for warning in dataset.warnings:
        note(f"warning: {plain(warning)}")
    for refusal in dataset.refusals:
        note(f"refused: {plain(refusal.sentence)}")


def _tell_written(report: WriteReport, *, as_json: bool) -> None:
    if as_json:
        refused = [refusal.to_json() for refusal in report.refusals]
        facts = {"path": str(report.path), "written": report.n_written, "lost": list(report.lost)}
        print(pretty({**facts, "warnings": list(report.warnings), "refused": refused}))
        return
    print(plain(f"{report.path}: {report.n_written:,} images written"))
    if report.lost:
        note(f"warning: this format has no place for {', '.join(report.lost)}; they were left out")
    for warning in report.warnings:
        note(f"warning: {plain(warning)}")
    for refusal in report.refusals:
        note(f"refused: {plain(refusal.sentence)}")
