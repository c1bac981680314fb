"""Pictures of single images for a report: small, with a heatmap where the backbone has a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.heatmap import heat_of
from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError
from tellapart.evaluation.heatmaps import overlay
from tellapart.image.encode import encode_webp

_SIDE = 224


@dataclass(frozen=True, slots=True)
class Picture:
    """Encoded WebP of what the network saw, and the same under the heatmap of one label (None without feature map)."""

    image: bytes
    heatmap: bytes | None


def pictures(
    classifier: Classifier, dataset: Dataset, rows: Sequence[int], labels: Sequence[str]
) -> list[Picture | None]:
    """A picture for each row of the data set, explaining the label named for it; None where the image is gone."""
    return [_picture(classifier, dataset, row, label) for row, label in zip(rows, labels, strict=True)]


def _picture(classifier: Classifier, dataset: Dataset, row: int, label: str) -> Picture | None:
    try:
        data = dataset.bytes_of(row, limits=classifier.limits)
        pixels = classifier.spec.apply(data, dataset.samples[row].roi, classifier.limits)
    except ImageError:
        return None
    heat = heat_of(classifier, pixels, classifier.schema.index(label))
    shown = _shown(pixels)
    return Picture(encode_webp(shown), None if heat is None else encode_webp(overlay(shown, heat)))


def _shown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every n-th pixel of a large input, so that a report of fifty pictures stays small."""
    step = max(1, max(pixels.shape[:2]) // _SIDE)
    return np.ascontiguousarray(pixels[::step, ::step])
