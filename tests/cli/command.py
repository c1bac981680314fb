"""The `tellapart` command for tests: in this process, or as a real one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tellapart.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments: object, **variables: str) -> Ran:
    """Run the command in this process, without any TELLAPART_… variable but those given."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TELLAPART_")}
    with (
        mock.patch.dict(os.environ, {**kept, **variables}, clear=True),
        mock.patch.object(sys, "argv", ["tellapart", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    assert "Traceback" not in err.getvalue()
    return Ran(code, out.getvalue(), err.getvalue())


def start(*arguments: object, cache: Path, encoding: str = "utf-8") -> subprocess.Popen[bytes]:
    """Start the command as a process of its own, whose terminal takes `encoding`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TELLAPART_")}
    return subprocess.Popen(
        [sys.executable, "-m", "tellapart", *map(str, arguments)],
        env={**kept, "TELLAPART_CACHE_DIR": str(cache), "PYTHONIOENCODING": encoding},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
