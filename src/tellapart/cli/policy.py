"""`tellapart policy check|run|evaluate|tune`. Only the command that is called is imported."""

from __future__ import annotations

import click

from tellapart.cli.lazy import LazyGroup

_COMMANDS = {
    "check": "tellapart.cli.policy_check:check",
    "run": "tellapart.cli.policy_run:run",
    "evaluate": "tellapart.cli.policy_evaluate:evaluate",
    "tune": "tellapart.cli.policy_tune:tune",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def policy() -> None:
    """Business states from what a model says: test a policy, run it, judge it, tune it."""
