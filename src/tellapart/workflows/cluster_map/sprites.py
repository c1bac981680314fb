"""Small pictures of images, many in one file, so that thousands fit into a page."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.cores import available_cores
from tellapart.clusters.layout import balanced
from tellapart.errors import ImageError
from tellapart.image.encode import encode_webp
from tellapart.image.geometry import Fit
from tellapart.image.preprocess import PreprocessSpec
from tellapart.workflows.cluster_result import Clustered
from tellapart.workflows.progress import Progress, silent

MOST_PICTURES, MOST_BYTES = 10_000, 14_000_000
"""Bytes before base64, which makes four of three: 20 MB with the rest of the page."""
# The fewer, the larger: sides in px up to so many pictures.
_SIDES = ((300, 128), (1_200, 96), (5_000, 64), (MOST_PICTURES, 48))
_SHEET_PX = 1_024
_QUALITY = 70
_TYPICAL = 12
# Between the greys of dark and of bright pictures: where a picture ends must be seen on both.
_BESIDE = (0x7A, 0x82, 0x8C)


@dataclass(frozen=True, slots=True)
class Sprites:
    """Square pictures of `side` px in sheets of WebP, `columns` in a line and `per_sheet` in a sheet, from the top left.

    `place` int64 (n,) is the number of the picture of each row, -1 for none: left out for want of room, or its image gone.
    """

    side: int
    columns: int
    per_sheet: int
    sheets: tuple[bytes, ...]
    place: NDArray[np.int64]
    n_gone: int

    @property
    def n_pictures(self) -> int:
        """Rows that have a picture."""
        return int((self.place >= 0).sum())


def sprites(clustered: Clustered, *, workers: int = 0, progress: Progress = silent) -> Sprites:
    """Pictures of at most 10,000 images and about 14 MB; where that is not all, of those that `chosen` puts first."""
    rows = chosen(clustered, MOST_PICTURES)
    side = next(px for most, px in _SIDES if len(rows) <= most)
    columns = _SHEET_PX // side
    drawing = _Drawing(clustered, side, columns)
    place, n_gone = np.full(len(clustered.dataset), -1, np.int64), 0
    sheets: list[bytes] = []
    with ThreadPoolExecutor(workers or available_cores()) as pool:
        rows = chosen(clustered, min(len(rows), drawing.room(rows, pool)))
        for start in range(0, len(rows), drawing.per_sheet):
            progress("reading pictures", start, len(rows))
            part = rows[start : start + drawing.per_sheet]
            kept, sheet = drawing.sheet(part, pool)
            n_gone += len(part) - len(kept)
            if kept:
                place[kept] = len(sheets) * drawing.per_sheet + np.arange(len(kept))
                sheets.append(sheet)
    return Sprites(side, columns, drawing.per_sheet, tuple(sheets), place, n_gone)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Sheets of `columns` × `columns` pictures of `side` px."""

    clustered: Clustered
    side: int
    columns: int

    @property
    def per_sheet(self) -> int:
        return self.columns**2

    def sheet(self, rows: Sequence[int], pool: ThreadPoolExecutor) -> tuple[list[int], bytes]:
        """The rows whose pictures could be read, and these as one file."""
        spec = whole_picture(self.clustered.pool.spec, self.side)
        tiles = list(pool.map(lambda row: _picture(self.clustered, row, spec), rows))
        read = [(row, tile) for row, tile in zip(rows, tiles, strict=True) if tile is not None]
        if not read:
            return [], b""
        joined = _joined([tile for _, tile in read], self.side, self.columns)
        return [row for row, _ in read], encode_webp(joined, quality=_QUALITY)

    def room(self, rows: Sequence[int], pool: ThreadPoolExecutor) -> int:
        """How many pictures `MOST_BYTES` hold, by one sheet of them from all over the rows; at least a sheet."""
        if len(rows) <= self.per_sheet:
            return len(rows)
        kept, sheet = self.sheet(rows[:: -(-len(rows) // self.per_sheet)], pool)
        return max(self.per_sheet, MOST_BYTES * len(kept) // len(sheet)) if kept else len(rows)


def chosen(clustered: Clustered, most: int) -> list[int]:
    """Rows, at most `most`: all, else typical and unusual ones, then mistakes, then each cluster's share of the rest."""
    n = len(clustered.dataset)
    if n <= most:
        return list(range(n))
    first: list[int] = []
    for cluster in range(clustered.clusters.n_clusters):
        first += clustered.typical(cluster, _TYPICAL) + clustered.unusual(cluster, _TYPICAL)
    verdicts: Sequence[str] = clustered.told.verdicts if clustered.told else ()
    first += [row for row, verdict in enumerate(verdicts) if verdict == "wrong"][: most // 2]
    first += balanced(clustered.clusters.of, most, seed=clustered.seed).tolist()
    return sorted(list(dict.fromkeys(first))[:most])


def whole_picture(spec: PreprocessSpec | None, side: int) -> PreprocessSpec:
    """A whole image within a square of `side` px, with the grey levels as `spec` sees them (None: not known)."""
    fitted = Fit(side, side, background=_BESIDE)
    return PreprocessSpec(fitted) if spec is None else replace(spec, geometry=fitted)


def _picture(clustered: Clustered, row: int, spec: PreprocessSpec) -> NDArray[np.uint8] | None:
    dataset, limits = clustered.dataset, clustered.pool.limits
    try:
        return spec.apply(dataset.bytes_of(row, limits=limits), dataset.samples[row].roi, limits)
    except ImageError:
        return None


def _joined(tiles: Sequence[NDArray[np.uint8]], side: int, columns: int) -> NDArray[np.uint8]:
    lines = -(-len(tiles) // columns)
    sheet = np.full((lines * side, min(columns, len(tiles)) * side, 3), _BESIDE, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * side, number % columns * side
        sheet[top : top + side, left : left + side] = tile
    return sheet
