"""Anomalies on the magnetic tiles, learned from good tiles alone: how well each defect is found, by each way.

    python -m benchmarks.anomaly --tiles DATA/magnetic-tile [--images 1344] [--false-alarms 0.01] [--sheet FILE.png]

Tiles without a defect are dealt out by tile (images of one tile stay together, found by looks): 70 % teach, 30 % judge,
together with all tiles that have a defect. The rival knows six statistics of an image (light, contrast, sharpness …) or
its pixels at 8 x 8, as a Gaussian of the good ones. Intervals are of 95 %, by tile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.patches import patch_network
from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.data.splits import assign_splits
from tellapart.evaluation.heatmaps import overlay
from tellapart.evaluation.kinds import Kinds, by_kind
from tellapart.heads.aims import Aim
from tellapart.heads.anomaly import AnomalyHead
from tellapart.image.encode import encode_png
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema, Task
from tellapart.settings.recipe import Recipe
from tellapart.training.anomaly import AnomalyOptions, Way, anomaly_probe
from tellapart.training.linear_probe import Probe, ProbeOptions
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.image_size import at_patch_size, spec_for

SCHEMA = LabelSchema.from_names(["anomalous", "good"], task=Task.BINARY, positive="anomalous")


def main() -> None:
    """Print one line per way and defect."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--images", type=int, default=0, help="at most so many images, evenly over the folders")
    parser.add_argument("--false-alarms", type=float, default=0.01)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--sheet", type=Path, help="PNG of the strangest images of each defect, with heatmaps")
    options = parser.parse_args()
    dataset = Dataset.read(options.tiles)
    if options.images and options.images < len(dataset):
        dataset = dataset.subset(np.linspace(0, len(dataset) - 1, options.images).round().astype(int))
    tiles = Tiles(dataset, options.cache, options.false_alarms)
    print(f"{len(tiles.whole)} images, {len(np.unique(tiles.groups))} tiles; {tiles.teaches.sum()} good ones teach, "
          f"{(tiles.judges & tiles.good).sum()} good and {(~tiles.good).sum()} bad ones judge; "
          f"backbone {tiles.ms[0]:.0f} ms, patches {tiles.ms[1]:.0f} ms per image with decoding")  # fmt: skip
    for name, scores in rivals(tiles):
        show(name, tiles.judged(scores), "")
    for way in ("knn", "mahalanobis", "patchcore"):
        probe, seconds = tiles.fit(way)
        vectors = tiles.vectors(way)
        began = time.perf_counter()
        assert isinstance(probe.head, AnomalyHead)
        scores = probe.head.scores(vectors)
        ms = 1000 * (time.perf_counter() - began) / len(vectors)
        facts = probe.facts["false_alarms"]
        show(way, tiles.judged(scores), f"fit {seconds:.1f} s, score {ms:.2f} ms, stated {facts['allowed']:.0%}, "
             f"promised {facts['promised']:.1%} by {facts['groups']} tiles")  # fmt: skip
    if options.sheet:
        options.sheet.write_bytes(encode_png(sheet(tiles, probe)))


class Tiles:
    """The tiles as both networks see them, and which teach."""

    def __init__(self, dataset: Dataset, cache: Path | None, allowed: float) -> None:
        self.allowed = allowed
        network = load_backbone("builtin")
        spec = spec_for(Recipe(), network, dataset, DecodeLimits())
        self.whole, whole_ms = _timed(dataset, Embedder(spec, network, cache))
        spec = at_patch_size(spec, network)
        made = patch_network(network.onnx_bytes(), str(spec))
        self.grid = (made.rows, made.columns)
        self.embedder = Embedder(PreprocessSpec.parse(str(spec)), OnnxBackbone.open(made.data), cache)
        self.patches, patch_ms = _timed(dataset, self.embedder)
        self.ms = (whole_ms, patch_ms)
        self.groups = look_alikes(self.whole, cache).groups
        self.kinds = [sample.labels[0] for sample in self.whole.dataset.samples if sample.labels]
        self.good = np.array([kind == "free" for kind in self.kinds])
        self.teaches = self.good & ~self._held()
        # A tile that teaches judges nothing, not even by a defect that it got later.
        self.judges = ~np.isin(self.groups, self.groups[self.teaches])

    def _held(self) -> NDArray[np.bool_]:
        splits = assign_splits(
            label_matrix=self.good[:, None].astype(np.uint8), groups=self.groups,
            fractions={"train": 0.7, "test": 0.3}, seed=0,
        )  # fmt: skip
        return np.asarray(np.array(splits.assigned) == "test")

    def vectors(self, way: Way) -> NDArray[np.float32]:
        """Embeddings (n, d) that a way reads."""
        return self.whole.embeddings if way == "knn" else self.patches.embeddings

    def fit(self, way: Way) -> tuple[Probe, float]:
        """A head of the good images that teach, and the seconds that took."""
        rows = self.teaches
        labels = np.tile(np.array([[0, 1]], np.uint8), (rows.sum(), 1))
        asked = AnomalyOptions(way, self.allowed, 0.1, (1, 1) if way == "knn" else self.grid)
        began = time.perf_counter()
        probe = anomaly_probe(
            self.vectors(way)[rows], labels, self.groups[rows], SCHEMA, ProbeOptions(Aim("best_f1")), asked=asked
        )
        return probe, time.perf_counter() - began

    def judged(self, scores: NDArray[np.floating]) -> Kinds:
        """Each defect by scores (n,) of which 1 and above alarm."""
        rows = self.judges
        p = scores[rows] / (1 + scores[rows])
        alarm = scores[rows] >= 1
        return by_kind(
            np.stack([p, 1 - p], axis=1), (self.good[rows]).astype(np.int64), SCHEMA,
            [kind for kind, judges in zip(self.kinds, rows, strict=True) if judges],
            decisions=np.stack([alarm, ~alarm], axis=1), groups=[str(group) for group in self.groups[rows]],
        )  # fmt: skip


def rivals(tiles: Tiles) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Gaussians of simple numbers, at the threshold that the allowed share of the teaching images exceeds."""
    pixels = (
        tiles.whole.thumbnails.reshape(len(tiles.whole), 8, 8, 8, 8).mean(axis=(2, 4)).reshape(len(tiles.whole), 64)
    )
    for name, values in (("statistics", tiles.whole.statistics), ("pixels 8x8", pixels)):
        known = values[tiles.teaches].astype(np.float64)
        covariance = np.cov(known.T) + 1e-3 * np.eye(known.shape[1]) * np.trace(np.cov(known.T)) / known.shape[1]
        apart = values - known.mean(axis=0)
        distance = np.sqrt(np.einsum("ij,jk,ik->i", apart, np.linalg.inv(covariance), apart))
        yield name, distance / np.quantile(distance[tiles.teaches], 1 - tiles.allowed)


def show(name: str, found: Kinds, told: str) -> None:
    """One line of facts and one per defect."""
    alarms = found.false_alarms
    print(f"\n{name}: false alarms {alarms.value:.3f} ({alarms.low:.3f}-{alarms.high:.3f}) of {found.n_good}; {told}")
    for one in found.kinds:
        auroc, precision, recall = one.roc_auc, one.average_precision, one.recall
        print(f"  {one.name:10} n {one.n:3}  AUROC {_told(auroc)}  AP {_told(precision)}  found {_told(recall)}")
    print(f"  {'mean':10}        AUROC {np.mean([one.roc_auc.value or 0 for one in found.kinds]):.3f}", flush=True)


def _told(estimate: object) -> str:
    value, low, high = (getattr(estimate, name) for name in ("value", "low", "high"))
    return "-" if value is None else f"{value:.3f}" if low is None else f"{value:.3f} ({low:.2f}-{high:.2f})"


def sheet(tiles: Tiles, probe: Probe, side: int = 160, shown: int = 5) -> NDArray[np.uint8]:
    """Rows of defects, the strangest first: each image and its heatmap beside it."""
    head = probe.head
    assert isinstance(head, AnomalyHead)
    patches = head.patch_scores(tiles.patches.embeddings)
    scores = patches.max(axis=(1, 2))
    lines = []
    for kind in sorted(set(tiles.kinds)):
        rows = np.flatnonzero(tiles.judges & np.array([one == kind for one in tiles.kinds]))
        chosen = rows[np.argsort(-scores[rows])][np.linspace(0, len(rows) - 1, shown).round().astype(int)]
        lines.append(np.concatenate([_pair(tiles, row, patches[row], head.typical, side) for row in chosen], axis=1))
    return np.concatenate(lines)


def _pair(tiles: Tiles, row: int, patches: NDArray[np.float32], typical: float, side: int) -> NDArray[np.uint8]:
    data = tiles.patches.dataset.bytes_of(int(row))
    pixels = PreprocessSpec.parse(f"decode|upright|squash({side})").apply(data)
    heat = np.clip((patches - typical) / max(2 * (1 - typical), 1e-6), 0, 1)
    pair = np.concatenate([pixels, overlay(pixels, heat)], axis=1)
    pair[:, -4:] = pair[-4:] = 255
    return pair


def _timed(dataset: Dataset, embedder: Embedder) -> tuple[EmbeddedDataset, float]:
    began = time.perf_counter()
    images = embed_dataset(dataset, embedder)
    return images, 1000 * (time.perf_counter() - began) / len(images)


if __name__ == "__main__":
    main()
