"""`tellapart data fix|diff|log`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.environment import decode_limits
from tellapart.cli.options import JSON, PATH, POOL, flag
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading

if TYPE_CHECKING:
    from tellapart.data.repair.diff import Change
    from tellapart.data.repair.revision import Revision

_SHOWN = 20


@click.command()
@click.argument("data", type=PATH)
@click.argument("fixes", type=PATH)
@click.option("--output", "-o", type=PATH, required=True, metavar="NEWDATA", help="Folder of the new revision.")
@click.option("--who", help="Who decided.  [default: the name you are logged in by]")
@click.option("--why", default="", help="Why, for the log.")
@flag("--all", "everything", "Accept every line, whatever the file says; of contradicting ones the first.")
@flag("--new-labels", "new_labels", "Allow labels that no image has yet.")
@POOL
@READING
@JSON
def fix(
    data: Path,
    fixes: Path,
    output: Path,
    who: str | None,
    why: str,
    everything: bool,
    new_labels: bool,
    pool: Path | None,
    reading: Reading,
    as_json: bool,
) -> None:
    """Apply the accepted lines of FIXES (`check --proposals`, `data suggest`) to DATA and write a new revision.

    The revision refers to the images: no original is changed or copied. Every command takes it as data.
    """
    from tellapart.data.hygiene.wording import count
    from tellapart.workflows.repair import fix as run

    dataset = reading.dataset(data)
    with progress() as shown:
        done = run(
            dataset,
            fixes,
            output=output,
            pool=pool,
            source=data,
            who=_login() if who is None else who,
            why=why,
            everything=everything,
            new_labels=new_labels,
            limits=decode_limits(),
            progress=shown,
        )
    applied = done.applied
    if as_json:
        print(pretty({**done.revision.to_json(), "idle": applied.n_idle, "declined": applied.n_declined}))
        return
    print(plain(f"{output}: {done.revision.sentence}"))
    if applied.n_declined:
        left = "contradicting an earlier one" if everything else "accept in the file, or everything with --all"
        note(f"not accepted: {count(applied.n_declined, 'line')}; {left}")
    if applied.n_idle:
        note(f"without effect: {count(applied.n_idle, 'line')}; the image is dropped, or already as it should be")


@click.command()
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
@JSON
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Tell what differs from BEFORE to AFTER: images, labels, groups, splits, bytes."""
    from tellapart.workflows.repair import diff as run

    with progress() as shown:
        found = run(before, after, limits=decode_limits(), progress=shown)
    if as_json:
        print(pretty(found.to_json()))
        return
    for name, n in found.counts().items():
        if n:
            print(f"{name:12}{n:,}")
            _tell_changes(getattr(found, name))
    if not found:
        print("no difference")


@click.command()
@click.argument("data", type=PATH)
@JSON
def log(data: Path, as_json: bool) -> None:
    """Tell how a revision came to be, the newest step first: who, when, why, what."""
    from tellapart.workflows.repair import read_log

    steps = read_log(data)
    if as_json:
        print(pretty([step.to_json() for step in steps]))
        return
    for step in steps:
        for line in _step_lines(step):
            print(plain(line))
    print(plain(steps[-1].parent_path if steps else f"{data}: no revision; the data are as they were made"))


def _tell_changes(changes: Sequence[Change]) -> None:
    for change in changes[:_SHOWN]:
        print(plain(f"  {change.uri}  {_short(change.was)} → {_short(change.now)}"))
    if len(changes) > _SHOWN:
        print(f"  and {len(changes) - _SHOWN:,} more; --json lists all")


def _short(value: str) -> str:
    """Ids by their first digits; nothing as a dash."""
    is_id = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return value[:12] if is_id else value or "–"


def _step_lines(step: Revision) -> list[str]:
    who = f" by {step.who}" if step.who else ""
    why = [f"  {step.why}"] if step.why else []
    return [f"{step.path}  {step.when}{who}", *why, f"  {step.sentence}", f"  {step.fingerprint[:12]}"]


def _login() -> str:
    """The name by which the user is logged in; "" where the system tells none."""
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""
