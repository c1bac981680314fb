"""What learned projections are worth: the nearest image of the same label, by the network's own vectors and by fewer numbers.

    python -m benchmarks.projections --cifar DATA [--tiles DATA/magnetic-tile] [--train 5000] [--test 2000] [--cache FOLDER]

Recall at 1 and mean average precision at R (Musgrave et al. 2020) among images that did not teach, by cosine, in per cent.
"all" labels: the projection knows every label. "new" labels: it never saw an image of the labels that are judged. Behind ±
stands half the 95 % interval of the change against the network's own vectors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.data.near_duplicates import same_object_groups
from tellapart.data.splits import group_folds
from tellapart.evaluation.retrieval import Retrieval, difference, retrieval
from tellapart.heads.components import fit_pca
from tellapart.heads.projection import Projection, unit_length
from tellapart.image.types import DecodeLimits
from tellapart.training.supcon import fit_supcon
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of
from tellapart.workflows.image_size import own_spec

Fit = Callable[["Images"], Projection]
WAYS: dict[str, Fit] = {
    "pca:128": lambda images: fit_pca(images.x, 128),
    "pca-whitened:128": lambda images: fit_pca(images.x, 128, whiten=True),
    "pca:64": lambda images: fit_pca(images.x, 64),
    "supcon:64": lambda images: fit_supcon(images.x, images.labels, 64),
}


@dataclass(frozen=True, slots=True)
class Images:
    """Vectors of length 1 float32 (n, d), labels 0/1 (n, k), groups int64 (n,)."""

    x: NDArray[np.float32]
    labels: NDArray[np.uint8]
    groups: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Images:
        """Some of them."""
        return Images(self.x[rows], self.labels[rows], self.groups[rows])

    def of(self, columns: Sequence[int]) -> NDArray[np.bool_]:
        """bool (n,): which have one of these labels."""
        return np.asarray(self.labels[:, list(columns)].any(axis=1))


def main() -> None:
    """Print a table per data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, help="folder of cifar10-train.parquet and cifar10-test.parquet")
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--train", type=int, default=5000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    options = parser.parse_args()
    if options.cifar is not None:
        train = embedded(options.cifar / "cifar10-train.parquet", options.train, options.cache)
        test = embedded(options.cifar / "cifar10-test.parquet", options.test, options.cache)
        # Two vehicles with a cat and a dog, and a frog, a horse, a ship and a truck.
        judged("CIFAR-10", train, test, [(0, 3, 5, 9), (6, 7, 8, 9)])
    if options.tiles is not None:
        images = embedded(options.tiles, None, options.cache)
        held_back = group_folds(images.labels, images.groups, 3) == 0
        judged("magnetic tiles", images.take(~held_back), images.take(held_back), [(0, 3)])


def embedded(data: Path, n: int | None, cache: Path | None) -> Images:
    """A data set as the built-in network sees it; `n` images of it, drawn with a fixed seed."""
    dataset, network = Dataset.read(data), load_backbone("builtin")
    spec = own_spec(network, dataset, DecodeLimits())
    rows = np.random.default_rng(0).permutation(len(dataset))[:n]
    images = embed_dataset(dataset.subset(np.sort(rows)), Embedder(spec, network, cache))
    groups = same_object_groups(images.thumbnails, ids=images.dataset.ids).groups
    return Images(unit_length(images.embeddings), images.dataset.label_matrix(schema_of(images.dataset)), groups)


def judged(name: str, train: Images, test: Images, unseen: Sequence[tuple[int, ...]]) -> None:
    """Print the table of one data set."""
    print(f"\n{name}: {len(train.x):,} images teach, {len(test.x):,} are judged, {train.x.shape[1]:,} numbers each")
    print("| labels | vectors | recall at 1 | mAP@R | seconds |\n| --- | --- | --- | --- | --- |")
    rows("all", train, test)
    for columns in unseen:
        rows(f"new {columns}", train.take(~train.of(columns)), test.take(test.of(columns)))


def rows(what: str, train: Images, test: Images) -> None:
    """Print one row for the network's own vectors, and one per way to learn fewer."""
    own = retrieval(test.x, test.labels, test.groups)
    print(f"| {what} | own | {own.recall_at_1:.1%} | {own.map_at_r:.1%} | |", flush=True)
    for way, fit in WAYS.items():
        started = time.perf_counter()
        projection = fit(train)
        seconds = time.perf_counter() - started
        found = retrieval(projection.apply(test.x), test.labels, test.groups)
        print(f"| {what} | {way} | {told(own, found)} | {seconds:.1f} |", flush=True)


def told(own: Retrieval, found: Retrieval) -> str:
    """Both measures with their change."""
    cells = []
    for before, after in ((own.hits, found.hits), (own.precision, found.precision)):
        change, margin = difference(before, after, own.groups)
        cells.append(f"{after.mean():.1%} ({100 * change:+.1f} ± {100 * margin:.1f})")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
