"""`tellapart doctor`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

# Nothing here may load NumPy: where it is broken, this command is the one that says so.
from tellapart.cli.output import plain, pretty
from tellapart.errors import SettingsError

if TYPE_CHECKING:
    from tellapart.workflows.findings import Surroundings


@click.command()
@click.option("--offline", is_flag=True, help="What works without a network: a small training proves it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(offline: bool, as_json: bool) -> None:
    """Check this installation: libraries, processors, extras, cache, settings, backbones.

    Opens no connection. Exit code 1 when something is missing.
    """
    from tellapart.workflows.doctor import examine

    found = examine(_surroundings(), offline=offline)
    if as_json:
        print(pretty(found.to_json()))
    else:
        for line in [*found.lines(), "", found.verdict]:
            print(plain(line))
    if not found.healthy:
        sys.exit(1)


def _surroundings() -> Surroundings:
    """The environment; a setting that cannot be is a finding, and no reason to stop."""
    from tellapart.backbones.hub import offline_variable
    from tellapart.workflows.findings import BROKEN, Surroundings

    variables = {name: text for name, text in os.environ.items() if name.startswith("TELLAPART_")}
    settings = {name.removeprefix("TELLAPART_").lower(): text for name, text in variables.items()}
    try:
        from tellapart.cli.environment import cache_dir

        folder = cache_dir()
    except (SettingsError, *BROKEN):
        folder = Path(settings.get("cache_dir") or Path.home() / ".cache" / "tellapart")
    return Surroundings(folder, settings, offline_variable())
