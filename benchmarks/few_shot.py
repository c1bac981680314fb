"""Few-shot training beside the plain probe: balanced accuracy, log loss and what each says about itself.

    python benchmarks/few_shot.py --cifar DATA --tiles DATA/magnetic-tile [--draws 10] [--cache FOLDER]

So many images of each class are drawn, both ways are trained on them and judged on the rest of the tiles, on every fifth
CIFAR-10 test image. "Says" is the accuracy on images left out, which is all that a user gets to see; the probe's is that
of its folds, "-" where it has none. Accuracies count classes alike. The tiles' images of one tile are in several
exposures: draws do not mind, so figures on tiles are somewhat too good, for both ways alike.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.heads.aims import Aim
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema, Task
from tellapart.training.few_shot import few_shot
from tellapart.training.linear_probe import Probe, ProbeOptions, linear_probe
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of
from tellapart.workflows.image_size import own_spec

SHOTS = (1, 2, 5, 10, 20)
WAYS = {"few-shot": few_shot, "probe": linear_probe}


@dataclass(frozen=True, slots=True)
class Images:
    """Embeddings float32 (n, d) and columns int64 (n,)."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> Images:
        """Some of them."""
        return Images(self.x[rows], self.y[rows])


@dataclass(frozen=True, slots=True)
class Result:
    """Of one head: balanced accuracy and log loss on unseen images, mean confidence, and what it says of itself."""

    accuracy: float
    loss: float
    confidence: float
    says: float


def main() -> None:
    """Print a table per data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    options = parser.parse_args()
    train, test = (embedded(options.cifar / f"cifar10-{name}.parquet", options.cache) for name in ("train", "test"))
    table("CIFAR-10", train, test.take(np.arange(0, len(test.y), 5)), options.draws)
    table("magnetic tiles", embedded(options.tiles, options.cache), None, options.draws)


def embedded(data: Path, cache: Path | None) -> Images:
    """A data set as the built-in network sees it."""
    dataset, network = Dataset.read(data), load_backbone("builtin")
    spec = own_spec(network, dataset, DecodeLimits())
    images = embed_dataset(dataset, Embedder(spec, network, cache))
    return Images(images.embeddings, images.dataset.label_matrix(schema_of(images.dataset)).argmax(axis=1))


def table(name: str, pool: Images, test: Images | None, n_draws: int) -> None:
    """Mean and standard deviation over draws."""
    k = int(pool.y.max()) + 1
    print(f"\n{name}, {k} classes, {n_draws} draws; log loss of guessing {np.log(k):.2f}")
    print("| images per class | way | accuracy | says | confidence | log loss |\n| --- | --- | --- | --- | --- | --- |")
    for per_class in SHOTS:
        chosen: Counter[str] = Counter()
        for way in WAYS:
            results = [one_draw(way, pool, test, per_class, seed, chosen) for seed in range(n_draws)]
            print(line(per_class, way, results), flush=True)
        print(f"  {per_class}: {', '.join(f'{what} {n}' for what, n in chosen.most_common())}")


def one_draw(way: str, pool: Images, test: Images | None, per_class: int, seed: int, chosen: Counter[str]) -> Result:
    """Train on a draw and judge on the test images, or on the rest of the pool."""
    rng, k = np.random.default_rng(seed), int(pool.y.max()) + 1
    rows = np.concatenate([rng.permutation(np.flatnonzero(pool.y == c))[:per_class] for c in range(k)])
    few, rest = pool.take(rows), test or pool.take(np.setdiff1d(np.arange(len(pool.y)), rows))
    labels = np.eye(k, dtype=np.uint8)[few.y]
    schema = LabelSchema.from_names([f"class {c}" for c in range(k)], task=Task.MULTICLASS)
    probe = WAYS[way](few.x, labels, np.arange(len(rows)), schema, ProbeOptions(Aim.parse("argmax"), seed=seed))
    if way == "few-shot":
        chosen[probe.facts["chosen"]] += 1
    return judged(probe, few, rest)


def judged(probe: Probe, few: Images, rest: Images) -> Result:
    """Every class counts alike."""
    p = probe.head.probabilities(rest.x)
    counts = np.bincount(rest.y)
    weights = 1 / counts[rest.y] / len(counts)
    own = np.maximum(p[np.arange(len(p)), rest.y], 1e-7)
    usable = probe.usable
    says = (probe.probabilities[usable].argmax(axis=1) == few.y[usable]).mean() if usable.any() else np.nan
    right = p.argmax(axis=1) == rest.y
    return Result(float(weights @ right), float(-weights @ np.log(own)), float(weights @ p.max(axis=1)), float(says))


def line(per_class: int, way: str, results: list[Result]) -> str:
    """A row of the table."""
    accuracy = np.array([one.accuracy for one in results])
    loss, confidence, says = (
        np.mean([getattr(one, name) for one in results]) for name in ("loss", "confidence", "says")
    )
    told = "-" if np.isnan(says) else f"{says:.3f}"
    score = f"{accuracy.mean():.3f} ± {accuracy.std():.3f}"
    return f"| {per_class} | {way} | {score} | {told} | {confidence:.3f} | {loss:.2f} |"


if __name__ == "__main__":
    main()
