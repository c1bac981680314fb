"""`tellapart policy check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.check import EXIT_FOUND
from tellapart.cli.options import JSON, PATH
from tellapart.cli.output import plain, pretty

if TYPE_CHECKING:
    from tellapart.workflows.policy_check import PolicyCheck


@click.command()
@click.argument("policies", type=PATH, nargs=-1, required=True, metavar="POLICY…")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="[INPUT=]MODEL",
    help="Model behind all inputs, or behind one: its labels are those that rules may name.  (several times)",
)
@JSON
@click.pass_context
def check(ctx: click.Context, policies: tuple[Path, ...], models: tuple[str, ...], as_json: bool) -> None:
    """Look for faults in policies, and show what each decides at its edges: at every threshold and count, on ties, on nothing.

    Ends with 4 where a policy has a fault.
    """
    from tellapart.workflows.policy_check import check_policy

    found = [check_policy(path, models=_models(models)) for path in policies]
    if as_json:
        print(pretty([one.to_json() for one in found]))
    else:
        print("\n\n".join("\n".join(map(plain, _lines(one))) for one in found))
    ctx.exit(0 if all(one.ok for one in found) else EXIT_FOUND)


def _models(given: Sequence[str]) -> dict[str, str] | str | None:
    """One for all, or by input."""
    if not given:
        return None
    named = [one.partition("=") for one in given]
    if len(given) == 1 and not named[0][1]:
        return given[0]
    if any(not sign for _, sign, _ in named):
        raise click.UsageError("--model is given once for all inputs, or as INPUT=MODEL for each")
    return {name: path for name, _, path in named}


def _lines(found: PolicyCheck) -> Iterator[str]:
    faults = "no fault" if found.ok else f"{len(found.faults)} fault{'s' if len(found.faults) > 1 else ''}"
    yield f"{found.policy}{f' ({found.identity})' if found.identity else ''}: {faults}"
    yield from (f"  fault: {one}" for one in found.faults)
    tracks = {one.track for one in found.edges}
    width = max((len(one.shown) for one in found.edges), default=0)
    states = max((len(one.state) for one in found.edges), default=0)
    for (track, about), cases in groupby(found.edges, key=lambda one: (one.track, one.about)):
        yield f"  {track + ': ' if len(tracks) > 1 else ''}{about}"
        for one in cases:
            yield f"    {one.shown:{width}}  {one.state or '-':{states}}  {one.rule}".rstrip()
