"""`tellapart backbones pretrain`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.environment import decode_limits, store
from tellapart.cli.options import FORMAT, IMAGES, JSON, OUTSIDE, PATH, SEED, WORKERS, flag
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress

_PRESETS = ("none", "light", "standard", "strong", "colour-matters", "orientation-matters", "small-defects")


@click.command()
@click.argument("photos", type=PATH)
@click.option("--output", "-o", type=PATH, required=True, metavar="FILE.onnx", help="The backbone to write.")
@click.option("--method", type=click.Choice(["simclr", "dino"]), help="How to learn without labels.  [default: simclr]")
@click.option(
    "--backbone",
    metavar="NAME|FILE",
    help="What to begin with: builtin, timm/NAME, a timm checkpoint, a backbone pre-trained before.  [default: builtin]",
)
@click.option("--start", type=click.Choice(["pretrained", "scratch"]), help="Its weights, or fresh ones.")
@click.option("--size", type=click.IntRange(min=8), metavar="PIXELS", help="Side of the images.  [default: its own]")
@click.option("--epochs", type=click.IntRange(min=1), help="Times that every image is seen.  [default: 50]")
@click.option("--batch-size", type=click.IntRange(min=2), help="Images told apart at a time.  [default: 64]")
@click.option(
    "--augment",
    type=click.Choice(_PRESETS),
    help="What a view may change of an image.  [default: crops and strong colours, as SimCLR]",
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Any option of docs/pretraining.md.")
@FORMAT
@IMAGES
@OUTSIDE
@flag("--resume", "resume", "Go on with a run that was interrupted, from its last whole epoch.")
@flag("--restart", "restart", "Throw an interrupted run away and begin anew.")
@SEED
@WORKERS
@JSON
def pretrain(
    photos: Path,
    output: Path,
    method: str | None,
    backbone: str | None,
    start: str | None,
    size: int | None,
    epochs: int | None,
    batch_size: int | None,
    augment: str | None,
    changes: tuple[str, ...],
    data_format: str | None,
    images: Path | None,
    allow_outside: bool,
    resume: bool,
    restart: bool,
    seed: int,
    workers: int,
    as_json: bool,
) -> None:
    """Train a backbone on PHOTOS without labels (SimCLR or DINO), for `--backbone FILE.onnx` afterwards.

    It is worth its time for thousands of images unlike everyday photos; `train` tells whether it helped. The weights for
    fine-tuning lie beside FILE.onnx, curves in FILE.onnx.run.
    """
    from tellapart.data.dataset import Dataset
    from tellapart.settings.pretraining_changes import read_pretraining
    from tellapart.workflows.pretrain import checked_output
    from tellapart.workflows.pretrain import pretrain as run

    given = {
        "method": method,
        "backbone": backbone,
        "start": start,
        "size": size,
        "epochs": epochs,
        "batch_size": batch_size,
        "augmentation": {"preset": augment} if augment else None,
    }
    options = read_pretraining(given, changes)
    checked_output(output)
    with progress() as shown:
        found = run(
            Dataset.read(photos, format=data_format, images=images, allow_outside=allow_outside),
            output=output,
            options=options,
            store=store(),
            resume=resume,
            restart=restart,
            seed=seed,
            workers=workers,
            limits=decode_limits(),
            progress=shown,
            announce=note,
        )
    if as_json:
        print(pretty(found.to_json()))
        return
    for line in found.summary():
        print(plain(line))
    folder = output.with_name(f"{output.name}.run")
    note(f"\nbackbone  {output}\nweights   {output.with_suffix('.safetensors')}\ncurves    {folder / 'curves.svg'}")
