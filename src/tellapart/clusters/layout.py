"""Where each image lies on a map: t-SNE, UMAP, or the first two principal components."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.extras import require

Layout = Literal["auto", "tsne", "umap", "pca"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
MOST_TSNE, MOST_UMAP = 4_000, 50_000
# A point that was not laid out stands among these many neighbours that were.
_NEIGHBOURS = 5
_PERPLEXITY, _UMAP_NEIGHBOURS = 30, 15

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Map:
    """`xy` float32 (n, 2) within -1 to 1, the middle at 0; `kind` is what it was made by, `how` says it in words."""

    xy: Floats
    kind: str
    how: str


def lay_out(points: Floats, kind: Layout = "auto", *, of: Ints | None = None, seed: int = 0) -> Map:
    """A map of points float32 (n, d), principal components as `reduced` gives them; the same seed gives the same map.

    `auto` is t-SNE; below 10 points every layout is PCA. t-SNE lays out at most 4,000 points and UMAP 50,000, chosen so that
    every cluster of `of` int64 (n,) has its share and the small ones more; the others stand between the five nearest of these.

    Raises:
        SettingsError: `bad_setting` for an unknown layout.
        MissingExtra: for `umap` where it is not installed.
    """
    if kind not in LAYOUTS:
        raise SettingsError(Reason.BAD_SETTING, f"a layout is {', '.join(LAYOUTS)}, got {kind!r}")
    if kind == "umap":
        _umap_module()
    # Measured on CIFAR-10, UMAP takes longer than t-SNE with the rest put in place, and keeps fewer neighbours.
    chosen = "tsne" if kind == "auto" else kind
    if len(points) < 10 or chosen == "pca":
        return Map(_fitted(_first_two(points)), "pca", "the first two principal components")
    most = MOST_TSNE if chosen == "tsne" else MOST_UMAP
    rows = balanced(np.zeros(len(points), np.int64) if of is None else of, most, seed=seed)
    xy = _tsne(points[rows], seed) if chosen == "tsne" else _umap(points[rows], seed)
    name = {"tsne": "t-SNE", "umap": "UMAP"}[chosen]
    if len(rows) == len(points):
        return Map(_fitted(xy), chosen, name)
    told = f"{name} of {len(rows):,} images; the other {len(points) - len(rows):,} stand among the nearest of them"
    return Map(_fitted(_placed(points, rows, xy)), chosen, told)


def balanced(of: Ints, most: int, *, seed: int = 0) -> Ints:
    """At most `most` rows, ascending, at random: each cluster (-1 is one too) gives as many as any other, or all it has."""
    if len(of) <= most:
        return np.arange(len(of))
    order = np.random.default_rng(seed).permutation(len(of))
    turn = np.empty(len(of), np.int64)
    for cluster in np.unique(of):
        rows = order[of[order] == cluster]
        turn[rows] = np.arange(len(rows))
    place = np.empty(len(of), np.int64)
    place[order] = np.arange(len(of))
    return np.sort(np.lexsort((place, turn))[:most])


def _first_two(points: Floats) -> Floats:
    return np.pad(points[:, :2], ((0, 0), (0, max(0, 2 - points.shape[1]))))


def _tsne(points: Floats, seed: int) -> Floats:
    from sklearn.manifold import TSNE

    if points.shape[1] < 2:
        points = _first_two(points)
    perplexity = min(_PERPLEXITY, (len(points) - 1) / 3)
    # Its start must not be 0 in a dimension: equal points would never part.
    start = _start(points, seed)
    return np.asarray(
        TSNE(perplexity=perplexity, init=start, random_state=seed % 2**32).fit_transform(points), np.float32
    )


def _start(points: Floats, seed: int) -> Floats:
    """The first two principal components, small as t-SNE wants them (Kobak and Berens 2019), and all different."""
    start = _first_two(points).astype(np.float64)
    spread = float(start[:, 0].std())
    start = start / spread * 1e-4 if spread > 0 else start
    return np.asarray(start + np.random.default_rng(seed).normal(0, 1e-6, start.shape), np.float32)


def _umap_module() -> object:
    with warnings.catch_warnings():
        # It would tell everybody that TensorFlow is not installed, which only a part of it that nobody asks for needs.
        warnings.simplefilter("ignore")
        return require("umap", extra="umap", feature="the layout umap")


def _umap(points: Floats, seed: int) -> Floats:
    umap: object = _umap_module()
    neighbours = min(_UMAP_NEIGHBOURS, len(points) - 1)
    with warnings.catch_warnings():
        # Of small or disconnected data it warns about its own start, and goes on with another.
        warnings.simplefilter("ignore")
        made = umap.UMAP(n_neighbors=neighbours, random_state=seed % 2**32, n_jobs=1)  # type: ignore[attr-defined]
        return np.asarray(made.fit_transform(points), np.float32)


def _placed(points: Floats, rows: Ints, xy: Floats) -> Floats:
    """All points: the rows that were laid out, and each other at the mean of its nearest, the nearer the more."""
    from sklearn.neighbors import NearestNeighbors

    everywhere = np.empty((len(points), 2), np.float32)
    everywhere[rows] = xy
    others = np.setdiff1d(np.arange(len(points)), rows)
    far, near = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(rows))).fit(points[rows]).kneighbors(points[others])
    weight = 1 / np.maximum(far, 1e-9) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    everywhere[others] = np.einsum("ij,ijk->ik", weight, xy[near])
    return everywhere


def _fitted(xy: Floats) -> Floats:
    """Within -1 to 1 in both directions, one scale for both."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    size = float((high - low).max())
    return np.asarray((xy - (low + high) / 2) / (size / 2 if size > 0 else 1), np.float32)
