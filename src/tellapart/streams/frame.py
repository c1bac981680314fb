"""One image of a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """What a camera delivered at one instant.

    `image` is uint8 (height, width, 3) sRGB pixels, or the bytes of an image file where the source delivers files (folder,
    snapshot, MJPEG): these are decoded by the model's own path. `at_s` is the time of capture in seconds since 1970 of a
    clock that does not jump (`streams.clock`), the same in a replay. `number` counts the frames that were sampled from this
    camera since it was started, dropped ones included.
    """

    camera: str
    number: int
    at_s: float
    image: NDArray[np.uint8] | bytes
    uri: str = ""
    trigger: str | None = None

    @property
    def n_bytes(self) -> int:
        """Memory that the image takes."""
        return len(self.image) if isinstance(self.image, bytes) else self.image.nbytes


def observation_id(camera: str, region: str, at_s: float) -> str:
    """Names what was seen: camera, region and the instant to the microsecond. The same in a replay."""
    return f"{camera}/{region}@{at_s:.6f}" if region else f"{camera}@{at_s:.6f}"
