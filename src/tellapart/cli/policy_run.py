"""`tellapart policy run`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.options import JSON, PATH, flag
from tellapart.cli.output import destination, note, one_line
from tellapart.cli.progress import progress

if TYPE_CHECKING:
    from tellapart.records import Refusal
    from tellapart.workflows.policy_run import PolicyRun

POLICY = click.argument("policy", type=PATH)
RECORDING = click.argument("recording", type=PATH)
FPS = click.option(
    "--fps",
    type=float,
    default=1.0,
    show_default=True,
    metavar="RATE",
    help="Images per second of a recording without times, such as what `predict --json` writes.",
)
INPUTS = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="INPUT=NAME",
    callback=lambda _context, _option, given: _named(given),
    help="What an input of the policy was called when it was recorded, such as left=gate/left; may be repeated.",
)
_SHOWN = 10


def _named(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for name, _, recorded in pairs:
        if not name or not recorded:
            raise click.BadParameter("an input and its name are written INPUT=NAME, such as left=gate/left")
    return {name: recorded for name, _, recorded in pairs}


@click.command()
@POLICY
@RECORDING
@click.option("--truth", type=PATH, metavar="FILE", help="Labelled episodes, shown above the decisions.")
@flag("--all", "every", "The decision for every image, not only changes and ends of episodes.")
@FPS
@INPUTS
@click.option("--output", "-o", type=PATH, metavar="FILE", help="Write to FILE.  [default: stdout]")
@flag("--json", "as_json", "Print each decision as a line of JSON.")
def run(
    policy: Path,
    recording: Path,
    truth: Path | None,
    every: bool,
    fps: float,
    inputs: dict[str, str],
    output: Path | None,
    as_json: bool,
) -> None:
    """Say what POLICY decides over RECORDING: recorded observations, or what `predict --json` wrote."""
    from tellapart.cli.policy_timeline import timeline
    from tellapart.workflows.policy_run import run_policy

    with progress() as shown:
        found = run_policy(policy, recording, truth=truth, fps=fps, inputs=inputs, progress=shown)
    told = (
        _json(found, every)
        if as_json
        else timeline(found, every=every, width=shutil.get_terminal_size((100, 24)).columns)
    )
    coloured = output is None and sys.stdout.isatty()
    with destination(output) as stream:
        for line in told:
            stream.write((line if coloured else click.unstyle(line)) + "\n")
    tell_refusals(found.refusals, found.n_foreign)


def tell_refusals(refusals: Sequence[Refusal], n_foreign: int) -> None:
    """Say on stderr what of a recording was not used."""
    for one in refusals[:_SHOWN]:
        note(one.sentence)
    if len(refusals) > _SHOWN:
        note(f"… and {len(refusals) - _SHOWN:,} more")
    if refusals:
        note(f"{len(refusals):,} lines were refused")
    if n_foreign:
        note(f"{n_foreign:,} observations of inputs that the policy does not have were left out")


def _json(found: PolicyRun, every: bool) -> Iterator[str]:
    for sequence, decisions in found.decisions.items():
        for one in decisions if every else found.changes(sequence):
            yield one_line(one.to_json())


__all__ = ["FPS", "INPUTS", "JSON", "POLICY", "RECORDING", "run", "tell_refusals"]
