"""How well clusters agree with labels they never saw, how well they are named by few labels, and what a map costs and keeps.

    python benchmarks/cluster_quality.py --tiles DATA/magnetic-tile --cifar DATA/cifar10-train.parquet --cache CACHE
    python benchmarks/cluster_quality.py --cifar DATA/cifar10-train.parquet --cache CACHE --maps 1000,5000,10000

Embeddings of `builtin`; of CIFAR-10 `--images` are drawn, others for each seed. Purity is the share of the images with the
commonest label of their cluster; more clusters always have more of it, so k-means is shown with several numbers of them, and
beside the purity stands that of clusters as large that are drawn at random. Intervals are Student's t over seeds, 95 %; seconds
are the processor's. A map is judged by the share of each image's ten nearest neighbours that it keeps among its ten nearest (by
chance 10 / n), on 1,000 images, and by how often the nearest image on the map has the same label, beside that in the vectors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.clusters.agreement import agreement
from tellapart.clusters.find import Clusters, find_clusters
from tellapart.clusters.layout import Layout, lay_out
from tellapart.clusters.naming import name_clusters
from tellapart.clusters.points import reduced
from tellapart.data.dataset import Dataset
from tellapart.errors import MissingExtra
from tellapart.image.types import DecodeLimits
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.image_size import own_spec

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Finding = Callable[["Images", int], Clusters]
FEW_LABELS = 0.05
NEIGHBOURS, JUDGED = 10, 1_000


@dataclass(frozen=True, slots=True)
class Images:
    """Vectors (n, d), the label of each, and which are near-duplicates."""

    vectors: Floats
    labels: NDArray[np.str_]
    groups: Ints

    def drawn(self, n: int, seed: int) -> Images:
        """So many of them, others for each seed."""
        rows = np.sort(np.random.default_rng(seed).permutation(len(self.labels))[:n])
        return Images(self.vectors[rows], self.labels[rows], self.groups[rows])


def opened(path: Path, cache: Path | None, most: int) -> Images:
    """The first images of a data set, embedded."""
    dataset, network = Dataset.read(path), load_backbone("builtin")
    dataset = dataset.subset(np.sort(np.random.default_rng(0).permutation(len(dataset))[:most]))
    found = embed_dataset(dataset, Embedder(own_spec(network, dataset, DecodeLimits()), network, cache))
    labels = np.array([(sample.labels or ("",))[0] for sample in found.dataset.samples])
    return Images(found.embeddings, labels, look_alikes(found, cache).groups)


def ways(n_labels: int) -> Mapping[str, Finding]:
    """Ways of finding clusters, by what the table calls them."""

    def means(k: int) -> Finding:
        return lambda images, seed: found(images, seed, method="kmeans", k=k)

    return {
        "auto": lambda images, seed: found(images, seed),
        "k-means, number found": lambda images, seed: found(images, seed, method="kmeans"),
        **{f"k-means, {k}": means(k) for k in (n_labels, 3 * n_labels, 10 * n_labels)},
        "HDBSCAN": lambda images, seed: found(images, seed, method="hdbscan"),
        "HDBSCAN, at least 5": lambda images, seed: found(images, seed, method="hdbscan", min_size=5),
    }


def found(images: Images, seed: int, **options: object) -> Clusters:
    """As the product does it."""
    return find_clusters(images.vectors, groups=images.groups.tolist(), seed=seed, **options)  # type: ignore[arg-type]


def judged(images: Images, way: Finding, seed: int) -> dict[str, float]:
    """All figures of one way on one draw."""
    start = time.process_time()
    clusters = way(images, seed)
    seconds = time.process_time() - start
    labels = images.labels.tolist()
    one = agreement(clusters.of, labels)
    by_chance = agreement(np.random.default_rng(seed).permutation(clusters.of), labels)
    nothing = float("nan")
    return {
        "clusters": clusters.n_clusters,
        "in none": float((clusters.of < 0).mean()),
        "purity": one.purity if one else nothing,
        "by chance": by_chance.purity if by_chance else nothing,
        "adjusted Rand": one.adjusted_rand if one else nothing,
        "normalised MI": one.mutual_information if one else nothing,
        "named rightly": named_rightly(clusters, images.labels, seed),
        "seconds": seconds,
    }


def named_rightly(clusters: Clusters, labels: NDArray[np.str_], seed: int) -> float:
    """Share of clusters whose name by one label in twenty is the commonest label of all their images."""
    known = np.random.default_rng(seed).random(len(labels)) < FEW_LABELS
    few = [str(label) if there else None for label, there in zip(labels, known, strict=True)]
    right = []
    for cluster, name in enumerate(name_clusters(clusters.of, clusters.points, few)):
        names, counts = np.unique(labels[clusters.of == cluster], return_counts=True)
        right.append(name.label in names[counts == counts.max()])
    return float(np.mean(right)) if right else float("nan")


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % interval over seeds; the value where all are the same."""
    from scipy.stats import t

    told = np.array(values)
    if len(told) < 2 or np.isnan(told).any() or (told == told[0]).all():
        return f"{told.mean():.3g}"
    half = t.ppf(0.975, len(told) - 1) * told.std(ddof=1) / len(told) ** 0.5
    return f"{told.mean():.3g} ± {half:.2g}"


def table(name: str, draws: Sequence[Images]) -> None:
    """One line per way, over draws."""
    labels = draws[0].labels
    counts = np.unique(labels, return_counts=True)[1]
    most = counts.max() / len(labels)
    print(f"\n{name}: {len(labels):,} images, {len(counts)} labels, the commonest {most:.0%}, {len(draws)} seeds\n")
    head: list[str] = []
    for way, finding in ways(len(counts)).items():
        figures = [judged(images, finding, seed) for seed, images in enumerate(draws)]
        if not head:
            head = ["way", *figures[0]]
            print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
        print(
            f"| {way} | " + " | ".join(interval([one[key] for one in figures]) for key in figures[0]) + " |", flush=True
        )


def maps(images: Images, sizes: Sequence[int]) -> None:
    """What each layout costs and keeps, by the number of images."""
    print("\n| images | layout | seconds | neighbours kept | nearest has the same label | in the vectors | how |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    kinds: tuple[Layout, ...] = ("pca", "tsne", "umap")
    for n in sizes:
        drawn = images.drawn(n, 0)
        points = reduced(drawn.vectors)
        of = find_clusters(drawn.vectors, method="kmeans", k=10).of
        for kind in kinds:
            try:
                start = time.process_time()
                made = lay_out(points, kind, of=of)
            except MissingExtra as error:
                print(f"| {n:,} | {kind} | – | – | – | – | {error} |")
                continue
            seconds = time.process_time() - start
            near, near_map = neighbours(points), neighbours(made.xy)
            kept = np.mean([len(np.intersect1d(a, b)) / NEIGHBOURS for a, b in zip(near, near_map, strict=True)])
            told = [f"{same(rows, drawn.labels):.3f}" for rows in (near_map, near)]
            print(f"| {n:,} | {kind} | {seconds:.1f} | {kept:.3f} | {' | '.join(told)} | {made.how} |", flush=True)


def neighbours(points: Floats) -> Ints:
    """Rows of the ten nearest other points, nearest first, of at most 1,000 points at random."""
    rows = chosen(len(points))
    order = []
    for row in rows:
        away = ((points - points[row]) ** 2).sum(axis=1)
        away[row] = np.inf
        order.append(np.argsort(away, kind="stable")[:NEIGHBOURS])
    return np.array(order)


def chosen(n: int) -> Ints:
    """The rows that are judged: the same for every map of n images."""
    return np.random.default_rng(1).permutation(n)[:JUDGED]


def same(near: Ints, labels: NDArray[np.str_]) -> float:
    """How often the nearest has the label of the point."""
    return float((labels[near[:, 0]] == labels[chosen(len(labels))]).mean())


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path, help="folder of class folders")
    parser.add_argument("--cifar", type=Path, help="cifar10-train.parquet or another data set of many images")
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    parser.add_argument("--images", type=int, default=5_000, help="images of CIFAR-10 for each seed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--maps", default="", help="numbers of images to lay out, such as 1000,5000,10000")
    options = parser.parse_args()
    sizes = [int(size) for size in options.maps.split(",") if size]
    if options.tiles and not sizes:
        tiles = opened(options.tiles, options.cache, 10**9)
        table("magnetic tiles", [tiles.drawn(len(tiles.labels), seed) for seed in range(options.seeds)])
    if options.cifar:
        most = max(sizes, default=0) or options.images * (options.seeds if options.seeds > 1 else 1)
        cifar = opened(options.cifar, options.cache, most)
        if sizes:
            maps(cifar, sizes)
        else:
            table("CIFAR-10", [cifar.drawn(options.images, seed) for seed in range(options.seeds)])


if __name__ == "__main__":
    main()
