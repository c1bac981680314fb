"""Trainings in processes of their own: one, or several that torchrun or Ray start and watch."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tellapart.classifier.cores import available_cores
from tellapart.errors import Reason, TrainingError
from tellapart.training.finetune.job import JobResult, Progress, is_over, read_job, read_result
from tellapart.training.finetune.messages import Listener

LOG = "processes.log"
RESTARTS = 3
"""How often torchrun starts all processes again after one of them died."""

_POLL_S = 0.1
_GRACE_S = 10.0
_SHOWN = 300
_JOB = "tellapart.training.finetune.job"


def launch(
    folder: Path,
    *,
    processes: int = 1,
    engine: str = "ddp",
    progress: Progress = lambda _stage, _done, _total: None,
) -> JobResult:
    """Train the job of `folder` in processes of their own, and wait for its result.

    `engine` says who starts several: "ddp" torchrun, which starts all of them again from the checkpoint when one dies, or
    "ray" Ray Train. Whatever ends this process or the others, Ctrl-C or a kill, the folder can be continued by the same call.

    Raises:
        TrainingError: as `run_job`; `process_died` when a process died and starting again did not help.
        SettingsError, BackboneError, MissingExtra: as `run_job`.
    """
    read_job(folder)
    listener = Listener(folder)
    with _started(_COMMANDS[engine](folder, processes), folder, processes) as process:
        while process.poll() is None and listener.error is None and not is_over(folder):
            time.sleep(_POLL_S)
            listener.pass_on(progress)
        if is_over(folder):
            _wait(process)  # for processes that say goodbye to each other
    listener.pass_on(progress)
    result = read_result(folder)
    if result is not None:
        return result
    raise listener.error or TrainingError(Reason.PROCESS_DIED, _died(folder, process.returncode))


def _torchrun(folder: Path, processes: int) -> list[str]:
    job = ["-m", _JOB, str(folder), "--follow"]
    if processes == 1:
        return [sys.executable, *job]
    run = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, *run, "--max-restarts", str(RESTARTS), *job]


def _ray(folder: Path, processes: int) -> list[str]:
    return [sys.executable, "-m", "tellapart.training.finetune.ray_train", str(folder), str(processes)]


_COMMANDS: dict[str, Callable[[Path, int], list[str]]] = {"ddp": _torchrun, "ray": _ray}


@contextmanager
def _started(command: list[str], folder: Path, processes: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a group of its own, which is stopped at the end, whatever that is.

    Its processes read a pipe that only this process holds: when this one is killed, the pipe ends, and so do they.
    """
    alone: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=_environment(processes), **alone
        )
        try:
            yield process
        finally:
            _stop(process)


def _environment(processes: int) -> dict[str, str]:
    """This process's; several processes share the cores, where torchrun would give each a single one."""
    if processes == 1:
        return dict(os.environ)
    threads = str(max(1, available_cores() // processes))
    return {"OMP_NUM_THREADS": threads, **os.environ, **_OWN_STORE}


# torchrun keeps the addresses of processes that died, and those started again half the time meet nobody there, unless they
# have a store of their own (https://github.com/pytorch/pytorch/issues/135712).
_OWN_STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    for name in ("SIGTERM", "SIGKILL"):
        if process.poll() is None:
            _signal(process, name)
            _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)


def _signal(process: subprocess.Popen[bytes], name: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, getattr(signal, name))
        else:
            process.kill()


def _died(folder: Path, code: int) -> str:
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    going_on = f"ask for the same again to go on from the last checkpoint in {folder}"
    if code in (-9, 137) or re.search(r"exitcode\s*: -9|Signal 9", log):
        return (
            "a process of the training was killed from outside (signal 9), as systems do when memory runs out: "
            f"{going_on}; a smaller batch_size, more accumulate or fewer processes need less memory"
        )
    lines = [line.strip() for line in log.splitlines() if re.match(r"\S*(Error|Exception|Interrupt)\b", line.strip())]
    last = f": {lines[-1][:_SHOWN]}" if lines else ""
    return f"the training ended with exit code {code}{last}. Its output lies in {folder / LOG}; {going_on}"
