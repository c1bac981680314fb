"""The folder beside a model in which a network is trained: the job, its checkpoint, its logs and pictures.

parts-model.run/
  run.json        what was asked of which data: only the same may be continued
  job/            pixels, targets, checkpoint: gone when the model is written
  history.csv  augmentation.png  lr.svg  tensorboard/
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.files import replacing


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run at `path`; `identity` are plain values that tell one training from another."""

    path: Path
    identity: Mapping[str, Any]

    @classmethod
    def beside(cls, model: Path, identity: Mapping[str, Any]) -> RunFolder:
        """`parts-model.run` for the model `parts-model` or `parts-model.zip`."""
        return cls(model.with_name(model.name.removesuffix(".zip") + ".run"), identity)

    @property
    def job(self) -> Path:
        """Where the network is trained."""
        return self.path / "job"

    def begin(self, *, resume: bool, restart: bool) -> bool:
        """Make the folder ready; True when an unfinished run in it is continued.

        Raises:
            SettingsError: `bad_setting` when an unfinished run lies there and neither word was said, when there is nothing
                to resume, or when it was another training.
            TrainingError: `write_failed`.
        """
        before = self._before()
        if resume:
            self._check_same(before)
            return True
        if before is not None and self.job.exists() and not restart:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"an unfinished training lies in {self.path}: go on with --resume, or throw it away with --restart",
            )
        try:
            shutil.rmtree(self.job, ignore_errors=True)
            self.path.mkdir(parents=True, exist_ok=True)
            with replacing(self.path / "run.json") as temporary:
                temporary.write_text(json.dumps(dict(self.identity), indent=1, sort_keys=True), encoding="utf-8")
        except OSError as exc:
            message = f"the folder of the run, {self.path}, cannot be written: {exc.strerror or exc}"
            raise TrainingError(Reason.WRITE_FAILED, message) from exc
        return False

    def finish(self) -> None:
        """Remove what only a resumption needs; logs and pictures stay."""
        shutil.rmtree(self.job, ignore_errors=True)

    def keep(self, name: str, data: bytes) -> None:
        """Write a picture or log; a full disk costs the picture, not the run."""
        try:
            with replacing(self.path / name) as temporary:
                temporary.write_bytes(data)
        except OSError:
            return

    def _before(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _check_same(self, before: dict[str, Any] | None) -> None:
        if before is None or not self.job.exists():
            message = f"there is no unfinished training in {self.path} to go on with; leave out --resume"
            raise SettingsError(Reason.BAD_SETTING, message)
        now = json.loads(json.dumps(dict(self.identity)))
        differing = sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))
        if differing:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"the unfinished training in {self.path} was another one: {', '.join(differing)} differ; ask for the same "
                "again, or throw it away with --restart",
            )
