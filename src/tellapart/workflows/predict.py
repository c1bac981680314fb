"""Answers for many images, streamed in input order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.classifier.ahead import BackboneAhead
from tellapart.classifier.cores import available_cores
from tellapart.data.files import list_images
from tellapart.records import Prediction, Refusal, Roi
from tellapart.workflows.progress import Progress, silent

if TYPE_CHECKING:
    from tellapart.image.types import DecodeLimits


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
    provider: str = "cpu",
    limits: DecodeLimits | None = None,
    embedding: bool = False,
    heatmaps: str | Path | None = None,
    progress: Progress = silent,
) -> Answering:
    """Answer image files, and folders searched for images: one outcome per image and region, in order.

    `heatmaps` names a folder for a picture of each answered image that shows where its answer comes from.

    Raises:
        ModelError: when the model cannot be loaded. A bad image is a `Refusal` among the outcomes.
        SettingsError: `bad_setting` for heatmaps by a model that judges an image as a whole.
    """
    wanted = [(item, roi) for path in paths for item in _listed(path) for roi in (rois or (None,))]
    # One image is answered fastest by one inference on all cores, a queue by one inference per core.
    threads = available_cores() if len(wanted) == 1 else 1
    ahead = BackboneAhead(model, threads=threads, provider=provider)
    from tellapart.classifier.pipeline import Job
    from tellapart.classifier.storage import load

    jobs = [item if isinstance(item, Refusal) else Job(item, item, roi) for item, roi in wanted]
    classifier = load(model, threads=threads, provider=provider, limits=limits, ahead=ahead)
    outcomes = classifier.predict_jobs(jobs, workers=workers, embedding=embedding)
    if heatmaps is not None:
        from tellapart.workflows.heatmaps import HeatmapFolder

        outcomes = HeatmapFolder(classifier, heatmaps).write(outcomes, iter([roi for _, roi in wanted]))
    return Answering(classifier.labels, len(jobs), _told(outcomes, len(jobs), progress))


def _listed(path: str | Path) -> Sequence[str | Refusal]:
    """A file counts whatever its name, it was asked for; a folder stands for the images below it, sorted by path."""
    if not os.path.isdir(path):
        return [str(path)]
    listing = list_images(str(path), f"{str(path).rstrip('/')}/")
    return [*listing.uris, *listing.refusals]


def _told(outcomes: Iterator[Prediction | Refusal], total: int, progress: Progress) -> Iterator[Prediction | Refusal]:
    for done, outcome in enumerate(outcomes, 1):
        yield outcome
        progress("predicting", done, total)
