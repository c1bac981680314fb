"""`tellapart evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider
from tellapart.cli.options import JSON, MODEL, NO_CACHE, PATH, SEED, WORKERS
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING_FOR_MODEL, Reading


@click.command()
@MODEL
@click.argument("data", type=PATH)
@click.option(
    "--output",
    "-o",
    type=PATH,
    metavar="FOLDER",
    help="Folder for report.html and evaluation.json.  [default: DATA-evaluation]",
)
@click.option("--split", metavar="NAME", help="Only this split of the data: train, val or test.")
@click.option("--against", type=PATH, metavar="MODEL", help="Another model to compare with on the same images.")
@READING_FOR_MODEL
@SEED
@WORKERS
@NO_CACHE
@JSON
def evaluate(
    model: Path,
    data: Path,
    output: Path | None,
    split: str | None,
    against: Path | None,
    reading: Reading,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Judge a model on labelled images it has not seen: the same report as after training."""
    from tellapart.workflows.evaluate import evaluate as run

    output = output or Path(f"{data.resolve().name.lstrip('.').split('.')[0]}-evaluation")
    dataset = reading.dataset(data)
    with progress() as shown:
        result = run(
            model,
            dataset,
            output=output,
            split=split,
            against=against,
            seed=seed,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    if as_json:
        print(pretty(result.to_json()))
        return
    for line in result.summary():
        print(plain(line))
    note(f"\nreport  {output / 'report.html'}")
