"""`tellapart policy evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.options import JSON, PATH, SEED
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.policy_run import FPS, INPUTS, POLICY, RECORDING, tell_refusals
from tellapart.cli.progress import progress


@click.command()
@POLICY
@RECORDING
@click.argument("truth", type=PATH)
@click.option("--output", "-o", type=PATH, metavar="FILE", help="Write a page with timelines, matrix and figures.")
@click.option(
    "--compare", "others", type=PATH, multiple=True, metavar="POLICY", help="Another policy; may be repeated."
)
@click.option(
    "--rest", metavar="STATE", help="What is true where nothing is labelled.  [default: outside, else the fallback]"
)
@click.option(
    "--late",
    "late_s",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long after a true episode its state still counts as found.",
)
@FPS
@INPUTS
@SEED
@JSON
def evaluate(
    policy: Path,
    recording: Path,
    truth: Path,
    output: Path | None,
    others: tuple[Path, ...],
    rest: str | None,
    late_s: float,
    fps: float,
    inputs: dict[str, str],
    seed: int,
    as_json: bool,
) -> None:
    """Judge POLICY on RECORDING by TRUTH: episodes found, missed and false, delays, flicker and costs, with intervals."""
    from tellapart.workflows.policy_judged import judge_policies

    with progress() as shown:
        found = judge_policies(
            policy,
            recording,
            truth,
            others=others,
            rest=rest,
            late_s=late_s,
            fps=fps,
            inputs=inputs,
            seed=seed,
            output=output,
            progress=shown,
        )
    print(pretty(found.to_json()) if as_json else "\n".join(map(plain, found.lines())))
    for line in found.notes:
        note(line)
    tell_refusals(found.refusals, found.n_foreign)
