"""Reads the fenced blocks of a Markdown file and runs them as a reader would: in order, in one folder, one namespace.

```` ```python ```` blocks are executed. In ```` ```console ```` blocks every line that starts with `$ tellapart` is run
and must exit with 0; other lines are output, or commands that a test cannot run. Any further word after the language
(```` ```python no-run ````) leaves a block out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart import samples

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)
MODEL = "parts-model"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: what stands behind the fence, its text, and the line of its first line of text."""

    info: str
    text: str
    line: int

    @property
    def commands(self) -> list[str]:
        """Commands of a console block, without the prompt; a line ending in a backslash goes on."""
        joined = self.text.replace("\\\n", "")
        return [line[2:].strip() for line in joined.splitlines() if re.match(r"\$ tellapart\b", line)]


def blocks(markdown: str) -> list[Block]:
    """All fenced blocks in order, indented ones (in lists) included."""
    found = []
    for match in _FENCE.finditer(markdown):
        indent = len(match["indent"])
        text = "".join(line[indent:] if line.strip() else "\n" for line in match["body"].splitlines(keepends=True))
        found.append(Block(match["info"].strip(), text, markdown.count("\n", 0, match.start("body")) + 1))
    return found


def runnable(path: Path) -> list[Block]:
    """The blocks of a file that `run_blocks` would run."""
    found = blocks(path.read_text(encoding="utf-8"))
    return [b for b in found if b.info == "python" or (b.info == "console" and b.commands)]


def run_blocks(path: Path, folder: Path) -> None:
    """Run a document in `folder`; a failure names the document's line."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in runnable(path):
        if block.info == "console":
            for command in block.commands:
                run_command(command, folder, f"{path.name} line {block.line}")
        else:
            # Blank lines in front make the line numbers of a traceback those of the document.
            code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
            exec(code, namespace)


def run_command(command: str, folder: Path, where: str) -> None:
    """Run a shell command with this environment's `tellapart` first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    cache = str(folder / ".cache")
    environment = {**os.environ, "PATH": path, "XDG_CACHE_HOME": cache}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{where}: $ {command}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def prepare(folder: Path, text: str) -> None:
    """What every document may assume: `parts/` (class folders), `new-photos/` (the same, a later shift), `photo.jpg`,
    `more/` (without labels), and a trained `parts-model` unless the document makes it itself.
    """
    samples.write_bottles(folder / "parts", n_parts=40, frames_per_part=2, height_px=128)
    samples.write_bottles(folder / "new-photos", n_parts=20, frames_per_part=1, height_px=128, later=True)
    (folder / "more").mkdir()
    first, *rest = samples.bottles(n_parts=5, frames_per_part=1, height_px=128, seed=7)
    (folder / "photo.jpg").write_bytes(first.jpeg)
    for image in rest:
        (folder / "more" / image.name).write_bytes(image.jpeg)
    if MODEL in text and not re.search(rf"(-o|--output) {MODEL}\b|save\(\"{MODEL}\"", text):
        run_command(f"tellapart train parts/ -o {MODEL}", folder, "preparation")
