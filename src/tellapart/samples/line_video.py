"""Pictures as video files, by OpenCV's own Motion JPEG writer: it needs no codec of the system."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart import extras


class VideoFiles:
    """One video after the other: a new path begins a new one. Use as a context.

    Raises:
        MissingExtra: OpenCV is not installed.
    """

    def __init__(self, fps: float) -> None:
        self._cv2 = extras.require("cv2", extra="watch", feature="writing video files")
        self._fps, self._path = fps, Path()
        self._writer: Any = None

    def add(self, path: Path, pixels: NDArray[np.uint8]) -> None:
        """Add a picture, uint8 (h, w, 3) sRGB; all of one video have the same size.

        Raises:
            OSError: the file cannot be written.
        """
        if path != self._path:
            self.close()
            self._path, self._writer = path, self._begun(path, pixels.shape[1], pixels.shape[0])
        self._writer.write(np.ascontiguousarray(pixels[:, :, ::-1]))

    def close(self) -> None:
        """End the video under way."""
        if self._writer is not None:
            self._writer.release()
        self._path, self._writer = Path(), None

    def __enter__(self) -> VideoFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begun(self, path: Path, width: int, height: int) -> Any:
        cv2 = self._cv2
        path.parent.mkdir(exist_ok=True)
        code = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, code, self._fps, (width, height))
        if not writer.isOpened():
            raise OSError(None, "OpenCV cannot write this video", str(path))
        return writer
