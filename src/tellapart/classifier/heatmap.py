"""Where in an image an answer comes from, laid over the image itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.evaluation.heatmaps import class_activation, overlay, place
from tellapart.heads.anomaly import AnomalyHead
from tellapart.heads.linear import LinearHead
from tellapart.image.geometry import covered
from tellapart.image.roi import crop
from tellapart.image.source import read_file
from tellapart.image.types import RgbImage
from tellapart.records import Roi

if TYPE_CHECKING:
    from tellapart.classifier.classifier import Classifier

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """An image, or its region, uint8 (height, width, 3), and its heat float32 (height, width) in 0–1.

    Of an anomaly model 0 is as strange as good images are, 0.5 the threshold, 1 as far above it; of others 1 is where most
    speaks for the label, whatever its probability. What the model does not see is 0.
    """

    pixels: NDArray[np.uint8]
    heat: Floats

    def overlay(self) -> NDArray[np.uint8]:
        """The picture, uint8 (height, width, 3): grey, glowing where there is heat."""
        return overlay(self.pixels, self.heat)


def has_heat(classifier: Classifier) -> bool:
    """Whether the model can tell where its answer comes from."""
    if isinstance(classifier.head, AnomalyHead):
        return classifier.head.grid != (1, 1)
    return isinstance(classifier.head, LinearHead) and classifier.backbone.card.feature_map_channels is not None


def check_heat(classifier: Classifier) -> None:
    """Raise `SettingsError` (`bad_setting`) for a model without heatmaps."""
    if not has_heat(classifier):
        message = (
            f"the model {classifier.card.name} judges an image as a whole and cannot tell where its answer comes from: train "
            "it by a network with a feature map, or, for anomalies, with --set anomaly.method=patchcore"
        )
        raise SettingsError(Reason.BAD_SETTING, message)


def heat_of(classifier: Classifier, pixels: NDArray[np.uint8], column: int) -> Floats | None:
    """Heat float32 (h', w') in 0–1 on what the network saw, uint8 (h, w, 3), for a label's column; None without any."""
    if not has_heat(classifier):
        return None
    features = classifier.backbone.run(pixels[None])
    head, channels = classifier.head, classifier.backbone.card.feature_map_channels
    if isinstance(head, AnomalyHead):
        above = head.patch_scores(features.embedding)[0] - np.float32(head.typical)
        return np.asarray(np.clip(above / max(2 * (1 - head.typical), 1e-6), 0, 1), np.float32)
    if features.feature_map is None or channels is None or not isinstance(head, LinearHead):
        return None
    heat = class_activation(features.feature_map, head.weight, np.array([column]), part=slice(*channels))
    return np.asarray(heat[0])


def heatmap_of(
    classifier: Classifier, source: str | bytes | RgbImage, roi: Roi | None = None, label: str | None = None
) -> Heatmap:
    """The heatmap of an image for a label; without one for the likeliest.

    Raises:
        ImageError: the image cannot be used.
        SettingsError: `bad_setting` for a model without heatmaps.
    """
    check_heat(classifier)
    shown, seen = _pictures(classifier, source, roi)
    if label is None:
        head = classifier.head
        column = int(head.probabilities(classifier.backbone.run(seen[None]).embedding)[0].argmax())
    else:
        column = classifier.schema.index(label)
    heat = heat_of(classifier, seen, column)
    assert heat is not None  # checked above
    height, width = shown.pixels.shape[:2]
    box = covered(classifier.spec.geometry, (width, height))
    return Heatmap(shown.pixels, place(heat, box, height, width))


def _pictures(
    classifier: Classifier, source: str | bytes | RgbImage, roi: Roi | None
) -> tuple[RgbImage, NDArray[np.uint8]]:
    """The region at the image's own size, and what the network sees of it."""
    spec, limits = classifier.spec, classifier.limits
    if isinstance(source, RgbImage):
        region = roi or spec.roi
        image = crop(source, region, background=spec.background) if region else source
        return image, spec.transform(image)
    data = source if isinstance(source, bytes) else read_file(source, limits)
    return spec.load_whole(data, roi, limits), spec.apply(data, roi, limits)
