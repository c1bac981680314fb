"""`tellapart policy tune`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.options import JSON, PATH, SEED, Headed, flag, headed
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.policy_run import FPS, INPUTS, POLICY, RECORDING, tell_refusals
from tellapart.cli.progress import progress

_AIM = (
    click.option(
        "--aim",
        metavar="GOAL",
        help="least-cost, best-recall, fewest-false-alarms or least-delay, within the limits.  [default: what they leave "
        "open, else least-cost]",
    ),
    click.option("--false-alarms", metavar="RATE", help="At most so many: '2 per shift', '0.5 per hour', '3 per day'."),
    click.option("--delay", type=float, metavar="SECONDS", help="In which nine of ten found episodes are found."),
    click.option("--recall", type=float, metavar="SHARE", help="Of the episodes that must be found."),
    click.option("--shift-hours", type=float, default=8.0, show_default=True, metavar="HOURS", help="Of a shift."),
)
_NUMBERS = (
    click.option(
        "--only",
        multiple=True,
        metavar="NAME",
        help="Turn only these numbers, such as window or 'rules[0].if.at_least'; may be repeated.",
    ),
    click.option("--keep", multiple=True, metavar="NAME", help="Do not turn these numbers; may be repeated."),
    flag("--anyway", "anyway", "Take over what did best, even where nothing shows that it pays."),
    click.option(
        "--budget",
        type=int,
        default=200,
        show_default=True,
        metavar="N",
        help="Policies to try, on all sequences and again for each part that is held out.",
    ),
)
_DATA = (
    click.option(
        "--rest", metavar="STATE", help="What is true where nothing is labelled.  [default: outside, else the fallback]"
    ),
    click.option(
        "--late",
        "late_s",
        type=float,
        default=0.0,
        show_default=True,
        metavar="SECONDS",
        help="How long after a true episode its state still counts as found.",
    ),
    click.option(
        "--gap",
        "gap_s",
        type=float,
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="Left out on either side of a cut, where there is a single sequence.",
    ),
    FPS,
    INPUTS,
)


@click.command(cls=Headed)
@POLICY
@RECORDING
@click.argument("truth", type=PATH)
@click.option("--output", "-o", type=PATH, metavar="FILE", help="Write the tuned policy; it may be POLICY itself.")
@click.option("--page", type=PATH, metavar="FILE", help="Write a page with the trade-off between all that was tried.")
@headed("Aim", *_AIM)
@headed("Numbers", *_NUMBERS)
@headed("Data", *_DATA)
@SEED
@JSON
def tune(
    policy: Path,
    recording: Path,
    truth: Path,
    output: Path | None,
    page: Path | None,
    aim: str | None,
    false_alarms: str | None,
    delay: float | None,
    recall: float | None,
    shift_hours: float,
    only: tuple[str, ...],
    keep: tuple[str, ...],
    anyway: bool,
    budget: int,
    rest: str | None,
    late_s: float,
    gap_s: float,
    fps: float,
    inputs: dict[str, str],
    seed: int,
    as_json: bool,
) -> None:
    """Choose the numbers of POLICY for an aim on RECORDING and TRUTH, and say what that brings on held-out sequences.

    Where it brings nothing that is sure, the policy stays as given.
    """
    from tellapart.workflows.policy_tuned import tune_files

    with progress() as shown:
        found = tune_files(
            policy,
            recording,
            truth,
            aim=aim,
            false_alarms=false_alarms,
            delay=delay,
            recall=recall,
            shift_hours=shift_hours,
            only=only,
            keep=keep,
            rest=rest,
            late_s=late_s,
            gap_s=gap_s,
            fps=fps,
            inputs=inputs,
            budget=budget,
            seed=seed,
            anyway=anyway,
            output=output,
            page=page,
            progress=shown,
        )
    print(pretty(found.to_json()) if as_json else "\n".join(map(plain, found.tuned.lines())))
    for line in found.notes:
        note(line)
    tell_refusals(found.refusals, found.n_foreign)
