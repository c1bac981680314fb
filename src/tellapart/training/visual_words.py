"""Visual words: the centres of the descriptors that a training's images have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_WORDS = 256
_DESCRIPTORS_PER_WORD = 20
"""Fewer make words of single descriptors."""
_ITERATIONS = 20
# faiss takes 31 bits.
_MOST_SEED = 2**31 - 1
# A descriptor at the typical distance from its word, and as much farther from the next as that: a share of exp(-4) less.
_SHARPNESS = 4.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VisualWords:
    """`centres` float32 (m, d), and how fast a descriptor's share of a word falls with the squared distance to it."""

    centres: Floats
    sharpness: float


def learn_words(descriptors: Floats, *, most: int = MOST_WORDS, seed: int = 0) -> VisualWords:
    """k-means (Lloyd, by faiss) of descriptors float32 (n, d), n ≥ 1; at least 20 descriptors to a word, `most` words.

    The same descriptors in the same order give the same words, whatever the number of threads that others use.
    """
    # Loaded here: 0.4 s that only those pay who ask for words.
    import faiss

    n_words = int(np.clip(len(descriptors) // _DESCRIPTORS_PER_WORD, 1, most))
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        means = faiss.Kmeans(
            descriptors.shape[1],
            n_words,
            niter=_ITERATIONS,
            seed=seed % _MOST_SEED + 1,  # 0 would mean a seed of its own
            min_points_per_centroid=1,  # of few points a warning would be printed
        )
        means.train(np.ascontiguousarray(descriptors, np.float32))
        squares, _ = means.index.search(np.ascontiguousarray(descriptors, np.float32), 1)
    finally:
        faiss.omp_set_num_threads(threads)
    centres = np.asarray(means.centroids, np.float32).reshape(n_words, -1)
    return VisualWords(centres, _SHARPNESS / max(float(squares.mean()), 1e-6))
