"""Regions drawn on a picture, to check them and to read coordinates off: what is outside of all of them lies in shade."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.image.lettering import fitted, font, wrapped
from tellapart.image.overlay import Rgb, outline, scaled
from tellapart.records.roi import Roi

COLOURS: tuple[Rgb, ...] = (
    (255, 127, 14), (66, 165, 245), (102, 187, 106), (240, 98, 146), (255, 235, 59), (171, 71, 188), (38, 198, 218),
)  # fmt: skip
LONGEST_PX, LEAST_PX = 1280, 640
_PAPER, _INK, _FAINT = (250, 250, 250), (30, 30, 30), (120, 120, 120)
_SHADE = 0.35
_TENTHS = 10


def region_map(pixels: NDArray[np.uint8], rois: Sequence[Roi], legend: Sequence[str] = ()) -> NDArray[np.uint8]:
    """uint8 (h, w, 3): the picture with regions outlined and named, on a grid of tenths, over a line of `legend` for each.

    Ticks count 0 to 1 from the top left corner, as regions are written. The enclosing rectangle of a polygon is dashed: this
    is what is cut out, with everything outside the polygon masked. Without regions nothing is shaded.
    """
    picture = scaled(pixels, LONGEST_PX, LEAST_PX)
    thick, size_px = max(2, max(picture.size) // 400), max(12, min(20, picture.width // 40))
    if rois:
        picture = _shaded(picture, rois)
    _draw_grid(picture)
    for roi, colour in zip(rois, _colours(len(rois)), strict=True):
        if roi.is_polygon:
            _dash(picture, roi, colour)
        outline(picture, roi, colour, thick)
    _draw_names(picture, rois, size_px)
    return np.asarray(_framed(picture, legend, size_px))


def _colours(n: int) -> list[Rgb]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _shaded(picture: Image.Image, rois: Sequence[Roi]) -> Image.Image:
    """Dark wherever no region is, polygons filled as they are when they are cut out."""
    seen = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(seen)
    width, height = picture.size
    for roi in rois:
        if roi.is_polygon:
            draw.polygon([(x * width - 0.5, y * height - 0.5) for x, y in roi.points], fill=255)
        else:
            x0, y0, x1, y1 = roi.box
            left, top = x0 * width, y0 * height
            draw.rectangle((left, top, max(left, x1 * width - 1), max(top, y1 * height - 1)), fill=255)
    dark = picture.point(lambda value: value * _SHADE)
    return Image.composite(picture, dark, seen)


def _draw_grid(picture: Image.Image) -> None:
    """Light beside dark, so that it is seen on any picture; the middle stronger."""
    draw = ImageDraw.Draw(picture, "RGBA")
    width, height = picture.size
    for tenth in range(1, _TENTHS):
        strength = 120 if tenth == _TENTHS // 2 else 60
        x, y = tenth * width // _TENTHS, tenth * height // _TENTHS
        for aside, value in ((0, 255), (1, 0)):
            ink = (value, value, value, strength)
            draw.line((x + aside, 0, x + aside, height), fill=ink)
            draw.line((0, y + aside, width, y + aside), fill=ink)


def _dash(picture: Image.Image, roi: Roi, colour: Rgb) -> None:
    """The rectangle around a polygon."""
    draw = ImageDraw.Draw(picture)
    x0, y0, x1, y1 = (
        round(share * (side - 1)) for share, side in zip(roi.box, (*picture.size, *picture.size), strict=True)
    )
    for x in range(x0, x1, 12):
        draw.line((x, y0, min(x + 5, x1), y0), fill=colour)
        draw.line((x, y1, min(x + 5, x1), y1), fill=colour)
    for y in range(y0, y1, 12):
        draw.line((x0, y, x0, min(y + 5, y1)), fill=colour)
        draw.line((x1, y, x1, min(y + 5, y1)), fill=colour)


def _draw_names(picture: Image.Image, rois: Sequence[Roi], size_px: int) -> None:
    """Each at its region's top left corner, moved down where another name stands already."""
    draw, letters = ImageDraw.Draw(picture), font(size_px)
    taken: list[tuple[float, float, float, float]] = []
    line_px = round(size_px * 1.5)
    for number, (roi, colour) in enumerate(zip(rois, _colours(len(rois)), strict=True), 1):
        text = fitted(roi.name or str(number), letters, picture.width / 3)
        wide = letters.getlength(text) + 10
        x = min(roi.box[0] * picture.width, picture.width - wide)
        y = min(roi.box[1] * picture.height, picture.height - line_px)
        while any(x < right and left < x + wide and y < low and top < y + line_px for left, top, right, low in taken):
            y += line_px
        taken.append((x, y, x + wide, y + line_px))
        draw.rectangle((x, y, x + wide, y + line_px - 1), fill=colour)
        draw.text((x + 5, y + line_px * 0.1), text, fill=(0, 0, 0), font=letters)


def _framed(picture: Image.Image, legend: Sequence[str], size_px: int) -> Image.Image:
    """The picture between its ticks, and the legend below."""
    letters = font(size_px)
    left, top, line_px = round(size_px * 2.6), round(size_px * 1.7), round(size_px * 1.6)
    entries = [wrapped(entry, letters, picture.width - 2 * size_px) for entry in legend]
    below = line_px * sum(map(len, entries)) + (size_px if legend else size_px // 2)
    sheet = Image.new("RGB", (left + picture.width + size_px, top + picture.height + below), _PAPER)
    sheet.paste(picture, (left, top))
    draw = ImageDraw.Draw(sheet)
    for tenth in range(_TENTHS + 1):
        x, y = left + tenth * (picture.width - 1) / _TENTHS, top + tenth * (picture.height - 1) / _TENTHS
        draw.line((x, top - 5, x, top - 1), fill=_FAINT)
        draw.line((left - 5, y, left - 1, y), fill=_FAINT)
        text = f"{tenth / _TENTHS:g}"
        draw.text((x, top - 6), text, fill=_INK, font=letters, anchor="mb")
        draw.text((left - 8, y), text, fill=_INK, font=letters, anchor="rm")
    y = top + picture.height + size_px * 0.5
    for entry, colour in zip(entries, _colours(len(entries)), strict=True):
        draw.rectangle((left, y + size_px * 0.3, left + size_px, y + size_px * 1.3), fill=colour, outline=_FAINT)
        for line in entry:
            draw.text((left + 1.6 * size_px, y + size_px * 0.1), line, fill=_INK, font=letters)
            y += line_px
    return sheet
