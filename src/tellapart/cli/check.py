"""`tellapart check`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, PATH, SEED, SEEING, WORKERS
from tellapart.cli.output import destination, note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading, data_fix

if TYPE_CHECKING:
    from tellapart.workflows.check_result import Checked

EXIT_FOUND = 4


@click.command()
@click.argument("data", type=PATH)
@click.option("--output", "-o", type=PATH, metavar="HTML", help="Report with pictures to write.")
@click.option(
    "--proposals",
    type=PATH,
    metavar="CSV",
    help="Proposed fixes to write, for `tellapart data fix` once you edited them.",
)
@click.option("--only", multiple=True, metavar="CHECK", help="Run this check alone, may be repeated.")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave this check out, may be repeated.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit with 4 when there is a finding as bad as this.",
)
@SEEING
@READING
@SEED
@WORKERS
@NO_CACHE
@JSON
def check(
    data: Path,
    output: Path | None,
    proposals: Path | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    fail_on: str,
    backbone: str | None,
    preprocess: str | None,
    reading: Reading,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Look for what is wrong with DATA before a model learns it: duplicates, leaks, label errors, shortcuts …

    Exit code 4 when something is as bad as --fail-on says, so that CI can stop there. Nothing is changed.
    """
    from tellapart.backbones.registry import DEFAULT_BACKBONE
    from tellapart.data.repair.fixes import refuse_earlier
    from tellapart.workflows.check import check as run

    if proposals is not None:
        refuse_earlier(proposals)
    dataset = reading.dataset(data)
    with progress() as shown:
        checked = run(
            dataset,
            only=only,
            skip=skip,
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
        shown("writing the report", 0, 0)
        files = _written(checked, data, output, proposals, workers)
    print(pretty(checked.to_json()) if as_json else "\n".join(map(plain, checked.lines())))
    for line in files:
        note(plain(line))
    if fail_on != "never" and checked.is_as_bad_as(fail_on):
        sys.stdout.flush()
        sys.exit(EXIT_FOUND)


def _written(checked: Checked, data: Path, output: Path | None, proposals: Path | None, workers: int) -> Sequence[str]:
    """Write what was asked for, and say what and where."""
    told = []
    if output is not None:
        from tellapart.workflows.check_report import render

        with destination(output) as stream:
            stream.write(render(checked, title=f"Data check: {data.resolve().name}", workers=workers))
        told.append(f"report  {output}")
    if proposals is not None:
        fixes = checked.write_fixes(proposals)
        accepted = sum(fix.accept for fix in fixes)
        told.append(
            f"fixes   {proposals}: {len(fixes):,} proposed, {accepted:,} accepted beforehand; edit the file, then"
        )
        told.append(f"        {data_fix(data, proposals)}")
    return told
