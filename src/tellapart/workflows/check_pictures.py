"""Small pictures of images that findings are about."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from tellapart.classifier.cores import available_cores
from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError, SpecError
from tellapart.image.encode import encode_webp
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits


class Sight(Protocol):
    """How images are seen: what a thumbnail needs of an `Embedder`."""

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing."""
        ...

    @property
    def limits(self) -> DecodeLimits:
        """Ceilings for decoding."""
        ...


_SIDE_PX = 160
# Between the greys of dark and of bright pictures: where a picture ends must be seen on both.
_BESIDE = "#7a828c"


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """WebP bytes by row; none for images that are gone meanwhile."""

    by_row: dict[int, bytes]

    @classmethod
    def of(cls, dataset: Dataset, rows: Sequence[int], embedder: Sight, *, workers: int = 0) -> Thumbnails:
        """Read each of the rows once."""
        wanted = list(dict.fromkeys(rows))
        spec = whole_picture(embedder.spec, _SIDE_PX)
        with ThreadPoolExecutor(workers or available_cores()) as pool:
            made = list(pool.map(lambda row: _thumbnail(dataset, row, spec, embedder), wanted))
        return cls({row: data for row, data in zip(wanted, made, strict=True) if data is not None})

    def get(self, row: int) -> bytes | None:
        """The picture of a row."""
        return self.by_row.get(row)


def whole_picture(spec: PreprocessSpec, side_px: int) -> PreprocessSpec:
    """The whole image, letterboxed to a square, with the grey levels of the preprocessing `spec`."""
    intensity = [step for step in str(spec).split("|") if step.startswith("intensity")]
    try:
        return PreprocessSpec.parse("|".join(["decode", "upright", *intensity, f"fit({side_px},background={_BESIDE})"]))
    except SpecError:
        return spec


def _thumbnail(dataset: Dataset, row: int, spec: PreprocessSpec, embedder: Sight) -> bytes | None:
    try:
        data = dataset.bytes_of(row, limits=embedder.limits)
        return encode_webp(spec.apply(data, dataset.samples[row].roi, embedder.limits), quality=75)
    except ImageError:
        return None
