"""`tellapart policy check|run|evaluate|tune`. Only the command that is called is imported."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "check": "tellapart.cli.policy_check:check",
    "run": "tellapart.cli.policy_run:run",
    "evaluate": "tellapart.cli.policy_evaluate:evaluate",
    "tune": "tellapart.cli.policy_tune:tune",
}


class _Lazy(click.Group):
    """Imports a command when it is called, or all of them to show the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Lazy)
def policy() -> None:
    """Business states from what a model says: test a policy, run it, judge it, tune it."""
