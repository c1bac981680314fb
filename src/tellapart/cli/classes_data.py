"""`tellapart classes add|split|consolidate|translate`: what takes data beside the model."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.classes_options import MIN_IMAGES, PICTURES, PREVIEW, SHEET, shown
from tellapart.cli.environment import cache_dir, decode_limits, provider
from tellapart.cli.options import JSON, MODEL, NO_CACHE, PATH, WORKERS
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING_FOR_MODEL, Reading


@click.command()
@MODEL
@click.argument("data", type=PATH)
@PREVIEW
@MIN_IMAGES
@PICTURES
@SHEET
@READING_FOR_MODEL
@WORKERS
@NO_CACHE
@JSON
def add(
    model: Path,
    data: Path,
    preview: bool,
    min_images: int,
    pictures: Path | None,
    sheet: Path | None,
    reading: Reading,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Teach MODEL from the labelled images of DATA: new labels become classes, known ones learn from more images."""
    from tellapart.workflows.classes.add import add_classes

    dataset = reading.dataset(data)
    with progress() as seen:
        change = add_classes(
            model,
            dataset,
            preview=preview,
            min_images=min_images,
            pictures=pictures,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=seen,
        )
    shown(change, as_json=as_json, sheet=sheet, pictures=pictures)


@click.command()
@MODEL
@click.argument("name")
@click.argument("data", type=PATH)
@PREVIEW
@MIN_IMAGES
@PICTURES
@SHEET
@READING_FOR_MODEL
@WORKERS
@NO_CACHE
@JSON
def split(
    model: Path,
    name: str,
    data: Path,
    preview: bool,
    min_images: int,
    pictures: Path | None,
    sheet: Path | None,
    reading: Reading,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Put the classes of DATA in the place of the class NAME. Images of it that are not among DATA leave the model."""
    from tellapart.workflows.classes.split import split_class

    dataset = reading.dataset(data)
    with progress() as seen:
        change = split_class(
            model,
            name,
            dataset,
            preview=preview,
            min_images=min_images,
            pictures=pictures,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=seen,
        )
    shown(change, as_json=as_json, sheet=sheet, pictures=pictures)


@click.command()
@MODEL
@click.argument("data", type=PATH, required=False)
@click.option("--output", "-o", type=PATH, required=True, metavar="NEWMODEL", help="Model folder or .zip to write.")
@READING_FOR_MODEL
@WORKERS
@NO_CACHE
@JSON
def consolidate(
    model: Path,
    data: Path | None,
    output: Path,
    reading: Reading,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Train a full linear probe on DATA, or on what MODEL remembers, and say which of the two is better.

    MODEL stays as it is. DATA holds its images with the labels of its present classes.
    """
    from tellapart.workflows.classes.consolidate import consolidate as run

    dataset = None if data is None else reading.dataset(data)
    with progress() as seen:
        result = run(
            model,
            dataset,
            output=output,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=seen,
        )
    print(pretty(result.to_json()) if as_json else "\n".join(map(plain, result.lines())))
    note(f"\nmodel   {output}")


@click.command()
@MODEL
@click.argument("predictions", type=PATH)
@click.option("--output", "-o", type=PATH, required=True, metavar="FILE", help="File to write, in the same format.")
@click.option(
    "--version", type=int, metavar="N", help="The version that gave the predictions, where a CSV leaves it open."
)
@JSON
def translate(model: Path, predictions: Path, output: Path, version: int | None, as_json: bool) -> None:
    """Write PREDICTIONS of earlier versions of MODEL (.jsonl, .csv, .parquet) in the terms of its present classes."""
    from tellapart.workflows.classes.translate import translate_predictions

    result = translate_predictions(model, predictions, output, version=version)
    print(pretty(result.to_json()) if as_json else "\n".join(map(plain, result.lines())))
