"""Work on foreign files in a process of its own: it may run out of memory, hang or crash, and only it dies.

    python -P -m tellapart.backbones.apart MODULE:FUNCTION ANSWER.json < arguments.json

A job is a function from JSON values to a JSON value; what it makes, it writes where its arguments say.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tellapart.errors import BackboneError, Reason, TellapartError

TIME_LIMIT_S = 1800.0


def run_apart(job: str, about: str, arguments: dict[str, Any], *, time_limit_s: float = TIME_LIMIT_S) -> Any:
    """The answer of a job (`module:function`); `about` is what a sentence calls the file it works on.

    Raises:
        TellapartError: what the job raised, as if it had run here; `backbone_invalid` when its process died.
    """
    with TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        try:
            # -P: a folder of data must not be able to bring Python files of its own.
            ended = subprocess.run(
                [sys.executable, "-P", "-m", "tellapart.backbones.apart", job, str(answer)],
                input=json.dumps(arguments),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=time_limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            message = f"{about} was tried out for {time_limit_s:.0f} s without an end; it is not used"
            raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
        return _value_of(_read_answer(answer), ended, about)


def _read_answer(path: Path) -> dict[str, Any]:
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _value_of(answer: dict[str, Any], ended: subprocess.CompletedProcess[str], about: str) -> Any:
    if "error" in answer:
        kind, reason, message = answer["error"]
        raise _kind(kind)(Reason(reason), message)
    if "value" not in answer or ended.returncode != 0:
        raise BackboneError(Reason.BACKBONE_INVALID, f"{about} {_cause_of_death(ended)}; it is not used")
    return answer["value"]


def _cause_of_death(ended: subprocess.CompletedProcess[str]) -> str:
    if ended.returncode < 0:
        number = -ended.returncode
        name = signal.Signals(number).name if number in {one.value for one in signal.Signals} else str(number)
        return f"killed the process that tried it out ({name}: a fault in the file, or too little memory)"
    last = (ended.stderr.strip().splitlines() or ["without a word"])[-1]
    return f"ended the process that tried it out: {last}"


def _kind(name: str) -> type[TellapartError]:
    from tellapart import errors

    kind = getattr(errors, name, TellapartError)
    return kind if isinstance(kind, type) and issubclass(kind, TellapartError) else TellapartError


def limit_memory() -> None:
    """For jobs: a file may ask for any amount of memory; this process gets at most what the machine has."""
    try:
        import resource

        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        # Not the address space: libraries map files of several GB into it that cost nothing.
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = total if hard == resource.RLIM_INFINITY else min(total, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    except (ImportError, OSError, ValueError, AttributeError):
        return  # Windows and some containers know no such limit


def main() -> None:
    """Run one job and write its answer to a file: what libraries print does no harm."""
    module, _, function = sys.argv[1].partition(":")
    try:
        value = getattr(import_module(module), function)(**json.loads(sys.stdin.read()))
        answer: dict[str, Any] = {"value": value}
    except TellapartError as error:
        answer = {"error": [type(error).__name__, error.reason.value, str(error)]}
    except OSError as error:  # a full disk is no fault of the file
        answer = {
            "error": ["BackboneError", Reason.WRITE_FAILED.value, f"a file could not be read or written: {error}"]
        }
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
