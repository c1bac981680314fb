"""Are the numbers right on real images? Splits, calibration, thresholds, unknowns, with the default settings.

    python benchmarks/quality.py --tiles DATA/magnetic-tile --cifar DATA        # about 5 minutes on two cores

`--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet. Every figure is on images that no part of the
training has seen.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.data.splits import group_folds
from tellapart.evaluation.evaluation import evaluate, spoken
from tellapart.heads.aims import Aim
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.linear import LinearHead
from tellapart.heads.selection import fit_selected
from tellapart.heads.thresholds import decide
from tellapart.samples import write_bottles
from tellapart.training.linear_probe import targets_of
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.partition import partition

train = ta.train


def main() -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    parser.add_argument("--backbone", default="builtin")
    options = parser.parse_args()
    global train
    train = partial(ta.train, backbone=options.backbone)
    tiles = splits(options.tiles, options.cache)
    cifar(options.cifar, options.cache)
    unknowns(tiles, options.tiles, options.cifar, options.cache)
    multilabel()


def splits(folder: Path, cache: Path | None) -> ta.Classifier:
    """The default split beside a random one."""
    for how in ("random", "grouped"):
        model = train(folder, split=how, cache_dir=cache)
        metrics = model.evaluation.metrics
        print(
            f"magnetic tiles, {how} split: macro-F1 {spoken(metrics['f1_macro'])}, accuracy {spoken(metrics['accuracy'])}"
        )
    return model


def cifar(folder: Path, cache: Path | None) -> None:
    """20,000 training images, 10,000 test images: accuracy, calibration, aims."""
    parts = [Dataset.read(folder / f"cifar10-{name}.parquet") for name in ("train", "test")]
    samples = [
        replace(sample, uri=str((part.root or folder) / sample.uri), split=name)
        for name, part in zip(("train", "test"), parts, strict=True)
        for sample in part.samples
    ]
    dataset = Dataset.from_samples(samples)
    model = train(dataset, cache_dir=cache)
    metrics = model.evaluation.metrics
    print(f"CIFAR-10: accuracy {spoken(metrics['accuracy'])}, macro-F1 {spoken(metrics['f1_macro'])}")
    test = embed_dataset(dataset.subset([s.split == "test" for s in samples]), embedder(model, cache))
    targets = targets_of(test.dataset.label_matrix(model.schema), model.schema.task)
    overfit = overfitted(model, dataset.subset([s.split == "train" for s in samples]), cache)
    for kind, fitted in (("C by cross-validation", model.head), ("C = 1, scikit-learn's default", overfit)):
        plain = fitted.calibrated(Calibration.identity(model.schema.task, len(model.labels)))
        for name, head in (("uncalibrated", plain), ("calibrated", fitted)):
            found = evaluate(head.probabilities(test.embeddings), targets, model.schema)
            losses = f"ECE {spoken(found.metrics['ece'])}, log loss {spoken(found.metrics['log_loss'])}"
            print(f"CIFAR-10, {kind}, {name}: {losses}")
    aims(dataset, test.embeddings, targets, cache)


def overfitted(model: ta.Classifier, train: Dataset, cache: Path | None) -> LinearHead:
    """A head regularised too little, calibrated on its out-of-fold logits as every head is."""
    images = embed_dataset(train, embedder(model, cache))
    labels = images.dataset.label_matrix(model.schema)
    folds = group_folds(labels, np.arange(len(labels)), 5)
    targets = targets_of(labels, model.schema.task)
    selection, head = fit_selected(images.embeddings, targets, folds, task=model.schema.task, grid=[1.0])
    return head.calibrated(fit_calibration(selection.logits, targets, task=model.schema.task))


def aims(dataset: Dataset, embeddings: NDArray[np.float32], targets: NDArray[np.int64], cache: Path | None) -> None:
    """What the thresholds for a stated precision reach on the test images."""
    for aim in ("precision>=0.8", "precision>=0.9"):
        model = train(dataset, aim=aim, cache_dir=cache)
        answers = decide(model.head.probabilities(embeddings), model.thresholds, model.schema)
        hit = answers[np.arange(len(targets)), targets]
        each = [hit[answers[:, k]].mean() for k in range(len(model.labels)) if model.thresholds.reached[k]]
        wanted = Aim.parse(aim).value
        print(
            f"CIFAR-10, aim {aim}: promised for {len(each)} of {len(model.labels)} classes; on test precision "
            f"{min(each):.3f} to {max(each):.3f}, {sum(p >= wanted for p in each)} of them at least {wanted:g}; "
            f"{answers.any(axis=1).mean():.0%} of the images answered"
        )


def unknowns(model: ta.Classifier, tiles: Path, folder: Path, cache: Path | None) -> None:
    """Tiles the model has not seen against CIFAR images."""
    foreign = embed_dataset(
        Dataset.read(folder / "cifar10-test.parquet").subset(np.arange(1000)), embedder(model, cache)
    )
    own = embed_dataset(Dataset.read(tiles), embedder(model, cache))
    rows = partition(own, model.schema, how="grouped", seed=0, cache_dir=cache).rows("test")
    scores = np.concatenate([model.ood.score(own.embeddings[rows]), model.ood.score(foreign.embeddings)])
    is_foreign = np.repeat([0, 1], [int(rows.sum()), len(foreign)])
    print(
        f"unknowns: AUROC {auc_of(scores, is_foreign):.4f} of held-back tiles against CIFAR images; flagged as unknown: "
        f"{(scores[is_foreign == 0] >= 1).mean():.1%} of the tiles, {(scores[is_foreign == 1] >= 1).mean():.1%} of CIFAR"
    )


def multilabel() -> None:
    """Several faults on one bottle."""
    with TemporaryDirectory() as folder:
        write_bottles(Path(folder) / "bottles", variant="multilabel", n_parts=250)
        found = train(Path(folder) / "bottles").evaluation
    names = ("f1_macro", "average_precision_macro", "subset_accuracy", "hamming_loss")
    print(
        "bottles, multi-label: "
        + ", ".join(f"{name} {spoken(found.metrics[name])}" for name in names if name in found.metrics)
    )


def auc_of(scores: NDArray[np.float32], positive: NDArray[np.int64]) -> float:
    """Share of (positive, negative) pairs in the right order."""
    return float((scores[positive == 1][:, None] > scores[positive == 0][None, :]).mean())


def embedder(model: ta.Classifier, cache: Path | None) -> Embedder:
    """The model's own path."""
    return Embedder(model.spec, model.backbone, cache)


if __name__ == "__main__":
    main()
