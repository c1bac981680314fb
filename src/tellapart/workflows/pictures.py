"""Pictures of single images for a report: small, with a heatmap where the backbone has a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError
from tellapart.evaluation.heatmaps import class_activation, overlay
from tellapart.heads.linear import LinearHead
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
    heat = _heat(classifier, pixels, classifier.schema.index(label))
    shown = _shown(pixels)
    return Picture(encode_webp(shown), None if heat is None else encode_webp(overlay(shown, heat)))


def _heat(classifier: Classifier, pixels: NDArray[np.uint8], column: int) -> NDArray[np.float32] | None:
    features = classifier.backbone.run(pixels[None])
    channels = classifier.backbone.card.feature_map_channels
    if features.feature_map is None or channels is None or not isinstance(classifier.head, LinearHead):
        return None
    part = slice(*channels)
    heat = class_activation(features.feature_map, classifier.head.weight, np.array([column]), part=part)
    return np.asarray(heat[0])


def _shown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every n-th pixel of a large input, so that a report of fifty pictures stays small."""
    step = max(1, max(pixels.shape[:2]) // _SIDE)
    return np.ascontiguousarray(pixels[::step, ::step])
