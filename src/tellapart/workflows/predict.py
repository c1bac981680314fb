"""Answers for many images, streamed in input order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.classifier.pipeline import Job, available_cores
from tellapart.classifier.storage import load
from tellapart.data.files import list_images
from tellapart.image.types import DecodeLimits
from tellapart.records import Prediction, Refusal, Roi
from tellapart.workflows.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Answering:
    """A run under way: the model's labels in column order, how many outcomes will come, and the outcomes themselves."""

    labels: tuple[str, ...]
    n_images: int
    outcomes: Iterator[Prediction | Refusal]


def predict(
    model: str | Path,
    paths: Sequence[str | Path],
    *,
    rois: Sequence[Roi] = (),
    workers: int = 0,
    limits: DecodeLimits | None = None,
    embedding: bool = False,
    progress: Progress = silent,
) -> Answering:
    """Answer image files, and folders searched for images: one outcome per image and region, in order.

    Raises:
        ModelError: when the model cannot be loaded. A bad image is a `Refusal` among the outcomes.
    """
    jobs = [job for path in paths for job in _jobs(path, rois or (None,))]
    # One image is answered fastest by one inference on all cores, a queue by one inference per core.
    threads = available_cores() if len(jobs) == 1 else 1
    classifier = load(model, threads=threads, limits=limits)
    outcomes = classifier.predict_jobs(jobs, workers=workers, embedding=embedding)
    return Answering(classifier.labels, len(jobs), _told(outcomes, len(jobs), progress))


def _jobs(path: str | Path, rois: Sequence[Roi | None]) -> Iterator[Job | Refusal]:
    """A file counts whatever its name, it was asked for; a folder stands for the images below it, sorted by path."""
    if not os.path.isdir(path):
        yield from (Job(str(path), str(path), roi) for roi in rois)
        return
    listing = list_images(str(path), f"{str(path).rstrip('/')}/")
    yield from (Job(uri, uri, roi) for uri in listing.uris for roi in rois)
    yield from listing.refusals


def _told(outcomes: Iterator[Prediction | Refusal], total: int, progress: Progress) -> Iterator[Prediction | Refusal]:
    for done, outcome in enumerate(outcomes, 1):
        yield outcome
        progress("predicting", done, total)
