"""A decision as one picture: what was decided, the images behind it in order of time, confidences and states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.image.lettering import font, wrapped
from tellapart.image.overlay import overlay
from tellapart.records.roi import Roi

WIDTH_PX = 1120
MOST_SHOTS = 12
_GAP, _COLUMNS = 10, 4
_PAPER, _INK, _EMPTY = (250, 250, 250), (30, 30, 30), (226, 226, 226)


@dataclass(frozen=True, slots=True)
class Shot:
    """An image, None where it is gone; `lines` stand below it."""

    pixels: NDArray[np.uint8] | None
    roi: Roi | None
    lines: tuple[str, ...]
    gone: str = ""


def story(told: Sequence[str], shots: Sequence[Shot], chart: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (h, 1120, 3): sentences (the first one larger), up to 12 images, and a chart of the same width."""
    parts = [_sentences(told), *_rows(shots[-MOST_SHOTS:]), Image.fromarray(chart)]
    height = sum(part.height + _GAP for part in parts) + _GAP
    sheet = Image.new("RGB", (WIDTH_PX, height), _PAPER)
    top = _GAP
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height + _GAP
    return np.asarray(sheet)


def _sentences(told: Sequence[str]) -> Image.Image:
    lines: list[tuple[str, int]] = []
    for number, sentence in enumerate(told):
        size = 21 if number == 0 else 15
        lines += [(line, size) for line in wrapped(sentence, font(size), WIDTH_PX - 4 * _GAP)]
    image = Image.new("RGB", (WIDTH_PX, sum(round(size * 1.45) for _, size in lines) or 1), _PAPER)
    draw, top = ImageDraw.Draw(image), 0
    for line, size in lines:
        draw.text((2 * _GAP, top), line, fill=_INK, font=font(size))
        top += round(size * 1.45)
    return image


def _rows(shots: Sequence[Shot]) -> list[Image.Image]:
    columns = max(1, min(_COLUMNS, len(shots)))
    side = min(420, (WIDTH_PX - 3 * _GAP) // columns - _GAP)
    return [_row(shots[start : start + columns], side) for start in range(0, len(shots), columns)]


def _row(shots: Sequence[Shot], side: int) -> Image.Image:
    cells = [_cell(shot, side) for shot in shots]
    row = Image.new("RGB", (WIDTH_PX, max(cell.height for cell in cells)), _PAPER)
    for number, cell in enumerate(cells):
        row.paste(cell, (2 * _GAP + number * (side + _GAP), 0))
    return row


def _cell(shot: Shot, side: int) -> Image.Image:
    pixels = shot.pixels if shot.pixels is not None else _nothing(shot.gone, side)
    roi = shot.roi if shot.pixels is not None else None
    drawn = Image.fromarray(overlay(pixels, roi, (), longest_px=side))
    texts = [line for text in shot.lines for line in wrapped(text, font(13), side)]
    cell = Image.new("RGB", (side, drawn.height + 4 + 18 * len(texts)), _PAPER)
    cell.paste(drawn, (0, 0))
    draw = ImageDraw.Draw(cell)
    for number, line in enumerate(texts):
        draw.text((0, drawn.height + 4 + number * 18), line, fill=_INK, font=font(13))
    return cell


def _nothing(why: str, side: int) -> NDArray[np.uint8]:
    image = Image.new("RGB", (side, side * 3 // 5), _EMPTY)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(wrapped(why, font(14), side - 20)):
        draw.text((10, 10 + number * 20), line, fill=_INK, font=font(14))
    return np.asarray(image)
