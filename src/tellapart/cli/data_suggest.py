"""`tellapart data suggest`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, PATH, POOL, SEED, SEEING, WORKERS
from tellapart.cli.output import destination, note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading, data_fix

if TYPE_CHECKING:
    from tellapart.workflows.suggest_result import Suggested


@click.command()
@click.argument("data", type=PATH)
@POOL
@click.option(
    "--next", "n", type=click.IntRange(min=0), default=20, show_default=True, help="How many images to label next."
)
@click.option(
    "--precision",
    type=float,
    metavar="SHARE",
    help="Accept proposed labels of which this share is right, such as 0.98.  [default: accept none]",
)
@click.option("--hunt", metavar="LABEL", help="Choose what is likeliest to be LABEL, to find more of it.")
@click.option(
    "--out", "-o", type=PATH, metavar="CSV", help="List to write, for `tellapart data fix` once you edited it."
)
@click.option("--report", type=PATH, metavar="HTML", help="Page with pictures to write.")
@SEEING
@READING
@SEED
@WORKERS
@NO_CACHE
@JSON
def suggest(
    data: Path,
    pool: Path | None,
    n: int,
    precision: float | None,
    hunt: str | None,
    out: Path | None,
    report: Path | None,
    backbone: str | None,
    preprocess: str | None,
    reading: Reading,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Propose labels for unlabelled images, and say which to label next.

    They are those of DATA that have no label, and all of --pool. No label at all is needed to begin. Nothing is changed.
    """
    from tellapart.backbones.registry import DEFAULT_BACKBONE
    from tellapart.data.repair.fixes import refuse_earlier
    from tellapart.workflows.suggest import suggest as run

    if out is not None:
        refuse_earlier(out)
    dataset = reading.dataset(data)
    with progress() as shown:
        suggested = run(
            dataset,
            pool=pool,
            n=n,
            precision=precision,
            hunt=hunt,
            backbone=backbone or DEFAULT_BACKBONE,
            store=store(),
            preprocess=preprocess,
            seed=seed,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
        shown("writing the results", 0, 0)
        files = _written(suggested, data, pool, out, report, workers)
    print(pretty(suggested.to_json()) if as_json else "\n".join(map(plain, suggested.lines())))
    for line in files:
        note(plain(line))


def _written(
    suggested: Suggested, data: Path, pool: Path | None, out: Path | None, report: Path | None, workers: int
) -> Sequence[str]:
    """Write what was asked for, and say what, where, and what comes next."""
    told = []
    if report is not None:
        from tellapart.workflows.suggest_report import render

        with destination(report) as stream:
            stream.write(render(suggested, title=f"Suggestions: {data.resolve().name}", workers=workers))
        told.append(f"report  {report}")
    if out is not None:
        fixes = suggested.write_fixes(out)
        beside = [] if pool is None else [f"--pool {quote(str(pool))}"]
        beside += ["--new-labels"] if suggested.dataset.schema is None else []
        told.append(
            f"list    {out}: {len(fixes):,} images, {sum(fix.accept for fix in fixes):,} accepted; edit it, then"
        )
        told.append(f"        {data_fix(data, out, *beside)}")
    return told
