"""The folder beside a model in which a network is trained: the job, its checkpoint, its logs and pictures.

parts-model.run/
  job/            pixels, targets, checkpoint: gone when the model is written
  history.csv  augmentation.png  lr.svg  tensorboard/
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.files import replacing

SHEET = "augmentation.png"
_KEPT = ("history.csv", "lr.svg", "tensorboard")


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
            message = f"the folder of the run, {self.path}, cannot be written: {exc.strerror or exc}"
            raise TrainingError(Reason.WRITE_FAILED, message) from exc

    def finish(self) -> None:
        """Keep logs and pictures; what only a resumption needs goes."""
        for name in _KEPT:
            found = self.job / name
            if found.exists():
                shutil.move(found, self.path / name)
        shutil.rmtree(self.job, ignore_errors=True)

    def _clear(self) -> None:
        """Only what a run writes: a person may keep notes beside it."""
        for name in ("job", SHEET, *_KEPT):
            shutil.rmtree(self.path / name, ignore_errors=True)
            (self.path / name).unlink(missing_ok=True)

    def keep(self, name: str, data: bytes) -> None:
        """Write a picture; a full disk costs the picture, not the run."""
        try:
            with replacing(self.path / name) as temporary:
                temporary.write_bytes(data)
        except OSError:
            return
