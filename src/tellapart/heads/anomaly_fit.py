"""What is kept of the patches of good images: a coreset of them, or their means and spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.anomaly_scores import PatchGaussian, PatchMemory
from tellapart.heads.objectives import Floats

MOST = 10_000
"""Vectors a memory may have."""
_CANDIDATES = 20_000
_PROJECTED = 32
# A feature that hardly moves among good images is scaled as if it moved this share of the typical feature.
_FLOOR = 0.05
# A place is believed to look like all others as if that many images had shown it.
_PLACE_PRIOR = 5.0
# Share of the mean variance that every direction has at least: a direction of little spread must not outshout the others.
_RIDGE = 0.01


def patch_memory(embeddings: Floats, grid: tuple[int, int], *, share: float, seed: int = 0) -> PatchMemory:
    """Memory of the patches of good images (n, d): `share` of them (of 20,000 drawn at random, where there are more).

    Those kept lie as far from one another as can be, so that rare looks are remembered as well as common ones.
    """
    patches = np.asarray(embeddings, np.float32).reshape(-1, embeddings.shape[1] // (grid[0] * grid[1]))
    rng = np.random.default_rng(seed)
    if len(patches) > _CANDIDATES:
        patches = patches[np.sort(rng.permutation(len(patches))[:_CANDIDATES])]
    wanted = min(MOST, max(1, round(share * len(patches))))
    kept = farthest_first(patches, wanted, rng)
    return PatchMemory(grid, np.ascontiguousarray(patches[kept]), np.ones(patches.shape[1], np.float32))


def image_memory(embeddings: Floats, *, seed: int = 0) -> PatchMemory:
    """Memory of whole good images (n, d), every feature scaled to its spread; a coreset of them above 10,000."""
    spread = embeddings.std(axis=0, dtype=np.float64)
    typical = float(np.sqrt(np.mean(spread**2)))
    scale = (1 / np.maximum(spread, _FLOOR * typical if typical > 0 else 1)).astype(np.float32)
    scaled = np.asarray(embeddings, np.float32) * scale
    if len(scaled) > MOST:
        scaled = scaled[farthest_first(scaled, MOST, np.random.default_rng(seed))]
    # Divided by the root of their number, distances do not grow with the features.
    root = np.float32(1 / np.sqrt(embeddings.shape[1]))
    return PatchMemory((1, 1), scaled * root, scale * root)


def patch_gaussian(embeddings: Floats, grid: tuple[int, int]) -> PatchGaussian:
    """Means of the places and the spread that they share, of good images (n, d)."""
    n_places = grid[0] * grid[1]
    patches = np.asarray(embeddings, np.float32).reshape(len(embeddings), n_places, -1)
    n, channels = len(patches), patches.shape[2]
    of_place = patches.mean(axis=0, dtype=np.float64)
    mean = (n * of_place + _PLACE_PRIOR * of_place.mean(axis=0)) / (n + _PLACE_PRIOR)
    apart = (patches - mean.astype(np.float32)).reshape(-1, channels)
    covariance = (apart.T @ apart).astype(np.float64) / len(apart)
    ridge = max(_RIDGE * float(np.trace(covariance)) / channels, 1e-12)
    values, vectors = np.linalg.eigh(covariance)
    whiten = vectors / np.sqrt((np.maximum(values, 0) + ridge) * channels)
    return PatchGaussian(grid, mean.astype(np.float32), np.ascontiguousarray(whiten, np.float32))


def farthest_first(points: Floats, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows int64 (m,), each the farthest from those before it: greedy k-center (Gonzalez 1985), m ≤ `wanted`.

    It ends early where all other points are copies of those chosen. Of many features a random projection to 32 stands for
    them, as distances are all that counts (Roth et al. 2022, section 3.2).
    """
    if points.shape[1] > _PROJECTED:
        points = points @ rng.standard_normal((points.shape[1], _PROJECTED), dtype=np.float32)
    half = np.einsum("ij,ij->i", points, points) / 2
    place, chosen = int(rng.integers(len(points))), []
    nothing = 1e-5 * float(half.max())  # rounding
    # Half the squared distance to the nearest chosen one.
    nearest, products = np.full(len(points), np.inf, np.float32), np.empty(len(points), np.float32)
    for _ in range(min(wanted, len(points))):
        chosen.append(place)
        np.dot(points, points[place], out=products)
        np.subtract(half, products, out=products)
        products += half[place]
        np.minimum(nearest, products, out=nearest)
        nearest[place] = 0
        place = int(nearest.argmax())
        if nearest[place] <= nothing:
            break
    return np.array(chosen, np.int64)
