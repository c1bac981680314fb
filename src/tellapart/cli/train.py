"""`tellapart train`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, PATH, SEED, SPLIT, WORKERS
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading


@click.command()
@click.argument("data", type=PATH)
@click.option("--output", "-o", type=PATH, metavar="MODEL", help="Model folder or .zip.  [default: DATA-model]")
@click.option(
    "--backbone",
    default="builtin",
    show_default=True,
    metavar="NAME|FILE",
    help="Name (`tellapart backbones list`, timm/…, hf://…), ONNX file or timm checkpoint.",
)
@click.option(
    "--preprocess", metavar="SPEC", help="Such as 'decode|upright|fit(224)'.  [default: what the backbone was made for]"
)
@READING
@click.option(
    "--aim",
    default="best_f1",
    show_default=True,
    help="What thresholds are for: best_f1, 'precision>=0.98', 'recall>=0.95', least_cost, argmax.",
)
@click.option("--costs", type=PATH, metavar="CSV", help="Cost table for least_cost: rows actual, columns predicted.")
@click.option(
    "--class-weight",
    type=click.Choice(["balanced", "none"]),
    default="balanced",
    show_default=True,
    help="balanced: rare classes count as much as common ones.",
)
@click.option(
    "--label-noise",
    type=click.Choice(["keep", "drop", "downweight"]),
    default="keep",
    show_default=True,
    help="Labels that are probably wrong count, are left out, or count less.",
)
@SPLIT
@click.option("--name", help="Name on the card.  [default: the output's]")
@click.option(
    "--golden",
    type=click.IntRange(min=0),
    default=6,
    show_default=True,
    help="Images kept in the model to verify it; 0 for none.",
)
@SEED
@WORKERS
@NO_CACHE
@JSON
def train(
    data: Path,
    output: Path | None,
    backbone: str,
    preprocess: str | None,
    reading: Reading,
    aim: str,
    costs: Path | None,
    class_weight: str,
    label_noise: str,
    split: str,
    name: str | None,
    golden: int,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Train a classifier on DATA: a folder of class folders, CSV, JSONL, Parquet, COCO …

    Checks, splits without leaks, fits, calibrates, chooses thresholds, evaluates, writes the model and its report.
    """
    from tellapart.workflows.train import check_outside
    from tellapart.workflows.train import train as run

    output = output or Path(f"{data.resolve().name.lstrip('.').split('.')[0]}-model")
    check_outside(output, data)
    dataset = reading.dataset(data)
    with progress() as shown:
        classifier = run(
            dataset,
            output=output,
            backbone=backbone,
            store=store(),
            preprocess=preprocess,
            aim=aim,
            costs=costs,
            class_weight=class_weight,
            label_noise=label_noise,
            split=split,
            name=name,
            golden=golden,
            seed=seed,
            workers=workers,
            provider=provider(),
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
