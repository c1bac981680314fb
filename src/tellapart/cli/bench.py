"""`tellapart backbones bench`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, PATH, SEED, SPLIT, WORKERS, flag
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading


@click.command()
@click.argument("data", type=PATH)
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    metavar="NAME|FILE",
    help="A candidate, may be repeated.  [default: all that are there without a network]",
)
@click.option(
    "--size",
    "sizes",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="PX",
    help="Try every backbone at this image size, may be repeated.  [default: its own]",
)
@click.option(
    "--preprocess",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="Try every backbone with this preprocess string, may be repeated.",
)
@click.option("--output", "-o", type=PATH, metavar="HTML", help="Report to write.  [default: DATA-bench.html]")
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    help="Most images that take part, drawn by label and split with groups whole; 0 for all.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Time for measuring the speed of each candidate.",
)
@flag("--threads", "threads", "Compare numbers of threads and batch sizes as well.")
@READING
@SPLIT
@SEED
@WORKERS
@NO_CACHE
@JSON
def bench(
    data: Path,
    backbones: tuple[str, ...],
    sizes: tuple[int, ...],
    specs: tuple[str, ...],
    output: Path | None,
    sample: int,
    seconds: float,
    threads: bool,
    reading: Reading,
    split: str,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Compare backbones on DATA: score with interval, milliseconds, megabytes, as a table and a picture.

    All see the same images, split and folds; a candidate that fails is listed with its reason. The best is recommended,
    or one that is clearly faster and not worse beyond chance.
    """
    from tellapart.workflows.bench import BenchOptions, check_report, offline_backbones, write
    from tellapart.workflows.bench import bench as run
    from tellapart.workflows.bench_result import lines
    from tellapart.workflows.candidates import candidates

    output = output or Path(f"{data.resolve().name.lstrip('.').split('.')[0]}-bench.html")
    check_report(output)
    asked = candidates(backbones or offline_backbones(store()), sizes_px=sizes, preprocess=specs)
    dataset = reading.dataset(data)
    options = BenchOptions(
        images=sample,
        seconds=seconds,
        threads=threads,
        split=split,
        seed=seed,
        workers=workers,
        provider=provider(),
        cache_dir=None if no_cache else cache_dir(),
        limits=decode_limits(),
        store=store(),
        announce=note,
    )
    with progress() as shown:
        found = run(dataset, backbones=asked, options=options, progress=shown)
    # Printed first: a disk that is full by now must not cost the comparison.
    if as_json:
        print(pretty(found.to_json()), flush=True)
    else:
        print("\n".join(map(plain, [*found.notes(), "", *lines(found), "", *found.verdict])), flush=True)
    write(found, output)
    if not as_json:
        note(f"\nreport  {output}")
