"""`tellapart index search` and `tellapart index duplicates`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.environment import decode_limits, provider, store
from tellapart.cli.options import JSON, PATH, WORKERS, flag
from tellapart.cli.output import destination, note, plain, pretty
from tellapart.cli.progress import progress

INDEX = click.argument("index", type=PATH)
WHERE = click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Such as split=train, label=frog,toad or width>=100; may be repeated, all must hold.",
)
HTML = click.option("--html", type=PATH, metavar="FILE", help="Page with pictures to write.")
IMAGES = click.option(
    "--images", type=PATH, metavar="FOLDER", help="Where the uris of the index start.  [default: where they did]"
)


@click.command()
@INDEX
@click.argument("queries", nargs=-1, type=PATH, metavar="[IMAGE]...")
@click.option("--vector", "vectors", type=PATH, metavar="FILE", help="Look for vectors: .npy or .parquet.")
@click.option("--like", multiple=True, metavar="ID|URI", help="Look for what is like this row; may be repeated.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many to find for each query.")
@WHERE
@flag("--not-itself", "not_itself", "Leave out rows of the query's own id.")
@click.option("--model", metavar="MODEL|BACKBONE", help="Where that lies by which the index was made.")
@HTML
@IMAGES
@WORKERS
@JSON
def search(
    index: Path,
    queries: tuple[Path, ...],
    vectors: Path | None,
    like: tuple[str, ...],
    k: int,
    where: tuple[str, ...],
    not_itself: bool,
    model: str | None,
    html: Path | None,
    images: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """Find the rows of INDEX that are most similar to images (files and folders), vectors or other rows.

    Similarity is the cosine of two vectors: 1 for the same image, 0 for nothing in common.
    """
    from tellapart.index.index import Index
    from tellapart.workflows.index_search import search as run

    opened = Index.open(index)
    with progress() as shown:
        found = run(
            opened,
            queries,
            vectors=vectors,
            like=like,
            k=k,
            where=where,
            not_itself=not_itself,
            model=model,
            store=store(),
            workers=workers,
            provider=provider(),
            limits=decode_limits(),
            progress=shown,
        )
    print(pretty(found.to_json()) if as_json else "\n".join(map(plain, found.lines())))
    if html is not None:
        from tellapart.workflows.index_page import render

        page = render(opened, found, title=f"Similar pictures: {index.resolve().name}", images=images, workers=workers)
        _write(html, page)


@click.command()
@INDEX
@click.option(
    "--above",
    type=float,
    default=0.98,
    show_default=True,
    metavar="SIMILARITY",
    help="How alike two rows must be.",
)
@WHERE
@HTML
@IMAGES
@WORKERS
@JSON
def duplicates(
    index: Path,
    above: float,
    where: tuple[str, ...],
    html: Path | None,
    images: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """List groups of rows of INDEX that are nearly alike."""
    from tellapart.index.index import Index
    from tellapart.workflows.index_search import find_duplicates

    opened = Index.open(index)
    with progress() as shown:
        found = find_duplicates(opened, above, where=where, progress=shown)
    print(pretty(found.to_json()) if as_json else "\n".join(map(plain, found.lines())))
    if html is not None:
        from tellapart.workflows.index_page import render_groups

        title = f"Near-duplicates: {index.resolve().name}"
        _write(html, render_groups(opened, found, title=title, images=images, workers=workers))


def _write(path: Path, page: str) -> None:
    with destination(path) as stream:
        stream.write(page)
    note(plain(f"page      {path}"))
