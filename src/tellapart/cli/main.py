"""The `tellapart` command. Commands live one file per noun; only the one that is called is imported.

Click and not Typer, which was measured: Typer alone takes 40 ms to import (before 0.26; later versions load pydantic as
well, 0.2 s) and reads the signatures of all commands for each call, while a single image is answered in 0.3 s.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import click

from tellapart.cli.lazy import LazyGroup
from tellapart.errors import SettingsError, SpecError, TellapartError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

_COMMANDS = {
    "demo": "tellapart.cli.demo:demo",
    "check": "tellapart.cli.check:check",
    "train": "tellapart.cli.train:train",
    "predict": "tellapart.cli.predict:predict",
    "watch": "tellapart.cli.watch:watch",
    "why": "tellapart.cli.why:why",
    "evaluate": "tellapart.cli.evaluate:evaluate",
    "embed": "tellapart.cli.embed:embed",
    "cluster": "tellapart.cli.cluster:cluster",
    "index": "tellapart.cli.index:index",
    "roi": "tellapart.cli.roi:roi",
    "model": "tellapart.cli.model:model",
    "classes": "tellapart.cli.classes:classes",
    "data": "tellapart.cli.data:data",
    "policy": "tellapart.cli.policy:policy",
    "backbones": "tellapart.cli.backbones:backbones",
    "recipes": "tellapart.cli.recipes:recipes",
    "doctor": "tellapart.cli.doctor:doctor",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
@click.version_option(package_name="tellapart", message="tellapart %(version)s")
def app() -> None:
    """Tells images apart: from a folder of labelled images to a classifier you can trust."""


def main() -> None:
    """Run the command; errors become one sentence on stderr and an exit code (docs/cli.md)."""
    _take_any_text()
    stdout = sys.stdout
    try:
        try:
            code = app.main(standalone_mode=False)
        except SystemExit as end:
            # When the reader (`| head`) has gone, Click puts another stream in place and ends with 1: that is no failure.
            code = end.code if sys.stdout is stdout else 0
        finally:
            sys.stdout.flush()
        sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TellapartError as error:
        print(f"error: {error} [{error.reason}]", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, SettingsError | SpecError) else EXIT_FAILED)
    except (KeyboardInterrupt, click.Abort):
        print("interrupted: nothing was half-written", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _silence_stdout()
    except OSError as error:  # every file of ours has its own sentence: this is stdout on a full disk
        _silence_stdout()
        print(f"error: the result could not be written: {error.strerror or error} [write_failed]", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def _silence_stdout() -> None:
    """Python would complain once more while it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _take_any_text() -> None:
    """File names and labels hold any character: pipes and files get UTF-8 (JSON knows no other), terminals escapes."""
    # Closed by the caller (`>&-`), a stream is None.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if not isinstance(sys.stdout, TextIOWrapper):
        return
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="backslashreplace")
    else:
        sys.stdout.reconfigure(encoding="utf-8")
