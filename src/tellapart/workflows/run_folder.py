"""The folder beside a model in which a network is trained: the job, its checkpoint, its logs and pictures.

parts-model.run/
  job/            pixels, targets, checkpoint: gone when the model is written
  history.csv  augmentation.png  lr.svg  tensorboard/
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.files import holding, replacing

SHEET = "augmentation.png"
_KEPT = ("history.csv", "lr.svg", "tensorboard")
_LOCK, _OVER = ".lock", ".over"
# A process that was killed may leave others behind for some seconds, which loaded its images.
_WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run at `path`."""

    path: Path

    @classmethod
    def beside(cls, model: Path) -> RunFolder:
        """`parts-model.run` for the model `parts-model` or `parts-model.zip`."""
        return cls(model.with_name(model.name.removesuffix(".zip") + ".run"))

    @property
    def job(self) -> Path:
        """Where the network is trained."""
        return self.path / "job"

    def check(self, *, resume: bool, restart: bool) -> None:
        """See to it that an unfinished run is not lost by accident.

        Raises:
            SettingsError: `bad_setting` when an unfinished run lies there and neither word was said, or when there is
                nothing to resume.
        """
        unfinished = self.job.exists()
        if resume and not unfinished:
            message = f"there is no unfinished training in {self.path} to go on with; leave out --resume"
            raise SettingsError(Reason.BAD_SETTING, message)
        if unfinished and not resume and not restart:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"an unfinished training lies in {self.path}: go on with --resume, or throw it away with --restart",
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else trains in this folder within the block.

        Raises:
            TrainingError: `output_exists` while another process does, `write_failed`.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = contextlib.ExitStack()
            lock.enter_context(holding(self.path / _LOCK, wait_s=_WAIT_S))
        except BlockingIOError as exc:
            message = f"another process trains in {self.path} already; wait until it is done, or name another output"
            raise TrainingError(Reason.OUTPUT_EXISTS, message) from exc
        except OSError as exc:
            raise self._unwritable(exc) from exc
        try:
            with lock:
                yield
        finally:
            with contextlib.suppress(OSError):  # unless something lies there
                self.path.rmdir()

    def begin(self, *, resume: bool) -> None:
        """Make the folder ready; what lies in it stays only to be gone on with.

        Raises:
            TrainingError: `write_failed`.
        """
        try:
            if not resume:
                self._clear()
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def _unwritable(self, exc: OSError) -> TrainingError:
        message = f"the folder of the run, {self.path}, cannot be written: {exc.strerror or exc}"
        return TrainingError(Reason.WRITE_FAILED, message)

    def finish(self) -> None:
        """Keep logs and pictures; what only a resumption needs goes."""
        for name in _KEPT:
            found = self.job / name
            if found.exists():
                shutil.move(found, self.path / name)
        over = self.path / _OVER
        shutil.rmtree(over, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.job.rename(over)  # in one step: half of a job would be begun anew by a resumption
        for left in (over, self.job):
            shutil.rmtree(left, ignore_errors=True)

    def _clear(self) -> None:
        """Only what a run writes: a person may keep notes beside it."""
        for name in ("job", _OVER, SHEET, *_KEPT):
            shutil.rmtree(self.path / name, ignore_errors=True)
            (self.path / name).unlink(missing_ok=True)

    def keep(self, name: str, data: bytes) -> None:
        """Write a picture; a full disk costs the picture, not the run."""
        try:
            with replacing(self.path / name) as temporary:
                temporary.write_bytes(data)
        except OSError:
            return
