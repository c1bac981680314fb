"""Does it help to pre-train a backbone on the images without their labels? A linear head before and after, on the same split.

    python -m benchmarks.pretrain --tiles DATA/magnetic-tile --folder NEW --size 128 --epochs 8
    python -m benchmarks.pretrain --cifar DATA --n-cifar 3000 --folder NEW --size 32 --epochs 20 --start scratch

`--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet, of which an even share is taken, and at most 1,000
test images. Images of the test split take no part in the pre-training. "before" is the network it starts from: `builtin`, or
for `--start scratch` the same network with the fresh weights that the pre-training begins with. The difference has its 95 %
interval, paired and by groups. `--folder` is where backbones, curves and embeddings go.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.backbones import Task, tasks

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.registry import load_backbone
from tellapart.evaluation.compare import compare
from tellapart.evaluation.evaluation import evaluate, spoken
from tellapart.evaluation.scored import Scored, score
from tellapart.heads.aims import Aim
from tellapart.image.preprocess import PreprocessSpec
from tellapart.settings.pretraining import Pretraining
from tellapart.settings.pretraining_changes import read_pretraining
from tellapart.training.linear_probe import ProbeOptions
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.fitting import Fitting, HeldBack, schema_of
from tellapart.workflows.partition import Partition, partition
from tellapart.workflows.pretrain import pretrain

MOST_TEST = 1_000


def main() -> None:
    """Print a table row for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--n-cifar", type=int, default=3_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--method", default="simclr", choices=["simclr", "dino"])
    parser.add_argument("--start", default="pretrained", choices=["pretrained", "scratch"])
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--augment", help="a preset")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes")
    given = parser.parse_args()
    names = {name: getattr(given, name) for name in ("method", "start", "size", "epochs")}
    views = {"preset": given.augment} if given.augment else None
    options = read_pretraining({**names, "augmentation": views}, given.changes)
    given.folder.mkdir(parents=True, exist_ok=True)
    print("| data | start | method | before | after | difference | neighbours | minutes |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for task in tasks(given.cifar, given.tiles):
        print(row(_share(task, given.n_cifar), options, given.folder), flush=True)


def row(task: Task, options: Pretraining, folder: Path) -> str:
    """Both heads on the same images."""
    first = network_before(options)
    spec = PreprocessSpec.parse(first.default_spec)
    before = fitted(task, spec, first, folder)
    learns = np.array([split != "test" for split in before.parted.splits.assigned])
    output = folder / f"{task.name.split(' (')[0].replace(' ', '-')}-{options.method}-{options.start}.onnx"
    made = pretrain(before.images.dataset.subset(learns), output=output, options=options, restart=True)
    after = fitted(task, spec, load_backbone(output), folder, before.parted)
    judged = [held_of(fitting) for fitting in (before, after)]
    scored = [scored_of(before, held) for held in judged]
    groups = before.groups(judged[0].rows)
    found = compare(*scored, metric=task.metric, groups=groups)
    values = [
        evaluate(
            held.probabilities, before.targets(held.rows), before.schema, decisions=held.decisions, groups=groups
        ).metrics[task.metric]
        for held in judged
    ]
    gain = found.difference
    voted = [epoch.neighbours or 0.0 for epoch in (made.history[0], made.history[-1])]
    cells = [
        f"{task.name}, {task.metric}; {made.n_images:,} without labels",
        options.start,
        f"{options.method}, {options.size} px, {options.epochs} epochs",
        *map(spoken, values),
        f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})",
        f"{voted[0]:.3f} → {voted[1]:.3f}",
        f"{made.seconds / 60:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def network_before(options: Pretraining) -> OnnxBackbone:
    """The network that the pre-training begins with, as a backbone."""
    from tellapart.training.networks.build import build_network
    from tellapart.training.networks.export import canonical_bytes

    network = build_network(options.backbone, n_classes=2, size=options.size, start=options.start)
    return OnnxBackbone.open(canonical_bytes(network, "before"))


def fitted(
    task: Task, spec: PreprocessSpec, backbone: OnnxBackbone, folder: Path, parted: Partition | None = None
) -> Fitting:
    """All that a head needs; split as `train` splits, unless it is known."""
    embedder = Embedder(spec, backbone, folder)
    images = embed_dataset(task.dataset, embedder)
    schema = schema_of(task.dataset)
    found = parted or partition(images, schema, how="grouped", seed=0, cache_dir=folder)
    aim = Aim.parse("argmax" if task.metric == "accuracy" else "best_f1")
    return Fitting(images, schema, found, ProbeOptions(aim), embedder)


def held_of(fitting: Fitting) -> HeldBack:
    """The answers of a head for the test split."""
    return fitting.judge(*fitting.fit("probe"))


def scored_of(fitting: Fitting, held: HeldBack) -> Scored:
    """The same as `compare` wants it."""
    return score(held.probabilities, fitting.targets(held.rows), fitting.schema, decisions=held.decisions)


def _share(task: Task, n: int) -> Task:
    splits = np.array([split or "" for split in task.dataset.splits])
    if not (splits == "train").any():
        return task
    rng = np.random.default_rng(0)
    most = {"train": n, "test": MOST_TEST}
    rows = [row for name in most for row in rng.permutation(np.flatnonzero(splits == name))[: most[name]].tolist()]
    return replace(task, dataset=task.dataset.subset(sorted(rows)))


if __name__ == "__main__":
    main()
