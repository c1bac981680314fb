"""Decoded images of any size in one file, read through the memory map: what a training reads again in every epoch.

pixels.bin   the pixels of all images, one behind the other, uint8 (height, width, 3) each
pixels.npy   where each begins and how large it is
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, TrainingError
from tellapart.image.types import RgbImage

_ENTRY = np.dtype([("offset", "<i8"), ("height", "<i4"), ("width", "<i4"), ("box", "<f8", (4,))])


class PixelWriter:
    """Appends images; `with PixelWriter(folder) as pixels: pixels.add(image)`. The index is written at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: list[tuple[int, int, int, tuple[float, ...]]] = []
        self._offset = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> PixelWriter:
        self._file = (self._folder / "pixels.bin").open("wb")
        return self

    def add(self, image: RgbImage) -> None:
        """Append one image.

        Raises:
            OSError: as any writing does.
        """
        if self._file is None:
            raise RuntimeError("PixelWriter is used in a with block")
        height, width = image.pixels.shape[:2]
        self._entries.append((self._offset, height, width, image.box or (np.nan,) * 4))
        self._file.write(np.ascontiguousarray(image.pixels).data)
        self._offset += image.pixels.nbytes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if kind is None:
            np.save(self._folder / "pixels.npy", np.array(self._entries, _ENTRY), allow_pickle=False)


class PixelStore:
    """The images of a folder by their number, without reading more of the file than one image.

    Raises:
        TrainingError: `job_damaged` when the files are missing, unreadable or do not belong together.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._index: NDArray[Any] = np.load(folder / "pixels.npy", allow_pickle=False)
            self._pixels = np.memmap(folder / "pixels.bin", np.uint8, "r")
        except (OSError, ValueError, EOFError) as exc:
            message = f"the images of the training in {folder} cannot be read ({exc}); start it afresh"
            raise TrainingError(Reason.JOB_DAMAGED, message) from exc
        self._check()

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, row: int) -> RgbImage:
        """Image `row`; its pixels are a read-only view of the file."""
        entry = self._index[row]
        offset, height, width = int(entry["offset"]), int(entry["height"]), int(entry["width"])
        pixels = self._pixels[offset : offset + height * width * 3].reshape(height, width, 3)
        box = None if np.isnan(entry["box"][0]) else tuple(float(side) for side in entry["box"])
        return RgbImage(pixels, (width, height), box)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[type[PixelStore], tuple[Path]]:
        """Another process opens the file itself."""
        return type(self), (self._folder,)

    def _check(self) -> None:
        ok = self._index.dtype == _ENTRY and self._index.ndim == 1 and len(self._index) > 0
        if ok:
            sizes = self._index["height"].astype(np.int64) * self._index["width"] * 3
            ok = bool((sizes > 0).all() and (np.cumsum(sizes) == self._index["offset"] + sizes).all())
            ok = ok and int(sizes.sum()) == len(self._pixels)
        if not ok:
            message = f"the images of the training in {self._folder} are damaged or incomplete; start it afresh"
            raise TrainingError(Reason.JOB_DAMAGED, message)
