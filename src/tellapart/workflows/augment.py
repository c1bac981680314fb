"""What an augmentation makes of a data set's images: a picture to look at, sentences, and whether the labels survive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import DEFAULT_BACKBONE, load_backbone
from tellapart.backbones.store import Store
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, ImageError, Reason
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.contact_sheet import contact_sheet, rows_to_show
from tellapart.training.augmentation.presets import explain
from tellapart.workflows.check_evidence import Means, gather
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.label_safety import LabelSafety, label_safety
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.varying import MOST_IMAGES

_ROWS = 6


@dataclass(frozen=True, slots=True)
class Augmented:
    """`sheet` is a PNG, `explanation` says what is kept and what changes, `safety` is None when it was not asked for."""

    sheet: bytes
    explanation: tuple[str, ...]
    spec: PreprocessSpec
    uris: tuple[str, ...]
    safety: LabelSafety | None

    def lines(self) -> list[str]:
        """A short report for a terminal."""
        preset, keeps, changes = self.explanation
        told = [f"preset    {preset}", f"          {keeps}", f"          {changes}"]
        return told + (self.safety.lines() if self.safety else [])

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the picture."""
        safety = self.safety
        return {
            "explanation": list(self.explanation),
            "preprocess": str(self.spec),
            "images": list(self.uris),
            "labels": None if safety is None else [survival.to_json() for survival in safety.survivals],
            "labels_not_measured": safety.why if safety else "",
        }


def augment(
    data: Dataset | str | Path,
    augmentation: Augmentation,
    *,
    measure: bool = True,
    backbone: str | Path = DEFAULT_BACKBONE,
    store: Store | None = None,
    preprocess: str | None = None,
    size: int | None = None,
    seed: int = 0,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Augmented:
    """A contact sheet of a few images of different labels, and with `measure` what becomes of the labels.

    That looks at up to 500 labelled images, each as it is and in five forms, as the check `augmentations` does. The rest is
    as for `train`, which shares the cache; `size` is the side in pixels that the network sees. Nothing is changed.

    Raises:
        DataError: what reading raises; `dataset_empty` when no image can be read.
        BackboneError, SpecError; MissingExtra without the libraries that an augmentation needs.
    """
    cache = None if cache_dir is None else Path(cache_dir)
    means = Means(backbone, preprocess, store, provider, seed, workers, cache, limits)
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    if dataset.schema is not None:
        dataset = dataset.subset(dataset.labelled)
    network = load_backbone(backbone, provider=provider, store=store)
    spec = PreprocessSpec.parse(preprocess) if preprocess else own_spec(network, dataset, limits)
    spec = spec if size is None else spec.at_size(size)
    progress("drawing a contact sheet", 0, 0)
    rows = rows_to_show(_targets(dataset), MOST_IMAGES, seed)
    images = _images(dataset, rows, spec, limits)
    sheet = contact_sheet(list(images.values()), augmentation, spec, seed)
    safety = _safety(dataset.subset(sorted(rows)), augmentation, means, progress) if measure else None
    return Augmented(sheet, tuple(explain(augmentation)), spec, tuple(dataset.uris[row] for row in images), safety)


def _safety(dataset: Dataset, augmentation: Augmentation, means: Means, progress: Progress) -> LabelSafety:
    if dataset.schema is None:
        return LabelSafety(why="there are no labels")
    gathered = gather(dataset, frozenset({"variants"}), means, progress)
    if gathered.evidence.variants is None:
        return LabelSafety(why=gathered.missing["variants"])
    return label_safety(gathered.evidence, augmentation)


def _targets(dataset: Dataset) -> NDArray[np.uint8]:
    """(n, k); one column of ones where nothing has a label."""
    return np.ones((len(dataset), 1), np.uint8) if dataset.schema is None else dataset.label_matrix()


def _images(
    dataset: Dataset, rows: list[int], spec: PreprocessSpec, limits: DecodeLimits
) -> dict[int, NDArray[np.uint8]]:
    """The first few that can be read, by their rows."""
    found: dict[int, NDArray[np.uint8]] = {}
    why = ""
    for row in rows:
        try:
            found[row] = spec.load(dataset.bytes_of(row, limits=limits), dataset.samples[row].roi, limits).pixels
        except ImageError as error:
            why = f": {error}"
        if len(found) == _ROWS:
            break
    if not found:
        raise DataError(Reason.DATASET_EMPTY, f"none of the images can be shown{why}")
    return found
