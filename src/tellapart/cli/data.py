"""`tellapart data import|export|split|formats|generate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tellapart.cli.data_options import (
    FormatOption,
    ImagesOption,
    LabelMapOption,
    MultilabelOption,
    OutsideOption,
    PositiveOption,
    RegionsOption,
    TaskOption,
)
from tellapart.cli.environment import cache_dir, decode_limits
from tellapart.cli.options import JsonOption, SeedOption, SplitOption, VariantOption, WorkersOption
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress

if TYPE_CHECKING:
    from tellapart.data.dataset import Dataset
    from tellapart.data.writers.protocol import WriteReport

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Data sets in and out of every format, and their splits."
)
SourceArgument = Annotated[Path, typer.Argument(help="Data set in any known format.", show_default=False)]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Where to write.", show_default=False)]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace files of the same name.")]


@app.command("import")
def import_(
    source: SourceArgument,
    output: OutputOption,
    data_format: FormatOption = None,
    images: ImagesOption = None,
    label_map: LabelMapOption = None,
    task: TaskOption = None,
    positive: PositiveOption = None,
    multilabel: MultilabelOption = None,
    regions: RegionsOption = False,
    allow_outside: OutsideOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read a data set once and keep what was found as one Parquet table (images by reference)."""
    from tellapart.data.dataset import Dataset

    dataset = Dataset.read(
        source,
        format=data_format,
        label_map=label_map,
        task=task,
        positive=positive,
        images=images,
        multilabel=multilabel,
        regions=regions,
        allow_outside=allow_outside,
    )
    dataset.to_parquet(output, overwrite=overwrite)
    _tell(dataset, output, as_json=as_json)


@app.command()
def export(
    source: SourceArgument,
    output: OutputOption,
    to: Annotated[str, typer.Option("--to", help="Format to write, see `tellapart data formats`.", show_default=False)],
    copy: Annotated[bool, typer.Option("--copy", help="Copy the images beside the annotations.")] = False,
    overwrite: OverwriteOption = False,
    data_format: FormatOption = None,
    label_map: LabelMapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a data set in another format; says what that format has no place for."""
    from tellapart.data.dataset import Dataset
    from tellapart.data.writers import write

    dataset = Dataset.read(source, format=data_format, label_map=label_map)
    _tell_written(write(dataset, output, format=to, copy=copy, overwrite=overwrite), as_json=as_json)


@app.command()
def split(
    source: SourceArgument,
    output: OutputOption,
    data_format: FormatOption = None,
    label_map: LabelMapOption = None,
    how: SplitOption = "grouped",
    overwrite: OverwriteOption = False,
    seed: SeedOption = 0,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Assign train, val and test without leaks and keep them in a Parquet table; assigned images never move."""
    from tellapart.workflows.split import split as run

    with progress() as shown:
        dataset, parted = run(
            source,
            format=data_format,
            label_map=label_map,
            how=how,
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


@app.command()
def formats() -> None:
    """List the formats that are read and written."""
    from tellapart.data.readers import READERS
    from tellapart.data.writers import WRITERS

    for name, reader in sorted(READERS.items()):
        print(f"{name:14}{'read, write' if name in WRITERS else 'read':13}{reader.summary}")


@app.command()
def generate(
    output: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    variant: VariantOption = "multiclass",
    parts: Annotated[int, typer.Option("--parts", help="Number of bottles.", min=1)] = 100,
    frames: Annotated[int, typer.Option("--frames", help="Photos of each bottle.", min=1)] = 4,
    later: Annotated[bool, typer.Option("--later", help="Weeks later: other light, other bottles.")] = False,
    truth: Annotated[Path | None, typer.Option("--truth", help="CSV with part, camera and true labels.")] = None,
    seed: SeedOption = 0,
) -> None:
    """Generate photos of a bottling line to try things on."""
    from tellapart.samples import write_bottles

    with progress() as shown:
        write_bottles(
            output,
            truth=truth,
            progress=lambda done, total: shown("taking photos", done, total),
            variant=variant,
            n_parts=parts,
            frames_per_part=frames,
            later=later,
            seed=seed,
        )
    print(f"{output}: {parts * frames} photos of {parts} bottles")


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
        note(f"refused: {plain(refusal.message)} [{refusal.code}]")


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
        note(f"refused: {plain(refusal.message)} [{refusal.code}]")
