"""`tellapart classes propose`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider
from tellapart.cli.options import JSON, MODEL, NO_CACHE, PATH, SEED, WORKERS, flag
from tellapart.cli.output import destination, note, plain, pretty
from tellapart.cli.progress import progress

if TYPE_CHECKING:
    from tellapart.workflows.propose_result import Proposed


@click.command()
@MODEL
@click.argument("images", nargs=-1, required=True, type=PATH, metavar="IMAGES…")
@click.option("--output", "-o", type=PATH, metavar="HTML", help="Page with a contact sheet of each proposal to write.")
@click.option(
    "--csv", "list_", type=PATH, metavar="CSV", help="List to write: name the classes there, for `classes add`."
)
@click.option(
    "--min-images",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Images that make a proposal, near-duplicates counted as one.",
)
@click.option(
    "--score",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Collect images whose score of strangeness is this or more; 1 is the model's threshold.",
)
@flag("--unsure", "unsure", "Collect images that get no answer as well.")
@SEED
@WORKERS
@NO_CACHE
@JSON
def propose(
    model: Path,
    images: tuple[Path, ...],
    output: Path | None,
    list_: Path | None,
    min_images: int,
    score: float,
    unsure: bool,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Propose new classes from what MODEL does not know among IMAGES, files or folders of them. MODEL stays as it is.

    Unknown images are put together by likeness. Name the proposals in the list, and give it to `classes add`.
    """
    from tellapart.workflows.propose import propose_classes

    with progress() as seen:
        proposed = propose_classes(
            model,
            images,
            min_images=min_images,
            score=score,
            unsure=unsure,
            seed=seed,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=seen,
        )
        seen("writing the results", 0, 0)
        files = _written(proposed, model, output, list_, workers)
    print(pretty(proposed.to_json()) if as_json else "\n".join(map(plain, proposed.lines())))
    for line in files:
        note(line)


def _written(proposed: Proposed, model: Path, output: Path | None, list_: Path | None, workers: int) -> list[str]:
    """Write what was asked for, and say what, where, and what comes next."""
    told = []
    if output is not None:
        from tellapart.workflows.propose_report import render

        with destination(output) as stream:
            stream.write(render(proposed, title=f"Proposed classes: {model.resolve().name}", workers=workers))
        told.append(f"page       {output}")
    if list_ is not None and not proposed.proposals:
        there = ": the file that is there is of another run" if list_.exists() else ""
        told.append(f"list       {list_} was not written, there is nothing to name{there}")
    if list_ is not None and proposed.proposals:
        root = proposed.write_csv(list_)
        beside = "" if root == list_.absolute().parent else f" --images {quote(str(root))}"
        told.append(f"list       {list_}: name the classes, empty what does not belong, then")
        told.append(f"           tellapart classes add {quote(str(model))} {quote(str(list_))}{beside}")
    return told
