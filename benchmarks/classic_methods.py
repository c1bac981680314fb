"""HOG and SIFT words beside the built-in network: score with interval, milliseconds per image, size of the model.

    python benchmarks/classic_methods.py --cifar DATA --tiles DATA/magnetic-tile [--per-class 200] [--cache FOLDER]

`--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet; of these the first `--per-class` images of each
class train and half as many test. Milliseconds are processor time of the network alone, one image at a time on one thread:
the median of 40. The size is that of network and head in the model folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.evaluation.evaluation import spoken
from tellapart.settings.recipe import Recipe

WAYS = (
    Recipe(),
    Recipe(backbone="classic"),
    Recipe(method="hog"),
    Recipe(method="hog", head="svm"),
    Recipe(method="sift"),
    Recipe(method="sift", head="svm"),
)


def main() -> None:
    """Print a table per data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--per-class", type=int, default=200)
    parser.add_argument("--size", type=int, help="side in pixels for hog and sift on the tiles")
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors")
    for name, data, metric in (
        ("CIFAR-10", cifar(options.cifar, options.per_class), "accuracy"),
        ("tiles", Dataset.read(options.tiles), "f1_macro"),
    ):
        print(f"{name}, {metric}\n| way | score | ms per image | model |\n| --- | --- | --- | --- |")
        for recipe in WAYS:
            size = options.size if name == "tiles" and recipe.method != "probe" else None
            print(row(recipe.model_copy(update={"size": size}), data, metric, options.cache), flush=True)


def cifar(folder: Path, per_class: int) -> Dataset:
    """The first images of each class, with the split that the files are."""
    samples = []
    for name, most in (("train", per_class), ("test", per_class // 2)):
        part = Dataset.read(folder / f"cifar10-{name}.parquet")
        root = part.root or folder
        samples += [replace(one, uri=str(root / one.uri), split=name) for one in first_of_each(part, most)]
    return Dataset.from_samples(samples)


def first_of_each(part: Dataset, most: int) -> Iterator[ta.Sample]:
    """At most so many samples of each label."""
    seen: dict[tuple[str, ...], int] = {}
    for sample in part.samples:
        key = tuple(sample.labels or ())
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= most:
            yield sample


def row(recipe: Recipe, data: Dataset, metric: str, cache: Path | None) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        model = ta.train(data, recipe=recipe, output=Path(folder) / "model", golden=0, cache_dir=cache)
        kilobytes = sum(
            (Path(folder) / "model" / name).stat().st_size for name in ("backbone.onnx", "head.safetensors")
        )
    assert model.evaluation is not None
    what = recipe.backbone if recipe.method == "probe" else f"{recipe.method}, {recipe.head}"
    score = spoken(model.evaluation.metrics[metric])
    return f"| {what}, {max(model.spec.size)} px | {score} | {milliseconds(model):.1f} | {kilobytes / 1000:,.0f} KB |"


def milliseconds(model: ta.Classifier) -> float:
    """Median of 40 runs of the network on one image."""
    width, height = model.spec.size
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    times = []
    for _ in range(43):
        start = time.process_time()
        model.backbone.run(image)
        times.append(1000 * (time.process_time() - start))
    return float(np.median(times[3:]))


if __name__ == "__main__":
    main()
