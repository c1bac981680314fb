"""What the commands that change classes share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.options import PATH, flag
from tellapart.cli.output import destination, note, plain, pretty

if TYPE_CHECKING:
    from tellapart.workflows.classes.change import Change

PREVIEW = flag("--preview", "preview", "Change nothing; show what the change would do, and to which images.")
PICTURES = click.option(
    "--pictures",
    type=PATH,
    metavar="FOLDER",
    help="Where the images lie that the model was trained on, for the pictures of report and sheet.",
)
SHEET = click.option("--sheet", type=PATH, metavar="HTML", help="Page with pictures of answers that change to write.")
MIN_IMAGES = click.option(
    "--min-images",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Images that a new class needs, near-duplicates counted as one.",
)


def shown(change: Change, *, as_json: bool, sheet: Path | None = None, pictures: Path | None = None) -> None:
    """Print a change, and write its sheet where one is asked for."""
    from tellapart.workflows.classes.wording import lines_of

    if sheet is not None:
        from tellapart.workflows.classes.sheet import sheet as page

        with destination(sheet) as stream:
            stream.write(page(change, pictures=pictures))
    if as_json:
        print(pretty(change.to_json()))
        return
    print("\n".join(map(plain, lines_of(change))))
    if sheet is not None:
        note(f"\nsheet   {sheet}")
    if change.preview:
        note("\nrun it again without --preview to make the change")
    else:
        note(
            f"\nmodel   {change.model} is now {change.model_id}; `tellapart classes undo {change.model}` takes it back"
        )
