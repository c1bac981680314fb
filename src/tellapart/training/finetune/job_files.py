"""What is to be trained and how it went: the values, and the files of a job's folder that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tellapart.errors import Reason, TrainingError
from tellapart.files import replacing
from tellapart.image.types import RgbImage
from tellapart.records import Task
from tellapart.settings.recipe import Finetune

Progress = Callable[[str, int, int], None]
"""`(stage, done, total)`, as the workflows tell what they are doing."""

OnEpoch = Callable[[int, float], None]
"""`(epoch, metric)`: what the validation images said after an epoch, counted from 1. What it raises ends the training."""

HEAD = "head.npz"
_RESULT = "result.json"

Ended = Literal["complete", "no_gain", "diverged"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Images with their targets, float (n, k), 0 to 1. None in place of an image: it could not be read, and is left out."""

    images: Iterable[RgbImage | None]
    targets: NDArray[np.floating[Any]]


class Job(BaseModel):
    """What is to be trained. `spec` is the text of the preprocess spec; `data` a hash of the data; `skipped` images could
    not be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    finetune: Finetune
    network: str
    size: int | None = None
    spec: str
    task: Task
    n_classes: int = Field(ge=2)
    seed: int = 0
    store: str | None = None
    data: str
    n_train: int = Field(ge=1)
    n_val: int = Field(ge=0)
    skipped: int = 0


class JobResult(BaseModel):
    """How a training went. `best_epoch` counts from 1; `metric` is the validation's, None without validation images.

    `images_per_second` counts the time of the training alone, without validation; `…_without_loading` leaves out the time
    in which the network waited for images. `ended` says why: all epochs done, no gain for `patience` epochs, or a
    loss that was no number any more. `notes` are sentences that a person should read; `history` has a row per epoch.
    """

    model_config = ConfigDict(frozen=True)

    best_epoch: int
    epochs: int
    metric_name: str
    metric: float | None
    val_loss: float | None
    seconds: float
    images_per_second: float
    images_per_second_without_loading: float
    ended: Ended
    device: str
    precision: str
    parameters: int
    trained_parameters: int
    notes: tuple[str, ...] = ()
    history: tuple[dict[str, int | float | str | None], ...] = ()

    @property
    def stopped_early(self) -> bool:
        """Whether it ended before all epochs were done."""
        return self.ended != "complete"


def read_job(folder: Path) -> Job:
    """The job of a folder.

    Raises:
        TrainingError: `job_damaged`.
    """
    path = folder / "job.json"
    try:
        return Job.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else f"{exc.error_count()} faults, the first: {_first(exc)}"
        message = f"{path} is no job that can be trained ({why}); start the training afresh"
        raise TrainingError(Reason.JOB_DAMAGED, message) from exc


def is_over(folder: Path) -> bool:
    """Whether a training has its result."""
    return (folder / _RESULT).exists()


def write_result(folder: Path, result: JobResult) -> None:
    """End a training."""
    with replacing(folder / _RESULT) as temporary:
        temporary.write_text(result.model_dump_json(indent=1), encoding="utf-8")


def read_result(folder: Path) -> JobResult | None:
    """The result of a training that is over, None while it is not.

    Raises:
        TrainingError: `job_damaged`.
    """
    if not is_over(folder):
        return None
    path = folder / _RESULT
    try:
        return JobResult.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as exc:
        raise TrainingError(Reason.JOB_DAMAGED, f"{path} is damaged; start the training afresh") from exc


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
