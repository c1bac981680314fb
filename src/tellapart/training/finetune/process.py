"""A process that trains: started by hand, by `launch` or by torchrun."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path

from tellapart.errors import TellapartError
from tellapart.training.finetune.job import Progress, run_job
from tellapart.training.finetune.messages import Teller

AGAIN = 75
"""Exit code of a process that wants to be started again (EX_TEMPFAIL)."""

INTERRUPTED = 130
_SAY_EVERY_S = 10.0


def main(arguments: list[str]) -> int:
    """Train a job; 0 when its result is written, 1 for an error that was told, 75 to be started again."""
    parser = argparse.ArgumentParser("tellapart.training.finetune.job", description="Train the job of a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--follow", action="store_true", help="end when the standard input ends; for tellapart itself")
    given = parser.parse_args(arguments)
    if given.follow:
        threading.Thread(target=end_with_input, daemon=True).start()
    from tellapart.training.finetune.attempts import StartAgain

    teller = Teller(given.folder)
    try:
        run_job(given.folder, _progress(teller, aloud=not given.follow))
    except StartAgain:
        return AGAIN
    except TellapartError as error:
        teller.failed(error)
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _progress(teller: Teller, *, aloud: bool) -> Progress:
    if os.environ.get("RANK", "0") != "0":
        return lambda _stage, _done, _total: None
    return _Speaker() if aloud else teller


class _Speaker:
    """Progress for a person who started torchrun: a line every ten seconds."""

    def __init__(self) -> None:
        self._said_at = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        if done >= total or time.monotonic() - self._said_at > _SAY_EVERY_S:
            self._said_at = time.monotonic()
            print(f"{stage}: step {done:,} of {total:,}", file=sys.stderr, flush=True)  # noqa: T201


def end_with_input() -> None:
    """Wait for the end of the standard input, then end this process at once."""
    while os.read(0, 1):
        continue
    os._exit(INTERRUPTED)  # at once: what the folder has is whole at any moment
