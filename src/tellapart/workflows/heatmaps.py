"""Heatmaps of answered images, as PNG files in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.heatmap import check_heat, heatmap_of
from tellapart.errors import DataError, ImageError, Reason
from tellapart.files import replacing
from tellapart.image.encode import encode_png
from tellapart.records import Prediction, Refusal, Roi


class HeatmapFolder:
    """Writes `NAME.png` for each answered image, `NAME-2.png` for the next of that name, the region's name behind it."""

    def __init__(self, classifier: Classifier, folder: str | Path) -> None:
        check_heat(classifier)
        self._classifier, self._folder = classifier, Path(folder)
        self._names: dict[str, int] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise self._refused(exc) from exc

    def write(
        self, outcomes: Iterator[Prediction | Refusal], rois: Iterator[Roi | None]
    ) -> Iterator[Prediction | Refusal]:
        """Pass the outcomes on, each with its picture written; `rois` gives the region of each.

        Raises:
            DataError: `write_failed`.
        """
        for outcome, roi in zip(outcomes, rois, strict=True):
            if isinstance(outcome, Prediction):
                self._picture(outcome, roi)
            yield outcome

    def _picture(self, answered: Prediction, roi: Roi | None) -> None:
        label = (answered.predicted or (answered.labels[int(answered.probabilities.argmax())],))[0]
        try:
            picture = heatmap_of(self._classifier, answered.uri, roi, label).overlay()
        except ImageError:
            return  # gone since it was answered: there is nothing left to show
        try:
            with replacing(self._folder / self._name(answered)) as temporary:
                temporary.write_bytes(encode_png(picture))
        except OSError as exc:
            raise self._refused(exc) from exc

    def _name(self, answered: Prediction) -> str:
        stem = Path(answered.uri).stem + (f"-{answered.roi}" if answered.roi else "")
        self._names[stem] = self._names.get(stem, 0) + 1
        return f"{stem}.png" if self._names[stem] == 1 else f"{stem}-{self._names[stem]}.png"

    def _refused(self, error: OSError) -> DataError:
        message = f"the heatmaps could not be written to {self._folder}: {error.strerror or error}"
        return DataError(Reason.WRITE_FAILED, message)
