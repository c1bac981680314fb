"""`tellapart demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tellapart.cli.environment import cache_dir, decode_limits
from tellapart.cli.options import SeedOption, VariantOption
from tellapart.cli.output import plain
from tellapart.cli.progress import progress


def demo(
    folder: Annotated[Path, typer.Argument(help="New folder for the demo.")] = Path("tellapart-demo"),
    variant: VariantOption = "multiclass",
    seed: SeedOption = 0,
) -> None:
    """The whole loop on a generated bottling line, in under a minute: photos, training, report, answers, proof."""
    from tellapart.workflows.demo import demo as run

    with progress() as shown:
        for line in run(
            folder, variant=variant, seed=seed, cache_dir=cache_dir(), limits=decode_limits(), progress=shown
        ):
            print(plain(line), flush=True)
