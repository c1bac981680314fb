"""A training of a network as a folder, which any process can take up and which survives every end of a process.

job.json              what is to be trained; written last: a folder without it is incomplete
pixels.bin, .npy      the decoded images, first those to learn from, then those to validate on
targets.npy           float32 (n, k), in the same order
head.npz              optional: weight (d, k) and bias (k,) that the head starts from
teacher.npy           float32 (n_train, k), with distillation: the logits of the teacher
checkpoint*           where the training is; see `checkpoints`
weights.safetensors   the best weights so far
history.csv           a row per epoch
result.json           written last: the training is over

`python -m tellapart.training.finetune.job FOLDER` trains it in a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tellapart.errors import Reason, TrainingError
from tellapart.files import replacing
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.shrink import shrunk
from tellapart.image.types import RgbImage
from tellapart.records import Task
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.pixels import PixelStore, PixelWriter

Progress = Callable[[str, int, int], None]
"""`(stage, done, total)`, as the workflows tell what they are doing."""

OnEpoch = Callable[[int, float], None]
"""`(epoch, metric)`: what the validation images said after an epoch, counted from 1. What it raises ends the training."""

HEAD = "head.npz"
_RESULT = "result.json"

Ended = Literal["complete", "no_gain", "diverged"]

# What may change between two starts of one training: nothing of it changes what is learned, noise of rounding aside.
_FREE = {
    "finetune.processes",
    "finetune.engine",
    "finetune.loaders",
    "finetune.tensorboard",
    "finetune.mlflow",
    "store",
}


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


def write_job(
    folder: Path,
    *,
    finetune: Finetune,
    network: str,
    spec: str,
    task: Task,
    n_classes: int,
    train: Labelled,
    val: Labelled,
    seed: int = 0,
    size: int | None = None,
    store: str | None = None,
    teacher: NDArray[np.floating[Any]] | None = None,
    head: tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None = None,
    identity: str = "",
    progress: Progress = lambda _stage, _done, _total: None,
) -> Job:
    """Write a job, or find the same one in `folder` and leave it, with its progress, as it is.

    Images are taken one by one, shrunk to what `spec` and random crops need, and written; memory does not grow with their
    number. `teacher` are float logits (n_train, k), `head` weight (d, k) and bias (k,) to start from. `identity` says which
    images these are (a hash of their ids): together with the targets it tells whether an unfinished job is the same. `store`
    is the folder of added backbones.

    Raises:
        TrainingError: `job_differs` when an unfinished job of `folder` is another one; `too_few_images` without an image to
            learn from; `write_failed`.
        ImageError, SpecError: as `train.images` and `spec` do.
    """
    asked = Job(
        finetune=finetune, network=network, size=size, spec=spec, task=task, n_classes=n_classes, seed=seed, store=store,
        data=_fingerprint(identity, train.targets, val.targets), n_train=max(1, len(train.targets)),
        n_val=len(val.targets),
    )  # fmt: skip
    if (folder / "job.json").exists():
        return _same(folder, read_job(folder), asked)
    try:
        return _write(folder, asked, train, val, _extras(teacher, head), progress)
    except OSError as exc:
        message = f"the images of the training cannot be written to {folder}: {exc.strerror or exc}"
        raise TrainingError(Reason.WRITE_FAILED, message) from exc


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


def run_job(
    folder: Path,
    progress: Progress = lambda _stage, _done, _total: None,
    *,
    on_epoch: OnEpoch | None = None,
) -> JobResult:
    """Train a job in this process, from its checkpoint where it has one, and return how it went.

    Raises:
        TrainingError: `job_damaged`, `diverged` (before the first epoch was over), `out_of_memory`, `write_failed`.
        MissingExtra: without torch, timm or Lightning.
    """
    job = read_job(folder)
    finished = read_result(folder)
    if finished is not None:
        return finished
    from tellapart.training.finetune.attempts import fit

    return fit(folder, job, progress, on_epoch=on_epoch)


def _write(
    folder: Path, asked: Job, train: Labelled, val: Labelled, extras: dict[str, NDArray[np.float32]], progress: Progress
) -> Job:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = PreprocessSpec.parse(asked.spec)
    told = _told(progress, len(train.targets) + len(val.targets))
    with PixelWriter(folder) as pixels:
        kept = [_add(pixels, part, spec, told) for part in (train, val)]
    if not len(kept[0]):
        raise TrainingError(Reason.TOO_FEW_IMAGES, "there is not one image to learn from")
    targets = np.concatenate([part.targets[rows] for part, rows in zip((train, val), kept, strict=True)])
    np.save(folder / "targets.npy", targets.astype(np.float32), allow_pickle=False)
    if "teacher" in extras:
        np.save(folder / "teacher.npy", extras["teacher"][kept[0]], allow_pickle=False)
    if "weight" in extras:
        np.savez(folder / HEAD, weight=extras["weight"], bias=extras["bias"])
    skipped = len(train.targets) + len(val.targets) - len(targets)
    job = asked.model_copy(update={"n_train": len(kept[0]), "n_val": len(kept[1]), "skipped": skipped})
    PixelStore(folder)
    with replacing(folder / "job.json") as temporary:
        temporary.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    return job


def _extras(teacher: Any, head: Any) -> dict[str, NDArray[np.float32]]:
    found = {} if teacher is None else {"teacher": teacher}
    found |= {} if head is None else {"weight": head[0], "bias": head[1]}
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def _add(pixels: PixelWriter, part: Labelled, spec: PreprocessSpec, told: Iterator[None]) -> NDArray[np.int64]:
    """Write the images of a part; the rows of those that there are."""
    rows = []
    for row, (image, _) in enumerate(zip(part.images, part.targets, strict=True)):
        next(told)
        if image is not None:
            pixels.add(shrunk(image, spec))
            rows.append(row)
    return np.array(rows, np.int64)


def _told(progress: Progress, total: int) -> Iterator[None]:
    for done in range(total):
        progress("collecting images", done, total)
        yield
    progress("collecting images", total, total)
    while True:
        yield


def _same(folder: Path, before: Job, asked: Job) -> Job:
    differing = _differing(before, asked)
    if differing:
        raise TrainingError(
            Reason.JOB_DIFFERS,
            f"the unfinished training in {folder} was another one: {'; '.join(differing)}. Ask for the same again, or "
            "start afresh",
        )
    free = {"processes", "engine", "loaders", "tensorboard", "mlflow"}
    finetune = before.finetune.model_copy(update={name: getattr(asked.finetune, name) for name in free})
    job = before.model_copy(update={"finetune": finetune, "store": asked.store})
    with replacing(folder / "job.json") as temporary:
        temporary.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    return job


def _differing(before: Job, asked: Job) -> list[str]:
    left_out = {"n_train", "n_val", "skipped"}  # follow from the data, but for images that could not be read
    old, new = (dict(_flat(job.model_dump(mode="json", exclude=left_out))) for job in (before, asked))
    names = [name for name in new if name not in _FREE and old.get(name) != new[name]]
    return [
        "other images or labels" if name == "data" else f"{name} was {_json(old.get(name))}, now {_json(new[name])}"
        for name in names
    ]


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict):
            yield from _flat(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part


def _json(value: Any) -> str:
    return json.dumps(value)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"


def _fingerprint(identity: str, *targets: NDArray[Any]) -> str:
    digest = hashlib.sha256(identity.encode())
    for part in targets:
        digest.update(f"|{part.shape}|".encode())
        digest.update(np.ascontiguousarray(part, np.float32).data)
    return digest.hexdigest()


if __name__ == "__main__":
    from tellapart.training.finetune.process import main

    sys.exit(main(sys.argv[1:]))
