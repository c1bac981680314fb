"""`tellapart classes`: classes that change on a live model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.classes_data import add, consolidate, split, translate
from tellapart.cli.classes_options import PICTURES, PREVIEW, SHEET, shown
from tellapart.cli.classes_propose import propose
from tellapart.cli.environment import decode_limits, provider
from tellapart.cli.options import JSON, MODEL
from tellapart.cli.output import plain, pretty
from tellapart.cli.progress import progress

if TYPE_CHECKING:
    from tellapart.workflows.classes.listing import Changes, Classes


@click.group()
def classes() -> None:
    """Change the classes of a live model: each change is a new version of it, and can be looked at first and undone.

    All but `rename`, `list` and `history` take a model that was trained with `--method dynamic`.
    """


classes.add_command(add)
classes.add_command(propose)
classes.add_command(split)
classes.add_command(consolidate)
classes.add_command(translate)


@classes.command()
@MODEL
@click.argument("old")
@click.argument("new")
@PREVIEW
@PICTURES
@JSON
def rename(model: Path, old: str, new: str, preview: bool, pictures: Path | None, as_json: bool) -> None:
    """Call the class OLD by the name NEW. No answer changes; any kind of model can do it."""
    from tellapart.workflows.classes.rename import rename_class

    change = rename_class(
        model, old, new, preview=preview, pictures=pictures, provider=provider(), limits=decode_limits()
    )
    shown(change, as_json=as_json)


@classes.command()
@MODEL
@click.argument("names", nargs=-1, required=True, metavar="CLASS…")
@click.option("--into", required=True, metavar="NAME", help="What the one class is called; may be one of theirs.")
@PREVIEW
@PICTURES
@SHEET
@JSON
def merge(
    model: Path,
    names: tuple[str, ...],
    into: str,
    preview: bool,
    pictures: Path | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Make one class of two or more."""
    from tellapart.workflows.classes.merge import merge_classes

    with progress() as seen:
        change = merge_classes(
            model,
            names,
            into,
            preview=preview,
            pictures=pictures,
            provider=provider(),
            limits=decode_limits(),
            progress=seen,
        )
    shown(change, as_json=as_json, sheet=sheet, pictures=pictures)


@classes.command()
@MODEL
@click.argument("name")
@PREVIEW
@PICTURES
@SHEET
@JSON
def retire(model: Path, name: str, preview: bool, pictures: Path | None, sheet: Path | None, as_json: bool) -> None:
    """Take a class out of the model. Its images are answered with another class or "unknown" from then on."""
    from tellapart.workflows.classes.retire import retire_class

    with progress() as seen:
        change = retire_class(
            model,
            name,
            preview=preview,
            pictures=pictures,
            provider=provider(),
            limits=decode_limits(),
            progress=seen,
        )
    shown(change, as_json=as_json, sheet=sheet, pictures=pictures)


@classes.command()
@MODEL
@click.option("--to", type=int, metavar="VERSION", help="The version to bring back.  [default: before the last change]")
@PREVIEW
@PICTURES
@SHEET
@JSON
def undo(model: Path, to: int | None, preview: bool, pictures: Path | None, sheet: Path | None, as_json: bool) -> None:
    """Bring an earlier version of the classes back: the same answers under the same model id, as a new version."""
    from tellapart.workflows.classes.undo import undo_change

    change = undo_change(model, to=to, preview=preview, provider=provider(), limits=decode_limits())
    shown(change, as_json=as_json, sheet=sheet, pictures=pictures)


@classes.command("list")
@MODEL
@JSON
def list_(model: Path, as_json: bool) -> None:
    """List the classes: id, images, since which version, recall and precision on held-out images."""
    from tellapart.workflows.classes.listing import list_classes

    _print(list_classes(model), as_json=as_json)


@classes.command()
@MODEL
@JSON
def history(model: Path, as_json: bool) -> None:
    """List all versions of the classes, and which of them `undo` can bring back."""
    from tellapart.workflows.classes.listing import class_history

    _print(class_history(model), as_json=as_json)


def _print(found: Classes | Changes, *, as_json: bool) -> None:
    print(pretty(found.to_json()) if as_json else "\n".join(map(plain, found.lines())))
