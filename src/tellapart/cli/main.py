"""The `tellapart` command. Commands live one file per noun and import their workflow only when they run."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from tellapart.cli import backbones, data, demo, evaluate, model, predict, train
from tellapart.errors import SettingsError, SpecError, TellapartError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="tellapart",
    help="Tells images apart: from a folder of labelled images to a classifier you can trust.",
    no_args_is_help=True,
    add_completion=False,
    # Without these Typer loads rich for every command, half of the time until the first answer.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(demo.demo)
app.command()(train.train)
app.command()(predict.predict)
app.command()(evaluate.evaluate)
app.add_typer(model.app, name="model")
app.add_typer(data.app, name="data")
app.add_typer(backbones.app, name="backbones")


def _version(wanted: bool) -> None:
    if wanted:
        from tellapart import __version__

        print(f"tellapart {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Tells images apart: from a folder of labelled images to a classifier you can trust."""


def main() -> None:
    """Run the command; errors become one sentence on stderr and an exit code (docs/cli.md)."""
    try:
        app()
    except TellapartError as error:
        print(f"error: {error} [{error.reason}]", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, (SettingsError, SpecError)) else EXIT_FAILED)
    except KeyboardInterrupt:
        print("interrupted: nothing was half-written", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain once more while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
