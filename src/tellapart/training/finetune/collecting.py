"""Images and targets into the folder of a job, and the same job found again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, TrainingError
from tellapart.files import replacing
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.shrink import shrunk
from tellapart.records import Task
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.job_files import HEAD, Job, Labelled, Progress, read_job
from tellapart.training.finetune.pixels import PixelStore, PixelWriter

# What may change between two starts of one training: nothing of it changes what is learned, noise of rounding aside.
_FREE = {
    "finetune.processes",
    "finetune.engine",
    "finetune.loaders",
    "finetune.tensorboard",
    "finetune.mlflow",
    "store",
}


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


def _fingerprint(identity: str, *targets: NDArray[Any]) -> str:
    digest = hashlib.sha256(identity.encode())
    for part in targets:
        digest.update(f"|{part.shape}|".encode())
        digest.update(np.ascontiguousarray(part, np.float32).data)
    return digest.hexdigest()
