"""What was seen, drawn on the image it was seen in: the region outlined, and below the picture what was made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.image.lettering import fitted, font
from tellapart.records.roi import Roi

Rgb = tuple[int, int, int]
LONGEST_PX, LEAST_PX = 1280, 320
_PAPER, _INK, _DARK = (250, 250, 250), (30, 30, 30), (20, 20, 20)


def overlay(
    pixels: NDArray[np.uint8],
    roi: Roi | None,
    lines: Sequence[str],
    *,
    colour: Rgb = (230, 85, 13),
    longest_px: int = LONGEST_PX,
) -> NDArray[np.uint8]:
    """uint8 (h, w, 3): the picture, made smaller where a side is longer than `longest_px`, with lines of text below.

    Small pictures are enlarged by a whole factor, pixel by pixel, so that text has room.
    """
    picture = scaled(pixels, longest_px)
    thick = max(3, max(picture.size) // 240)
    if roi is not None:
        outline(picture, roi, colour, thick)
    size_px = max(13, min(26, picture.width // 36))
    line_px = round(size_px * 1.4)
    sheet = Image.new("RGB", (picture.width, picture.height + line_px * len(lines) + (8 if lines else 0)), _PAPER)
    sheet.paste(picture, (0, 0))
    draw, letters = ImageDraw.Draw(sheet), font(size_px)
    for number, line in enumerate(lines):
        text = fitted(line, letters, sheet.width - 12)
        draw.text((6, picture.height + 4 + number * line_px), text, fill=_INK, font=letters)
    return np.asarray(sheet)


def scaled(pixels: NDArray[np.uint8], longest_px: int, least_px: int = LEAST_PX) -> Image.Image:
    """A picture to look at, neither larger nor much smaller than asked for."""
    image = Image.fromarray(pixels)
    longest = max(image.size)
    if longest > longest_px:
        size = tuple(max(1, side * longest_px // longest) for side in image.size)
        return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    times = max(1, least_px // longest)
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def outline(picture: Image.Image, roi: Roi, colour: Rgb, thick_px: int) -> None:
    """Draw the border of a region, dark on both sides so that it is seen on any picture."""
    width, height = picture.width - 1, picture.height - 1
    x0, y0, x1, y1 = roi.box
    corners = roi.points if roi.is_polygon else ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    places = [(x * width, y * height) for x, y in [*corners, corners[0], corners[1]]]
    draw = ImageDraw.Draw(picture)
    draw.line(places, fill=_DARK, width=thick_px + 2, joint="curve")
    draw.line(places, fill=colour, width=thick_px, joint="curve")
