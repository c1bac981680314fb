"""Write docs/cli.md from the commands themselves: `python tools/cli_reference.py`. A test checks that it was run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from tellapart.cli.main import app

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
HEAD = """# Commands

Written by `python tools/cli_reference.py` from the commands themselves.

Results go to stdout, everything else to stderr; progress shows on a terminal only. Files appear whole or not at all,
also after Ctrl-C. Exit codes:

| code | meaning |
| --- | --- |
| 0 | done; single files may have been refused, they are listed |
| 1 | failed: one sentence on stderr with a [reason code](errors.md) |
| 2 | wrong usage: an option, a preprocess string or a region that cannot be |
| 3 | `predict` only: not one image could be answered |
| 4 | `check` only: something was found that is as bad as `--fail-on` says |
| 130 | interrupted by Ctrl-C |

`TELLAPART_…` variables set what holds for every command: [settings.md](settings.md).
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(reference(), encoding="utf-8")


def reference() -> str:
    """The page as text."""
    sections = [f"## {path}\n\n```text\n{text}\n```\n" for path, text in _helps(app, "tellapart")]
    return "\n".join([HEAD, *sections])


def _helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _helps(inner, f"{path} {name}")


if __name__ == "__main__":
    main()
