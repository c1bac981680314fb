"""`tellapart evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tellapart.cli.data_options import FormatOption, ImagesOption, LabelMapOption, OutsideOption
from tellapart.cli.environment import cache_dir, decode_limits
from tellapart.cli.options import JsonOption, SeedOption, WorkersOption
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model folder or .zip.", show_default=False)],
    data: Annotated[Path, typer.Argument(help="Labelled images in any known format.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for report.html and evaluation.json [default: DATA-evaluation]."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Only this split of the data: train, val or test.")
    ] = None,
    data_format: FormatOption = None,
    images: ImagesOption = None,
    label_map: LabelMapOption = None,
    allow_outside: OutsideOption = False,
    against: Annotated[
        Path | None, typer.Option("--against", help="Another model to compare with on the same images.")
    ] = None,
    seed: SeedOption = 0,
    workers: WorkersOption = 0,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the embedding cache.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a model on labelled images it has not seen: the same report as after training."""
    from tellapart.data.dataset import Dataset
    from tellapart.workflows.evaluate import evaluate as run

    output = output or Path(f"{data.resolve().name.split('.')[0]}-evaluation")
    dataset = Dataset.read(data, format=data_format, label_map=label_map, images=images, allow_outside=allow_outside)
    with progress() as shown:
        result = run(
            model,
            dataset,
            output=output,
            split=split,
            against=against,
            seed=seed,
            workers=workers,
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
