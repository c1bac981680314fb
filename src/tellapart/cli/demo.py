"""`tellapart demo`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.environment import cache_dir, decode_limits
from tellapart.cli.options import PATH, SEED, VARIANT
from tellapart.cli.output import plain
from tellapart.cli.progress import progress


@click.command()
@click.argument("folder", type=PATH, default="tellapart-demo")
@VARIANT
@SEED
def demo(folder: Path, variant: str, seed: int) -> None:
    """The whole loop on a generated bottling line, in under a minute: photos, training, report, answers, proof."""
    from tellapart.workflows.demo import demo as run

    with progress() as shown:
        for line in run(
            folder, variant=variant, seed=seed, cache_dir=cache_dir(), limits=decode_limits(), progress=shown
        ):
            print(plain(line), flush=True)
