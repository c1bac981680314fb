"""A picture of what the network sees: for each image the plain one and seven that went through the augmentation."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tellapart.extras import require
from tellapart.image.encode import encode_png
from tellapart.image.preprocess import PreprocessSpec
from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.presets import explain, resolved
from tellapart.training.augmentation.transforms import Pixels, make_pipeline, seed_of

N_VARIANTS = 7
# Of so many mixtures of a batch, the one is shown that keeps about this share of each image.
_ATTEMPTS, _SHARE = 16, 0.65
# Sides of a cell in pixels: small images are enlarged by a whole factor, large ones made smaller.
_SMALLEST, _LARGEST = 96, 176
_GAP, _TEXT_PX, _LINE_PX = 4, 13, 18
_PAPER, _INK = (250, 250, 250), (30, 30, 30)


def contact_sheet(images: Sequence[Pixels], augmentation: Augmentation, spec: PreprocessSpec, seed: int = 0) -> bytes:
    """PNG: a row for each image uint8 (h, w, 3), above them what the augmentation keeps and changes.

    Every cell is the spec's output, enlarged or made smaller to be looked at. The columns are the epochs 0 to 6 of a
    training with this seed, of images 0, 1, …. Where the images of a batch are mixed, the last column or two show it, with
    the rows as the batch: in all columns nothing else could be judged. `images` has at least one.

    Raises:
        MissingExtra: without torch, where images are mixed or changed automatically.
    """
    augment = make_pipeline(augmentation, spec)
    columns = [np.stack([spec.geometry(Image.fromarray(pixels)) for pixels in images])]
    columns += [
        np.stack([augment(pixels, seed_of(seed, epoch, i)) for i, pixels in enumerate(images)])
        for epoch in range(N_VARIANTS)
    ]
    titles = ["original", *(f"epoch {epoch + 1}" for epoch in range(N_VARIANTS))]
    for column, (name, way) in enumerate(_ways_of_mixing(resolved(augmentation)), 1):
        columns[-column] = _mixed(columns[-column], way, seed)
        titles[-column] = name
    return encode_png(_drawn(columns, titles, explain(augmentation)))


def rows_to_show(targets: NDArray[np.generic], n: int = 6, seed: int = 0) -> list[int]:
    """Up to `n` rows of a matrix (images, labels) of 0 and 1: each label in turn, images by chance, none twice."""
    rng = Random(seed)
    of_label = [rng.sample(rows, len(rows)) for column in targets.T if (rows := np.flatnonzero(column).tolist())]
    chosen = dict.fromkeys(rows[turn] for turn in range(n) for rows in of_label if turn < len(rows))
    return list(chosen)[:n]


def _ways_of_mixing(full: Augmentation) -> list[tuple[str, Augmentation]]:
    """Each by itself: a batch has one of them."""
    mixup = [("mixup", full.model_copy(update={"cutmix": 0.0}))] if full.mixup else []
    cutmix = [("CutMix", full.model_copy(update={"mixup": 0.0}))] if full.cutmix else []
    return cutmix + mixup


def _mixed(images: NDArray[np.uint8], way: Augmentation, seed: int) -> NDArray[np.uint8]:
    """A batch that was mixed to be seen: most mixtures of mixup are nearly one image or the other."""
    torch = require("torch", extra="train", feature="mixing images")
    from tellapart.training.augmentation.mixing import make_mixer

    mix = make_mixer(way)
    batch, whose = torch.from_numpy(images).permute(0, 3, 1, 2), torch.eye(len(images))
    if mix is None or len(images) < 2:
        return images
    mixtures = (mix(batch, whose, seed_of(seed, N_VARIANTS, attempt)) for attempt in range(_ATTEMPTS))
    mixed = min(mixtures, key=lambda mixture: abs(float(mixture[1][0, 0]) - _SHARE))[0]
    pixels: NDArray[np.uint8] = mixed.permute(0, 2, 3, 1).numpy()
    return pixels


def _drawn(columns: Sequence[NDArray[np.uint8]], titles: Sequence[str], lines: Sequence[str]) -> NDArray[np.uint8]:
    size = _cell_size(columns[0].shape[2], columns[0].shape[1])
    width = len(columns) * (size[0] + _GAP) + _GAP
    font = ImageFont.load_default(_TEXT_PX)
    text = [part for line in lines for part in _wrapped(line, font, width - 2 * _GAP)]
    top = _GAP + (len(text) + 1) * _LINE_PX + _GAP
    sheet = Image.new("RGB", (width, top + len(columns[0]) * (size[1] + _GAP)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, part in enumerate(text):
        draw.text((_GAP, _GAP + number * _LINE_PX), part, _INK, font)
    for column, (pixels, title) in enumerate(zip(columns, titles, strict=True)):
        left = _GAP + column * (size[0] + _GAP)
        draw.text((left, top - _GAP - _LINE_PX), title, _INK, font)
        for row, cell in enumerate(pixels):
            sheet.paste(_shown(Image.fromarray(cell), size), (left, top + row * (size[1] + _GAP)))
    return np.asarray(sheet)


def _wrapped(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    letters = int(len(line) * width / font.getlength(line) * 0.95)
    together = line.replace(" %", "\xa0%")  # which the font has no letter for
    return [part.replace("\xa0", " ") for part in textwrap.wrap(together, max(20, letters), subsequent_indent="    ")]


def _cell_size(width: int, height: int) -> tuple[int, int]:
    longest = max(width, height)
    if longest > _LARGEST:
        return max(1, width * _LARGEST // longest), max(1, height * _LARGEST // longest)
    times = -(-_SMALLEST // longest)
    return width * times, height * times


def _shown(cell: Image.Image, size: tuple[int, int]) -> Image.Image:
    larger = size[0] > cell.width
    return cell.resize(size, Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS)
