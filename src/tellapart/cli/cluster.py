"""`tellapart cluster`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, PATH, SEED, SEEING, WORKERS, Headed, headed
from tellapart.cli.output import destination, note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading
from tellapart.errors import Reason, SettingsError

if TYPE_CHECKING:
    from tellapart.clusters.find import Method
    from tellapart.clusters.layout import Layout
    from tellapart.data.dataset import Dataset
    from tellapart.workflows.cluster_result import Clustered
    from tellapart.workflows.progress import Progress


@click.command(cls=Headed)
@click.argument("source", type=PATH)
@click.option("--output", "-o", type=PATH, metavar="HTML", help="Map to write.  [default: SOURCE-map.html]")
@click.option("--csv", "csv_file", type=PATH, metavar="CSV", help="List of all images with their clusters to write.")
@headed(
    "What looks at the images",
    click.option("--model", type=PATH, help="A model, whose answers and mistakes the map then shows."),
    SEEING,
)
@headed(
    "Clusters and map",
    click.option(
        "--method",
        type=click.Choice(["auto", "kmeans", "hdbscan"]),
        default="auto",
        show_default=True,
        help="hdbscan leaves out what is like nothing else; auto takes the one that separates better.",
    ),
    click.option(
        "--k", type=click.IntRange(min=1), metavar="N", help="So many clusters, by kmeans.  [default: found out]"
    ),
    click.option(
        "--min-size",
        type=click.IntRange(min=2),
        metavar="N",
        help="So many different images make a cluster of hdbscan.  [default: by their number]",
    ),
    click.option(
        "--layout",
        type=click.Choice(["auto", "tsne", "umap", "pca", "none"]),
        default="auto",
        show_default=True,
        help="How the map is laid out; none writes no map.",
    ),
    SEED,
)
@headed("Data", READING)
@headed("The run", WORKERS, NO_CACHE, JSON)
def cluster(
    source: Path,
    output: Path | None,
    csv_file: Path | None,
    model: Path | None,
    backbone: str | None,
    preprocess: str | None,
    method: Method,
    k: int | None,
    min_size: int | None,
    layout: str,
    seed: int,
    reading: Reading,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Put the images of SOURCE into groups that look alike, and draw them as a map to look at in a browser.

    SOURCE is a file of vectors (`tellapart embed`), or data as `train` takes it, labelled or not. On the map images can be
    searched, selected and noted for relabelling. Nothing is changed.
    """
    from tellapart.workflows.cluster import cluster as run

    if output is not None and layout == "none":
        told = "a map needs a layout: leave out --output, or name another layout than none"
        raise SettingsError(Reason.BAD_SETTING, told)
    drawn: Layout | None = None if layout == "none" else layout  # type: ignore[assignment]
    with progress() as shown:
        clustered = run(
            _opened(source, reading),
            model=model,
            backbone=backbone,
            preprocess=preprocess,
            method=method,
            k=k,
            min_size=min_size,
            layout=drawn,
            images=reading.asked["images"],
            seed=seed,
            store=store(),
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
        files = _written(clustered, source, output, csv_file, workers, shown)
    print(pretty(clustered.to_json()) if as_json else "\n".join(map(plain, clustered.lines())))
    for line in files:
        note(line)


def _opened(source: Path, reading: Reading) -> Dataset | Path:
    """A file of vectors as it is, anything else as data that is read as asked."""
    from tellapart.workflows.cluster_source import holds_vectors

    if not holds_vectors(source):
        return reading.dataset(source)
    context = click.get_current_context()
    given = [option for option in context.command.params if option.name in reading.asked and option.name != "images"]
    asked = [
        one.opts[0] for one in given if context.get_parameter_source(one.name or "") is ParameterSource.COMMANDLINE
    ]
    if asked:
        told = f"{source} holds vectors, which are read in one way only: leave out {', '.join(asked)}"
        raise SettingsError(Reason.BAD_SETTING, told)
    return source


def _written(
    clustered: Clustered, source: Path, output: Path | None, csv_file: Path | None, workers: int, shown: Progress
) -> Sequence[str]:
    """Write what was asked for, and say where."""
    from tellapart.data.hygiene.wording import count
    from tellapart.workflows.cluster_map.page import render

    told = []
    name = source.resolve().name.lstrip(".").split(".")[0]
    if clustered.map is not None:
        output = output or Path(f"{name}-map.html")
        html = render(clustered, title=f"Clusters: {source.resolve().name}", workers=workers, progress=shown)
        with destination(output) as stream:
            stream.write(html)
        told.append(f"map     {output}")
    if csv_file is not None:
        clustered.write_csv(csv_file)
        told.append(f"list    {csv_file}: {count(len(clustered.dataset), 'image')}")
    return told
