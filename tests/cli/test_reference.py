"""docs/cli.md is what the commands say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_cli_reference_is_up_to_date() -> None:
    tool = runpy.run_path(str(ROOT / "tools/cli_reference.py"))
    written = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert tool["reference"]() == written, "run: python tools/cli_reference.py"
