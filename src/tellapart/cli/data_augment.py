"""`tellapart data augment`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, PATH, SEED, SEEING, WORKERS, flag
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading
from tellapart.cli.recipe_options import PRESETS
from tellapart.errors import DataError, Reason
from tellapart.files import replacing

if TYPE_CHECKING:
    from tellapart.settings.recipe import Recipe


@click.command()
@click.argument("data", type=PATH)
@click.option("--preset", type=click.Choice(PRESETS), help="Augmentation to look at.  [default: that of train]")
@click.option("--recipe", metavar="NAME|FILE", help="Look at the augmentation of this recipe.")
@click.option(
    "--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a field, such as hue=0.1; may be repeated."
)
@click.option("--output", "-o", type=PATH, metavar="PNG", help="Contact sheet to write: what the network will see.")
@flag("--no-check", "unchecked", "Do not measure whether the labels survive.")
@SEEING
@READING
@SEED
@WORKERS
@NO_CACHE
@JSON
def augment(
    data: Path,
    preset: str | None,
    recipe: str | None,
    changes: tuple[str, ...],
    output: Path | None,
    unchecked: bool,
    backbone: str | None,
    preprocess: str | None,
    reading: Reading,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Show what augmentation does to images, and whether their labels survive it.

    Presets: docs/augmentation.md. The measurement looks at up to 500 images in six forms. Nothing is changed.
    """
    from tellapart.backbones.registry import DEFAULT_BACKBONE
    from tellapart.workflows.augment import augment as run

    asked = _recipe(preset, recipe, changes)
    dataset = reading.dataset(data)
    with progress() as shown:
        augmented = run(
            dataset,
            asked.finetune.augmentation,
            measure=not unchecked,
            backbone=backbone or DEFAULT_BACKBONE,
            store=store(),
            preprocess=preprocess or asked.preprocess,
            size=asked.size,
            seed=seed,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    if output is not None:
        _write(augmented.sheet, output)
    print(pretty(augmented.to_json()) if as_json else "\n".join(map(plain, augmented.lines())))
    if output is not None:
        note(plain(f"sheet   {output}"))


def _recipe(preset: str | None, named: str | None, changes: tuple[str, ...]) -> Recipe:
    """Augmentation belongs to fine-tuning: that is meant where no recipe says otherwise."""
    from tellapart.settings.given import Given, together
    from tellapart.settings.recipe_file import read_recipe

    options = [] if named else [Given.one(("method",), "finetune", "")]
    options += [Given.one(("finetune", "augmentation", "preset"), preset, "--preset")] if preset else []
    return read_recipe(named, options=together(options), changes=changes)


def _write(picture: bytes, path: Path) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(picture)
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc
