"""What is left of each class when images are augmented: what the check `augmentations` looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AUGMENTATIONS = (
    "horizontal flips",
    "vertical flips",
    "rotations by 90 degrees",
    "rotations by 180 degrees",
    "changes of hue",
)
"""By the names that sentences call them."""


@dataclass(frozen=True, slots=True)
class Variants:
    """Which labels held-out heads recognise on m images (`rows` of the evidence, int64), before and after augmentation.

    `plain` bool (m, k) is of a head that learned from other images as they are. `varied`, by augmentation, bool (2, m, k) is
    of a head that learned from other images in both forms, and looks at the images as they are, and augmented: where two
    classes become one it may still be right on either, but not on both.
    """

    rows: NDArray[np.int64]
    plain: NDArray[np.bool_]
    varied: Mapping[str, NDArray[np.bool_]]
