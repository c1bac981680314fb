"""`tellapart index build|add|remove|search|duplicates|show|verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.index_search import INDEX, WHERE, duplicates, search
from tellapart.cli.options import JSON, NO_CACHE, OVERWRITE, PATH, WORKERS, Headed, flag, headed
from tellapart.cli.output import plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading
from tellapart.errors import DataError, Reason

if TYPE_CHECKING:
    from tellapart.data.dataset import Dataset
    from tellapart.index.vectors import Vectors
    from tellapart.workflows.index_result import Changed


@click.group()
def index() -> None:
    """Find similar pictures: an index of vectors in a folder of its own."""


index.add_command(search)
index.add_command(duplicates)


@index.command(cls=Headed)
@INDEX
@click.argument("data", type=PATH)
@click.option(
    "--from",
    "source",
    metavar="MODEL|BACKBONE",
    help="DATA holds images; this makes vectors of them.  [default: DATA is a file of vectors]",
)
@click.option(
    "--kind",
    default="auto",
    show_default=True,
    metavar="KIND",
    help="auto, flat (exact), hnsw or ivfpq; auto is flat up to 100,000 vectors.",
)
@click.option(
    "--recall",
    type=float,
    default=0.95,
    show_default=True,
    metavar="SHARE",
    help="Of the ten nearest, how many an approximate kind must find.",
)
@OVERWRITE
@click.option("--size", type=int, metavar="PX", help="Side of the image that a backbone sees.")
@click.option("--preprocess", metavar="SPEC", help="How a backbone sees images, such as 'decode|upright|fit(224)'.")
@click.option(
    "--projection", type=PATH, metavar="FILE", help="That of the vectors, which `embed --save-projection` wrote."
)
@headed("Data", READING)
@headed("The run", WORKERS, NO_CACHE, JSON)
def build(
    index: Path,
    data: Path,
    source: str | None,
    kind: str,
    recall: float,
    overwrite: bool,
    size: int | None,
    preprocess: str | None,
    projection: Path | None,
    reading: Reading,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Build INDEX, a new folder, of DATA: a file of vectors that `embed` wrote, or with --from images.

    A kill or a full disk leaves nothing behind that is taken for an index.
    """
    from tellapart.workflows.index import build_index as run

    given: Any = data if source is None else reading.dataset(data)
    with progress() as shown:
        changed = run(
            index,
            given,
            source=source,
            kind=kind,
            recall=recall,
            overwrite=overwrite,
            size=size,
            preprocess=preprocess,
            projection=projection,
            store=store(),
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    _tell(changed, as_json)


@index.command(cls=Headed)
@INDEX
@click.argument("data", type=PATH)
@click.option("--from", "source", metavar="MODEL|BACKBONE", help="Where that lies by which the index was made.")
@headed("Data", READING)
@headed("The run", WORKERS, NO_CACHE, JSON)
def add(
    index: Path,
    data: Path,
    source: str | None,
    reading: Reading,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Add DATA to INDEX: a file of vectors, or images, embedded by what the index was made with.

    A row of the same id, uri and region takes the place of the one that is there. What is there already stays as it is.
    """
    from tellapart.workflows.index import add as run

    with progress() as shown:
        changed = run(
            index,
            _vectors_or_images(data, reading),
            source=source,
            store=store(),
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    _tell(changed, as_json)


@index.command()
@INDEX
@click.argument("names", nargs=-1, metavar="[ID|URI]...")
@click.option("--list", "listed", type=PATH, metavar="FILE", help="A file with an id or uri in each line.")
@WHERE
@flag("--missing-ok", "missing_ok", "Names that no row has are no error.")
@JSON
def remove(
    index: Path, names: tuple[str, ...], listed: Path | None, where: tuple[str, ...], missing_ok: bool, as_json: bool
) -> None:
    """Remove rows from INDEX: by id or uri, by a list of them, by conditions. The images themselves stay."""
    from tellapart.workflows.index import remove as run

    asked = [*names, *([] if listed is None else _lines_of(listed))]
    with progress() as shown:
        changed = run(index, asked, where=where, missing_ok=missing_ok, progress=shown)
    _tell(changed, as_json)


@index.command()
@INDEX
@JSON
def show(index: Path, as_json: bool) -> None:
    """Say what INDEX holds, by what it was made, and how much its search finds."""
    from tellapart.workflows.index import describe
    from tellapart.workflows.index_result import segment_lines

    found = describe(index)
    if as_json:
        print(pretty(found))
        return
    space = found["space"]
    made = f"by {space['backbone']} on {space['preprocess']}" if space["backbone"] else "from vectors of unknown origin"
    lines = [
        f"index     {index}: {found['rows']:,} rows, generation {found['generation']}, {found['bytes'] / 1e6:,.1f} MB",
        f"vectors   {space['dim']:,} numbers each, {made}",
        *(f"{name:<9} {place}" for name, place in found["source"].items()),
        f"columns   {', '.join(found['columns'])}",
        *segment_lines(found["segments"]),
        *([f"removed   {found['removed']:,} rows wait in the segments to be left out"] if found["removed"] else []),
    ]
    print("\n".join(map(plain, lines)))


@index.command()
@INDEX
@JSON
def verify(index: Path, as_json: bool) -> None:
    """Read every byte of INDEX and compare it with what was written."""
    from tellapart.workflows.index import verify_index

    with progress() as shown:
        n = verify_index(index, progress=shown)
    print(pretty({"index": str(index), "files": n, "whole": True}) if as_json else f"{n} files, all as written")


def _vectors_or_images(data: Path, reading: Reading) -> Vectors | Dataset:
    from tellapart.index.vectors import Vectors
    from tellapart.workflows.index_queries import is_vectors

    return Vectors.read(data) if is_vectors(data) else reading.dataset(data)


def _lines_of(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as exc:
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file {path}") from exc
    except OSError as exc:
        raise DataError(Reason.READ_FAILED, f"{path} could not be read: {exc.strerror or exc}") from exc
    return [line for line in text.splitlines() if line.strip()]


def _tell(changed: Changed, as_json: bool) -> None:
    print(pretty(changed.to_json()) if as_json else "\n".join(map(plain, changed.lines())))
