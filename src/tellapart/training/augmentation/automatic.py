"""RandAugment and TrivialAugment: random operations of one list, with torchvision's kernels for the colours.

torchvision's own classes draw from torch's global generator, which threads share and a training must be able to restore:
here the draws come from the image's seed. The list and its strengths are torchvision's, compared by a test.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from PIL import Image

from tellapart.training.augmentation.operations import OPERATIONS, RAND, TRIVIAL, apply_operation

# Operations per image and strength of RandAugment (of 30), torchvision's defaults; Cubuk et al. 2020.
_N_OPERATIONS, _STRENGTH = 2, 9
_BINS = 31


def automatic(image: Image.Image, policy: Literal["rand", "trivial"], rng: Random) -> Image.Image:
    """An RGB image after two operations of middling strength (rand) or one of any strength (trivial); same size."""
    if policy == "trivial":
        return apply_operation(image, rng.choice(OPERATIONS), TRIVIAL, rng.randrange(_BINS) / (_BINS - 1), rng)
    for _ in range(_N_OPERATIONS):
        image = apply_operation(image, rng.choice(OPERATIONS), RAND, _STRENGTH / (_BINS - 1), rng)
    return image
