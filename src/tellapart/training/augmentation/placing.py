"""Where the picture is cut, turned and mirrored: one sampling of the pixels at most, and none where whole pixels move."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.settings.recipe import Augmentation

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels."""
# Up to so many pixels, what is fine is as fine as a pixel: bilinear takes a fifth of the sharpness of CIFAR-10's images,
# which are sharp when the model is used, bicubic 3 %. Larger ones are made smaller by the spec, which hides it.
_SMALL_PX = 96 * 96
_TURNS = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


def place(image: Image.Image, augmentation: Augmentation, rng: Random) -> Image.Image:
    """Crop, turn and mirror; `augmentation` has all fields filled."""
    box = crop_box(image.size, augmentation.crop or 0.0, rng)
    most = augmentation.rotation_degrees or 0.0
    image = turned_crop(image, box, rng.uniform(-most, most)) if most else cropped(image, box)
    if augmentation.horizontal_flip and rng.random() < augmentation.horizontal_flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if augmentation.vertical_flip and rng.random() < augmentation.vertical_flip:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    turn = _TURNS[rng.randrange(4)] if augmentation.quarter_turns else None
    return image if turn is None else image.transpose(turn)


def crop_box(size: tuple[int, int], smallest: float, rng: Random) -> Box:
    """A box of the image's aspect anywhere within; its share of the area is uniform in [smallest, 1]."""
    if smallest >= 1:
        return 0, 0, *size
    side = math.sqrt(rng.uniform(smallest, 1))
    width, height = (max(1, round(length * side)) for length in size)
    left, top = rng.randint(0, size[0] - width), rng.randint(0, size[1] - height)
    return left, top, left + width, top + height


def cropped(image: Image.Image, box: Box) -> Image.Image:
    """The pixels of a box."""
    return image if box == (0, 0, *image.size) else image.crop(box)


def turned_crop(image: Image.Image, box: Box, degrees: float) -> Image.Image:
    """The box turned about its centre, to the left for positive degrees; bicubic where it is small, else bilinear.

    What the turned box reaches is real picture as far as there is any, and beyond the edge the picture mirrored. Black
    corners would be edges that no image has when the model is used, and tell the network by how much it was turned.
    """
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2
    x = centre_x - cosine * width / 2 + sine * height / 2
    y = centre_y - sine * width / 2 - cosine * height / 2
    return warped(image, (cosine, -sine, x, sine, cosine, y), (width, height))


def warped(
    image: Image.Image, inverse: tuple[float, float, float, float, float, float], size: tuple[int, int]
) -> Image.Image:
    """(x, y) of the result shows (a x + b y + c, d x + e y + f) of the image, continuous; mirrored beyond its edges."""
    a, b, c, d, e, f = inverse
    reach_x = _reach(a * size[0], b * size[1], c, image.width)
    reach_y = _reach(d * size[0], e * size[1], f, image.height)
    if any((*reach_x, *reach_y)):
        image = mirrored_beyond(image, reach_x, reach_y)
        c, f = c + reach_x[0], f + reach_y[0]
    how = Image.Resampling.BICUBIC if size[0] * size[1] <= _SMALL_PX else Image.Resampling.BILINEAR
    return image.transform(size, Image.Transform.AFFINE, (a, b, c, d, e, f), how)


def _reach(along: float, across: float, start: float, length: int) -> tuple[int, int]:
    """Pixels that the corners of a parallelogram lie before 0 and beyond `length`; two more for the interpolation."""
    lowest = start + min(0.0, along) + min(0.0, across)
    highest = start + max(0.0, along) + max(0.0, across)
    return max(0, math.ceil(2 - lowest)), max(0, math.ceil(highest + 2 - length))


def mirrored_beyond(image: Image.Image, x: tuple[int, int], y: tuple[int, int]) -> Image.Image:
    """The image with so many columns before and after and rows above and below, mirrored at its edges."""
    width, height = image.size
    if max(x) > width or max(y) > height:  # mirrored again and again
        pixels: NDArray[np.uint8] = np.asarray(image)
        return Image.fromarray(np.pad(pixels, (y, x, (0, 0)), mode="symmetric"))
    left, top, right, bottom = x[0], y[0], x[0] + width, y[0] + height
    wider = Image.new("RGB", (right + x[1], bottom + y[1]))
    wider.paste(image, (left, top))
    _mirror(wider, (left, top, 2 * left, bottom), (0, top), Image.Transpose.FLIP_LEFT_RIGHT)
    _mirror(wider, (right - x[1], top, right, bottom), (right, top), Image.Transpose.FLIP_LEFT_RIGHT)
    _mirror(wider, (0, top, wider.width, 2 * top), (0, 0), Image.Transpose.FLIP_TOP_BOTTOM)
    _mirror(wider, (0, bottom - y[1], wider.width, bottom), (0, bottom), Image.Transpose.FLIP_TOP_BOTTOM)
    return wider


def _mirror(image: Image.Image, box: Box, to: tuple[int, int], how: Image.Transpose) -> None:
    if box[0] < box[2] and box[1] < box[3]:
        image.paste(image.crop(box).transpose(how), to)
