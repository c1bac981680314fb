"""Do two thumbnails show the same thing? Align them, then compare them block by block.

Everything here is blind to brightness and contrast: pictures are first reduced to two bands of local contrast, a
coarse one (half size) to align by and a fine one (full size) to compare by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

# Bands are kept as int8, so that 100,000 pictures of 64 x 64 take 0.5 GB and not 2 GB.
_LEVELS_PER_UNIT = np.float32(31.0)
_CHUNK = 256  # pictures or pairs worked on at a time: what fits the processor's cache
_BLOCKS = 8  # the fine band is compared in 8 x 8 blocks
_MAX_SCALE, _MAX_SHIFT = 0.15, 0.15  # beyond this an alignment is a mistake, not a crop
_FINE_STEPS = 4  # where greys are compared and not only contours
_EVEN = 0.1  # variance under which a block is called even, in units of local contrast


@dataclass(frozen=True, slots=True)
class Bands:
    """Local contrast of n pictures: `coarse` int8 (n, s/2, s/2) and `fine` int8 (n, s, s), 31 levels per unit."""

    coarse: Int8
    fine: Int8


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the second picture of each pair lies on the first, about the centre; all float32 (p,).

    `shift_*` in parts of the picture's side, positive where the second must be read further right or down; `scale_*`
    as factors; `shear_x` (of x, per y) and `shear_y` as slopes: a small turn is one positive, one negative.
    """

    shift_x: Float32
    shift_y: Float32
    scale_x: Float32
    scale_y: Float32
    shear_x: Float32
    shear_y: Float32


@lru_cache(maxsize=32)
def _blur_matrix(size: int, sigma: float) -> Float32:
    """A Gaussian blur of a row of `size` as a matrix (size, size), reflecting at the border."""
    centre = np.arange(size)
    mirrored = np.concatenate([-1 - centre, centre, 2 * size - 1 - centre])
    weights = np.exp(-0.5 * ((mirrored[:, None] - centre[None, :]) / sigma) ** 2)
    matrix = weights.reshape(3, size, size).sum(0)
    return np.asarray(matrix / matrix.sum(0), dtype=np.float32)


def _blur(pictures: Float32, sigma: float) -> Float32:
    matrix = _blur_matrix(pictures.shape[-1], sigma)
    return np.asarray(np.matmul(matrix.T, pictures @ matrix), dtype=np.float32)


def _local_contrast(pictures: Float32, fine: float, coarse: float, window: float, floor: float) -> Float32:
    """Difference of Gaussians divided by its own local standard deviation (local response normalisation).

    `floor` (grey levels) keeps the noise of an even surface from being blown up to full contrast.
    """
    band = _blur(pictures, fine) - _blur(pictures, coarse)
    deviation = np.sqrt(_blur(band * band, window))
    return np.asarray(band / (deviation + np.float32(floor)), dtype=np.float32)


def _to_int8(band: Float32) -> Int8:
    return np.asarray(np.clip(np.rint(band * _LEVELS_PER_UNIT), -127, 127), dtype=np.int8)


def _to_float(band: Int8) -> Float32:
    return band.astype(np.float32) / _LEVELS_PER_UNIT


def contrast_bands(thumbnails: npt.NDArray[np.uint8], floor: float = 1.5) -> Bands:
    """Local-contrast bands of grey thumbnails, uint8 (n, s, s) with s a multiple of 16; `floor` in grey levels."""
    n, size, _ = thumbnails.shape
    half, unit = size // 2, size / 64
    coarse = np.empty((n, half, half), np.int8)
    fine = np.empty((n, size, size), np.int8)
    for start in range(0, n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        full = thumbnails[rows].astype(np.float32)
        small = (full[:, ::2, ::2] + full[:, 1::2, ::2] + full[:, ::2, 1::2] + full[:, 1::2, 1::2]) / np.float32(4)
        coarse[rows] = _to_int8(_local_contrast(small, 0.75 * unit, 3 * unit, 4 * unit, floor))
        fine[rows] = _to_int8(_local_contrast(full, 0.7 * unit, 3 * unit, 6 * unit, floor))
    return Bands(coarse, fine)


def descriptors(bands: Bands, order: int = 12) -> Float32:
    """Unit vectors float32 (n, order²) that stay close under exposure, small shifts and crops.

    The low two-dimensional cosine frequencies of the coarse band. A picture without contrast gets the zero vector.
    """
    size = bands.coarse.shape[1]
    phase = np.pi / size * (np.arange(size) + 0.5)[:, None] * np.arange(order)[None, :]
    basis = np.asarray(np.cos(phase) * np.sqrt(2 / size), dtype=np.float32)
    found = np.empty((len(bands.coarse), order * order), np.float32)
    for start in range(0, len(found), _CHUNK):
        rows = slice(start, start + _CHUNK)
        block = np.matmul(basis.T, _to_float(bands.coarse[rows]) @ basis)
        found[rows] = block.reshape(len(block), -1)
    found[:, 0] = 0  # the mean carries exposure only
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-3, found / np.maximum(length, 1e-3), 0), dtype=np.float32)


def _shift_by_correlation(first: Float32, second: Float32, reach: int) -> tuple[Float32, Float32]:
    """Whole-pixel shifts (x, y) at which `second` must be read to match `first`, by FFT cross-correlation."""
    spectrum = np.fft.rfft2(first) * np.conj(np.fft.rfft2(second))
    surface = np.fft.irfft2(spectrum, s=first.shape[1:])
    steps = np.arange(-reach, reach + 1)
    best = surface[:, steps[:, None], steps[None, :]].reshape(len(first), -1).argmax(1)
    return -steps[best % len(steps)].astype(np.float32), -steps[best // len(steps)].astype(np.float32)


def _tangents(pictures: Float32) -> Float32:
    """Derivatives (n, 6, s²) by shift x, shift y, scale x, scale y, shear x, shear y (coordinates -1 to 1)."""
    size = pictures.shape[1]
    dy, dx = np.zeros_like(pictures), np.zeros_like(pictures)
    dx[:, :, 1:-1] = (pictures[:, :, 2:] - pictures[:, :, :-2]) / 2
    dy[:, 1:-1] = (pictures[:, 2:] - pictures[:, :-2]) / 2
    place = np.asarray((np.arange(size) - (size - 1) / 2) / (size / 2), dtype=np.float32)
    x, y = place[None, None, :], place[None, :, None]
    return np.stack([dx, dy, x * dx, y * dy, y * dx, x * dy], axis=1).reshape(len(pictures), 6, -1)


def _resampling(scale: Float32, shift: Float32, size: int) -> Float32:
    """Linear interpolation matrices (p, size, size); rows that would read outside the picture are zero."""
    centre = np.float32((size - 1) / 2)
    place = (np.arange(size, dtype=np.float32) - centre)[None, :] * scale[:, None] + centre + shift[:, None]
    inside = (place >= -0.5) & (place <= size - 0.5)
    place = np.clip(place, 0, size - 1)
    low = np.minimum(place.astype(np.intp), size - 2)
    part = place - low
    matrices = np.zeros((len(scale), size, size), np.float32)
    np.put_along_axis(matrices, low[:, :, None], ((1 - part) * inside)[:, :, None], axis=2)
    np.put_along_axis(matrices, low[:, :, None] + 1, (part * inside)[:, :, None], axis=2)
    return matrices


def _warp(pictures: Float32, alignment: Alignment) -> tuple[Float32, Float32]:
    """Pictures read at the alignment's shift and scale, and the mask (p, s, s) of what lies inside them."""
    size = pictures.shape[1]
    down = _resampling(alignment.scale_y, alignment.shift_y * size, size)
    across = _resampling(alignment.scale_x, alignment.shift_x * size, size)
    mask = (down.sum(2) > 0)[:, :, None] & (across.sum(2) > 0)[:, None, :]
    moved = np.asarray(down @ pictures @ across.transpose(0, 2, 1), dtype=np.float32)
    return moved, mask.astype(np.float32)


def align(first: Float32, second: Float32, steps: int = 2) -> Alignment:
    """Affine alignment of p pairs of coarse bands, float32 (p, s, s): shift by FFT, then Gauss-Newton steps.

    The steps are inverse-compositional Lucas-Kanade (Baker & Matthews, IJCV 2004): derivatives are taken of the
    first picture only. Shear stays a first-order term (Simard's tangent distance, 1993) and is never resampled.
    """
    size = first.shape[1]
    shift_x, shift_y = _shift_by_correlation(first, second, size // 8)
    one, zero = np.ones(len(first), np.float32), np.zeros(len(first), np.float32)
    found = Alignment(shift_x / size, shift_y / size, one, one, zero, zero)
    tangents = _tangents(first)
    normal = tangents @ tangents.transpose(0, 2, 1)
    trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    normal += (np.float32(1e-3) * trace + np.float32(1e-3)) * np.eye(6, dtype=np.float32)
    for _ in range(steps):
        moved, mask = _warp(second, found)
        error = ((moved - first) * mask).reshape(len(first), -1, 1)
        found = _stepped(found, np.linalg.solve(normal, tangents @ error)[:, :, 0], size)
    return found


def _stepped(old: Alignment, step: Float32, size: int) -> Alignment:
    half = np.float32(size / 2)
    low, high = 1 - _MAX_SCALE, 1 + _MAX_SCALE
    return Alignment(
        np.clip(old.shift_x - step[:, 0] / size, -_MAX_SHIFT, _MAX_SHIFT),
        np.clip(old.shift_y - step[:, 1] / size, -_MAX_SHIFT, _MAX_SHIFT),
        np.clip(old.scale_x * (1 - step[:, 2] / half), low, high),
        np.clip(old.scale_y * (1 - step[:, 3] / half), low, high),
        np.clip(-step[:, 4] / half, -_MAX_SCALE, _MAX_SCALE),
        np.clip(-step[:, 5] / half, -_MAX_SCALE, _MAX_SCALE),
    )


def _sheared(pictures: Float32, alignment: Alignment) -> Float32:
    """First-order shear of the first picture towards the second, in place of resampling the second."""
    size = pictures.shape[1]
    place = np.asarray(np.arange(size) - (size - 1) / 2, dtype=np.float32)
    slope_x = -alignment.shear_x[:, None] * place[None, :]
    slope_y = -alignment.shear_y[:, None] * place[None, :]
    result = pictures.copy()
    result[:, :, 1:-1] += (pictures[:, :, 2:] - pictures[:, :, :-2]) * (slope_x / 2)[:, :, None]
    result[:, 1:-1] += (pictures[:, 2:] - pictures[:, :-2]) * (slope_y / 2)[:, None, :]
    return result


def block_agreement(first: Float32, second: Float32, alignment: Alignment) -> tuple[Float32, Float32]:
    """Correlation of each block of the aligned fine bands, -1 to 1, and its weight; both float32 (p, 64).

    The weight is the block's local contrast in either picture, so that an even background says little and an object
    that only one picture shows says much. Blocks mostly outside the overlap weigh nothing.
    """
    size = first.shape[1]
    moved, mask = _warp(second, alignment)
    still = _sheared(first, alignment) * mask
    pool = np.repeat(np.eye(_BLOCKS, dtype=np.float32), size // _BLOCKS, axis=0) / np.float32(size // _BLOCKS)

    def pooled(values: Float32) -> Float32:
        across = values @ pool
        blocks = across.reshape(len(values), _BLOCKS, -1, _BLOCKS).sum(2)
        return np.asarray(blocks.reshape(len(values), -1) * pool[0, 0], dtype=np.float32)

    power_a, power_b, inside = pooled(still * still), pooled(moved * moved), pooled(mask)
    correlation = pooled(still * moved) / (np.sqrt(power_a * power_b) + np.float32(_EVEN))
    weight = np.where(inside > 0.5, power_a + power_b, 0)
    return np.asarray(correlation, dtype=np.float32), np.asarray(weight, dtype=np.float32)


def lower_mean(values: Float32, weights: Float32, part: float = 0.5) -> Float32:
    """Weighted mean of the lowest `part` of each row, float32 (p, k) → (p,); 0 where nothing weighs.

    Not the mean of all: two objects before one background agree in most blocks and must still count as different.
    """
    order = np.argsort(values, axis=1)
    values, weights = np.take_along_axis(values, order, 1), np.take_along_axis(weights, order, 1)
    total = weights.sum(1, keepdims=True)
    before = np.cumsum(weights, axis=1) - weights
    taken = np.clip(np.float32(part) * total - before, 0, weights)
    return np.asarray((values * taken).sum(1) / np.maximum(taken.sum(1), 1e-6), dtype=np.float32)


def compare(bands: Bands, first: Int64, second: Int64) -> tuple[Float32, Float32]:
    """Similarity float32 (p,), -1 to 1, and offset (p, 2) = (x, y) in parts of the side, of the pairs named by index."""
    similarity = np.empty(len(first), np.float32)
    offset = np.empty((len(first), 2), np.float32)
    for start in range(0, len(first), _CHUNK):
        rows = slice(start, start + _CHUNK)
        i, j = first[rows], second[rows]
        alignment = align(_to_float(bands.coarse[i]), _to_float(bands.coarse[j]))
        values, weights = block_agreement(_to_float(bands.fine[i]), _to_float(bands.fine[j]), alignment)
        similarity[rows] = lower_mean(values, weights)
        offset[rows] = np.stack([alignment.shift_x, alignment.shift_y], axis=1)
    return similarity, offset


def overlap_correlation(thumbnails: npt.NDArray[np.uint8], bands: Bands, first: Int64, second: Int64) -> Float32:
    """Correlation of the greys of the pairs named by index, aligned, where they overlap: float32 (p,), -1 to 1.

    Near 1 for edits of one picture, whatever its exposure; another photo of the same thing differs in its light. Two even
    pictures get 0. `thumbnails` uint8 (n, s, s) are those of `bands`.
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), _CHUNK):
        rows = slice(start, start + _CHUNK)
        i, j = first[rows], second[rows]
        aligned = align(_to_float(bands.coarse[i]), _to_float(bands.coarse[j]), steps=_FINE_STEPS)
        moved, mask = _warp(thumbnails[j].astype(np.float32), aligned)
        found[rows] = _correlation(thumbnails[i].astype(np.float32), moved, mask)
    return found


def _correlation(first: Float32, second: Float32, mask: Float32) -> Float32:
    """Of pictures (p, s, s) where the mask is 1; 0 where one of them is even."""
    size = np.maximum(mask.sum((1, 2), keepdims=True), 1)
    one, other = ((each - (each * mask).sum((1, 2), keepdims=True) / size) * mask for each in (first, second))
    spread = np.sqrt((one * one).sum((1, 2)) * (other * other).sum((1, 2)))
    return np.asarray((one * other).sum((1, 2)) / np.maximum(spread, 1e-3), dtype=np.float32)
