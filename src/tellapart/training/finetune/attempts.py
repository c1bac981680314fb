"""One job, one process at a time, and again with smaller parts of a batch where the memory does not suffice."""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import torch

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.files import replacing
from tellapart.training.finetune.checkpoints import WITHIN
from tellapart.training.finetune.crew import Crew
from tellapart.training.finetune.job import Job, JobResult, OnEpoch, Progress
from tellapart.training.finetune.logs import quiet
from tellapart.training.finetune.loop import Training

CHECKPOINT_S = 300.0
"""Seconds between checkpoints within an epoch."""

_WAIT_S = 20.0
_SINGLE = "more than 1 value per channel"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EFBIG)
_NO_CPU_MEMORY = ("can't allocate memory", "not enough memory")


def fit(
    folder: Path,
    job: Job,
    progress: Progress,
    *,
    crew: Crew | None = None,
    checkpoint_s: float = CHECKPOINT_S,
    on_epoch: OnEpoch | None = None,
) -> JobResult:
    """Train a job to its end.

    Raises:
        As `job.run_job`. KeyboardInterrupt after Ctrl-C or a request of the system to end.
    """
    crew = crew or Crew.here()
    with quiet(), _interrupts(), _alone(folder, crew):
        while True:
            parts = Parts.read(folder, job)
            notes = [*parts.notes, *_restarts()]
            training = Training(folder, job, crew, progress, parts.accumulate, checkpoint_s, notes, on_epoch)
            try:
                return training.run()
            except (MemoryError, RuntimeError, ValueError) as exc:
                smaller = _answer(exc, job, crew, parts)
            except OSError as exc:
                if exc.errno not in _DISK:
                    raise
                raise TrainingError(Reason.WRITE_FAILED, _unwritable(folder, exc)) from exc
            del training
            smaller.write(folder)
            if crew.world > 1:
                raise StartAgain(smaller.notes[-1])
            gc.collect()
            torch.cuda.empty_cache()


def _unwritable(folder: Path, exc: OSError) -> str:
    return (
        f"the training in {folder} cannot write its files ({exc.strerror}); its last checkpoint stays, so that it can go on "
        "from there: make room on the disk and ask for the same again"
    )


class StartAgain(Exception):
    """All processes shall be started again, as torchrun does: the folder says by now what shall be done otherwise."""


@dataclass(frozen=True, slots=True)
class Parts:
    """In how many parts each batch is computed by now, and why, in sentences."""

    accumulate: int
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, job: Job) -> Parts:
        """As an earlier attempt left it, else as the recipe has it."""
        try:
            found = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
            return cls(int(found["accumulate"]), tuple(found["notes"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(job.finetune.accumulate)

    def write(self, folder: Path) -> None:
        """For the next attempt; a place within an epoch counts the old parts, and is given up."""
        with replacing(folder / "parts.json") as temporary:
            temporary.write_text(json.dumps({"accumulate": self.accumulate, "notes": self.notes}), encoding="utf-8")
        (folder / WITHIN).unlink(missing_ok=True)

    def doubled(self) -> Parts:
        """Twice as many."""
        n = 2 * self.accumulate
        note = f"the memory did not suffice for batches in {self.accumulate} part(s), so they were computed in {n}"
        return replace(self, accumulate=n, notes=(*self.notes, note))


def _answer(exc: Exception, job: Job, crew: Crew, parts: Parts) -> Parts:
    """Smaller parts where memory ran out; anything else is raised, in words where it is known."""
    text = str(exc)
    if isinstance(exc, ValueError) and _SINGLE in text:
        raise SettingsError(Reason.BAD_SETTING, _one_image(job, crew, parts)) from exc
    out = isinstance(exc, MemoryError | torch.OutOfMemoryError) or any(words in text for words in _NO_CPU_MEMORY)
    if not out:
        raise exc
    if min(job.finetune.batch_size, job.n_train) < 2 * crew.world * 2 * parts.accumulate:
        where = "GPU" if isinstance(exc, torch.OutOfMemoryError) else "computer"
        message = (
            f"the memory of the {where} does not suffice to train {job.network}, not even with a batch of "
            f"{job.finetune.batch_size} in {parts.accumulate} part(s): smaller images (size) or a smaller network need less"
        )
        raise TrainingError(Reason.OUT_OF_MEMORY, message) from exc
    return parts.doubled()


def _restarts() -> list[str]:
    n = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    return [f"a process died {n} time(s), and all were started again from the last checkpoint"] if n else []


def _one_image(job: Job, crew: Crew, parts: Parts) -> str:
    return (
        f"{job.network} normalises over the images that it sees at once, and saw a single one: a batch of "
        f"{min(job.finetune.batch_size, job.n_train)} for {crew.world} process(es) in {parts.accumulate} part(s) each. "
        "It takes at least two images for each part"
    )


@contextmanager
def _interrupts() -> Iterator[None]:
    """Ctrl-C as Python's exception: Lightning leaves the process by `sys.exit` and signals ignored."""
    main = threading.current_thread() is threading.main_thread()
    handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)} if main else {}
    try:
        yield
    except SystemExit as exc:
        raise KeyboardInterrupt from exc
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, handler)


@contextmanager
def _alone(folder: Path, crew: Crew) -> Iterator[None]:
    """The only training in this folder, after a wait for one that is ending.

    Raises:
        TrainingError: `output_exists` while another process trains there.
    """
    if not crew.leads:
        yield
        return
    with (folder / ".lock").open("a") as file:
        until = time.monotonic() + _WAIT_S
        while not _locked(file):
            if time.monotonic() > until:
                message = f"another process trains in {folder} already; wait until it is done, or stop it"
                raise TrainingError(Reason.OUTPUT_EXISTS, message)
            time.sleep(0.1)
        yield


def _locked(file: IO[str]) -> bool:
    """The system lets go of it when the process ends, however it ends. True where files cannot be locked at all."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
