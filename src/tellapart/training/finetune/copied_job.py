"""A job on the images of another one: several trainings on the same pixels need them once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tellapart.errors import Reason, TrainingError
from tellapart.files import replacing
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.job import HEAD, Job, read_job

_SHARED = ("pixels.bin", "pixels.npy", "targets.npy", "teacher.npy", HEAD)


def copy_job(source: Path, folder: Path, finetune: Finetune) -> Job:
    """The job of `source` in `folder`, trained as `finetune` says; one that lies there is left with its progress.

    The images are linked and take no room twice, where the file system can do that.

    Raises:
        TrainingError: `job_damaged`, `write_failed`.
    """
    if (folder / "job.json").exists():
        return read_job(folder)
    job = read_job(source).model_copy(update={"finetune": finetune})
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in _SHARED:
            if (source / name).exists():
                _link(source / name, folder / name)
        with replacing(folder / "job.json") as temporary:
            temporary.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    except OSError as exc:
        message = f"the images of the training cannot be written to {folder}: {exc.strerror or exc}"
        raise TrainingError(Reason.WRITE_FAILED, message) from exc
    return job


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
