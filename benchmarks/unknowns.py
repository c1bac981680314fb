"""Held-out classes as unknown images: how well each score tells them, what training chooses, what becomes of them.

    python benchmarks/unknowns.py --cifar DATA --tiles DATA/magnetic-tile [--images 2000] [--held 10] [--cache FOLDER]

One class after the other is left out of the training images; its test images are unknown, those of the other classes
known. Printed for both heads, as means over classes left out with 95 % intervals (Student's t):

  AUROC  probability that an unknown image scores higher than a known one
  TAR95  share of known test images accepted where 95 % of the unknown ones are rejected (true-accept rate)
  FPR95  share of unknown test images accepted where 95 % of the known ones are (false-positive rate)
  at 1   shares of known and of unknown test images that the finished model calls unknown (its threshold is 1)

"auto" is the finished model's own score. Then one, two and three classes are left out together, and `classes propose` is
given their test images among as many of known classes: the share of unknown images in proposals (coverage), and the share
of images in proposals that are of the most frequent class of their proposal (purity), where a known class counts as wrong.
The tiles are split by look-alikes, half of the groups each; the test images of CIFAR-10 are its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.evaluation.intervals import t_quantile
from tellapart.evaluation.ranking import roc_auc
from tellapart.heads.aims import Aim
from tellapart.heads.class_distance import ClassDistance
from tellapart.heads.energy import energy
from tellapart.heads.ood import OodDetector
from tellapart.heads.relative_distance import RelativeDistance
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema, Task
from tellapart.training.dynamic import dynamic_probe
from tellapart.training.linear_probe import Probe, ProbeOptions, linear_probe
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.propose import propose_classes
from tellapart.workflows.train import train

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
HEADS = {"linear": linear_probe, "dynamic": dynamic_probe}
METHODS = {"linear": "probe", "dynamic": "dynamic"}
SHARES = (0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Images:
    """Embeddings (n, d), class names (n,), groups (n,) and which rows of the data set they are."""

    embedded: EmbeddedDataset
    names: NDArray[np.str_]
    groups: Ints

    def take(self, chosen: Bools) -> Images:
        """Those of a mask."""
        return Images(self.embedded.subset(chosen), self.names[chosen], self.groups[chosen])

    @property
    def x(self) -> Floats:
        """Embeddings float32 (n, d)."""
        return self.embedded.embeddings


def main() -> None:
    """Print a table per data set and head, and one of proposals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, help="folder of cifar10-train.parquet and cifar10-test.parquet")
    parser.add_argument("--tiles", type=Path, help="folder of the magnetic tiles")
    parser.add_argument(
        "--images", type=int, default=2000, help="training images of CIFAR-10; half as many test images"
    )
    parser.add_argument("--held", type=int, default=10, help="classes left out, one after the other")
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings between runs")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = asked.cache or Path(folder)
        if asked.cifar:
            files = [asked.cifar / f"cifar10-{part}.parquet" for part in ("train", "test")]
            sizes = (asked.images, asked.images // 2)
            fit, judge = (embedded(Dataset.read(file), cache, n) for file, n in zip(files, sizes, strict=True))
            report("CIFAR-10", fit, judge, asked.held, cache)
        if asked.tiles:
            both = embedded(Dataset.read(asked.tiles), cache, None, grouped=True)
            groups = np.random.default_rng(0).permutation(np.unique(both.groups))
            test = np.isin(both.groups, groups[: len(groups) // 2])
            report("magnetic tiles", both.take(~test), both.take(test), asked.held, cache)


def embedded(dataset: Dataset, cache: Path, n: int | None, *, grouped: bool = False) -> Images:
    """`n` images drawn by seed, or all, through the product's own path."""
    if n is not None and n < len(dataset):
        dataset = dataset.subset(np.sort(np.random.default_rng(0).permutation(len(dataset))[:n]))
    network = load_backbone("builtin")
    found = embed_dataset(dataset, Embedder(own_spec(network, dataset, DecodeLimits()), network, cache))
    names = np.array([labels[0] for labels in found.dataset.table["labels"].to_list()])
    groups = look_alikes(found, cache).groups if grouped else np.arange(len(found))
    return Images(found, names, groups.astype(np.int64))


def report(title: str, fit: Images, judge: Images, held: int, cache: Path) -> None:
    """Tables of one data set."""
    classes = np.unique(fit.names)
    print(f"\n{title}: {len(fit.names):,} images to fit, {len(judge.names):,} to judge, {len(classes)} classes")
    for head in HEADS:
        left_out = [
            one_left_out(head, fit, judge, str(name)) for name in classes[:: max(len(classes) // held, 1)][:held]
        ]
        print_scores(head, left_out)
    for together in (1, 2, 3):
        for share in SHARES:
            print_proposals("dynamic", fit, judge, classes[-together:].tolist(), share, cache)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Of one class: AUROC, TAR95 and FPR95 by kind, what was chosen, shares of known and unknown called unknown, seconds."""

    name: str
    figures: Mapping[str, tuple[float, float, float]]
    chosen: str
    at_one: tuple[float, float]
    seconds: float


def one_left_out(head: str, fit: Images, judge: Images, name: str) -> LeftOut:
    """Fit without a class, and score the test images."""
    known, unknown = judge.x[judge.names != name], judge.x[judge.names == name]
    some = fit.take(fit.names != name)
    began = time.process_time()
    probe = fitted(head, some)
    seconds = time.process_time() - began
    measures = {**measures_of(some, probe), "auto": probe.ood.score}
    figures = {kind: figures_of(measure(known), measure(unknown)) for kind, measure in measures.items()}
    flagged = tuple(float((probe.ood.score(part) >= 1).mean()) for part in (known, unknown))
    return LeftOut(name, figures, probe.ood.kind, (flagged[0], flagged[1]), seconds)


def fitted(head: str, images: Images) -> Probe:
    """By the method's own training."""
    names, columns = np.unique(images.names, return_inverse=True)
    schema = LabelSchema.from_names(names.tolist(), task=Task.MULTICLASS)
    labels = np.eye(len(names), dtype=np.uint8)[columns.reshape(-1)]
    return HEADS[head](images.x, labels, images.groups, schema, ProbeOptions(Aim.parse("argmax"), rejection="auto"))


def measures_of(images: Images, probe: Probe) -> dict[str, Callable[[Floats], Floats]]:
    """What grows with strangeness, by kind; a threshold changes nothing of the order."""
    classes = np.unique(images.names, return_inverse=True)[1].reshape(-1).astype(np.int64)
    space = OodDetector.unscaled(images.x)[0]
    return {
        "mahalanobis": space.score,
        "class_distance": ClassDistance.within(space, images.x, classes).score,
        "relative_distance": RelativeDistance.within(space, images.x, classes).values,
        "energy": lambda x: energy(probe.head.logits(x)),
    }


def figures_of(known: Floats, unknown: Floats) -> tuple[float, float, float]:
    """AUROC, TAR95 and FPR95."""
    scores = np.concatenate([known, unknown]).astype(np.float64)
    auroc = roc_auc(scores, np.arange(len(scores)) >= len(known))[0]
    accepted = float((known < np.quantile(unknown, 0.05)).mean())
    missed = float((unknown <= np.quantile(known, 0.95)).mean())
    return auroc, accepted, missed


def print_scores(head: str, left_out: Sequence[LeftOut]) -> None:
    """A row per kind."""
    print(f"\n{head} head, {len(left_out)} classes left out in turn")
    print(f"{'':18}{'AUROC':>22}{'TAR95':>22}{'FPR95':>22}")
    for kind in left_out[0].figures:
        columns = np.array([one.figures[kind] for one in left_out]).T
        print(f"{kind:18}" + "".join(f"{with_interval(values):>22}" for values in columns))
    chosen = {kind: sum(one.chosen == kind for one in left_out) for kind in left_out[0].figures if kind != "auto"}
    print("auto chose " + ", ".join(f"{kind} {n} times" for kind, n in chosen.items() if n))
    best = [max(one.figures[kind][0] for kind in chosen) - one.figures["auto"][0] for one in left_out]
    print(f"AUROC of auto below the best kind of each class: {with_interval(np.array(best))}")
    known, unknown = (np.array([one.at_one[place] for one in left_out]) for place in (0, 1))
    print(f"at 1: known {with_interval(known)}, unknown {with_interval(unknown)} called unknown")
    print(f"processor seconds of a training: {np.mean([one.seconds for one in left_out]):.1f}")


def with_interval(values: NDArray[np.floating]) -> str:
    """Mean and 95 % interval over classes."""
    n = len(values)
    half = t_quantile(0.975, n - 1) * float(values.std(ddof=1)) / n**0.5 if n > 1 else float("nan")
    return f"{values.mean():.3f} ± {half:.3f}"


def print_proposals(head: str, fit: Images, judge: Images, held: Sequence[str], share: float, cache: Path) -> None:
    """Of the test images of the classes `held`, among as many others."""
    schema_of(fit.embedded.dataset)
    model = train(
        fit.take(~np.isin(fit.names, held)).embedded.dataset,
        method=METHODS[head],
        unknown_share=share,
        golden=0,
        cache_dir=cache,
    )
    unknown = np.isin(judge.names, held)
    others = np.random.default_rng(0).permutation(np.flatnonzero(~unknown))[: int(unknown.sum())]
    chosen = unknown.copy()
    chosen[others] = True
    pool = judge.take(chosen)
    found = propose_classes(model, pool.embedded.dataset, cache_dir=cache)
    rows = [np.array(one.rows) for one in found.proposals]
    right = sum(majority(pool.names[part], held) for part in rows)
    placed = sum(len(part) for part in rows)
    covered = sum(int(np.isin(pool.names[part], held).sum()) for part in rows)
    strange = np.isin(pool.names[list(found.collected)], held)
    print(
        f"propose, {', '.join(held)} left out, unknown share {share:g} ({model.ood.kind}): "
        f"{int(strange.sum())} of {int(unknown.sum())} unknown and {int((~strange).sum())} of {len(others)} known images "
        f"collected, {len(rows)} proposals, coverage {covered / max(int(unknown.sum()), 1):.2f}, "
        + (f"purity {right / placed:.2f}" if placed else "purity -"),
        flush=True,
    )


def majority(names: NDArray[np.str_], held: Sequence[str]) -> int:
    """Images of the most frequent class of a proposal, none where that is a known one."""
    found, counts = np.unique(names, return_counts=True)
    best = int(counts.argmax())
    return int(counts[best]) if found[best] in held else 0


if __name__ == "__main__":
    main()
