"""`tellapart train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
from tellapart.cli.options import JsonOption, SeedOption, SplitOption, WorkersOption
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress


def train(
    data: Annotated[Path, typer.Argument(help="Folder of class folders, CSV, JSONL, Parquet …", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Model folder or .zip [default: NAME-model].")
    ] = None,
    backbone: Annotated[
        str, typer.Option("--backbone", help="Name (see `tellapart backbones list`) or ONNX file.")
    ] = "classic",
    preprocess: Annotated[
        str | None, typer.Option("--preprocess", help="Such as 'decode|upright|fit(224)' [default: the backbone's].")
    ] = None,
    data_format: FormatOption = None,
    images: ImagesOption = None,
    label_map: LabelMapOption = None,
    task: TaskOption = None,
    positive: PositiveOption = None,
    multilabel: MultilabelOption = None,
    regions: RegionsOption = False,
    allow_outside: OutsideOption = False,
    aim: Annotated[
        str,
        typer.Option("--aim", help="Thresholds for: best_f1, 'precision>=0.98', 'recall>=0.95', least_cost, argmax."),
    ] = "best_f1",
    costs: Annotated[
        Path | None, typer.Option("--costs", help="Cost table (CSV: rows actual, columns predicted) for least_cost.")
    ] = None,
    class_weight: Annotated[
        Literal["balanced", "none"],
        typer.Option("--class-weight", help="balanced: rare classes count as much as common ones."),
    ] = "balanced",
    split: SplitOption = "grouped",
    name: Annotated[str | None, typer.Option("--name", help="Name on the card [default: the output's].")] = None,
    golden: Annotated[
        int, typer.Option("--golden", help="Images kept in the model to verify it; 0 for none.", min=0)
    ] = 6,
    seed: SeedOption = 0,
    workers: WorkersOption = 0,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the embedding cache.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier: check, split without leaks, fit, calibrate, evaluate, write the model and its report."""
    from tellapart.data.dataset import Dataset
    from tellapart.workflows.train import train as run

    output = output or Path(f"{data.resolve().name.split('.')[0]}-model")
    dataset = Dataset.read(
        data,
        format=data_format,
        label_map=label_map,
        task=task,
        positive=positive,
        images=images,
        multilabel=multilabel,
        regions=regions,
        allow_outside=allow_outside,
    )
    with progress() as shown:
        classifier = run(
            dataset,
            output=output,
            backbone=backbone,
            preprocess=preprocess,
            aim=aim,
            costs=costs,
            class_weight=class_weight,
            split=split,
            name=name,
            golden=golden,
            seed=seed,
            workers=workers,
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    evaluation = classifier.evaluation
    assert evaluation is not None  # `train` always judges
    if as_json:
        print(pretty(evaluation.to_json()))
        return
    for line in [*classifier.card.data["summary"], *classifier.card.training["summary"], "", *evaluation.summary()]:
        print(plain(line))
    note(f"\nmodel   {output}" + ("" if output.suffix == ".zip" else f"\nreport  {output / 'report.html'}"))
