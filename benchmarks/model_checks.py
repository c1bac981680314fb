"""The checks that ask a model: how well they rank wrong labels, how often clean data alarm them, what they cost.

    python -m benchmarks.model_checks --cifar DATA --tiles DATA --cache FOLDER [--only ranking,rounds,small,alarms,losses,time]

`--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet, `--tiles` magnetic-tile. The backbone is `builtin`.

ranking: 20,000 images of CIFAR-10, 5 % of the labels changed at random and 5 % to a class that looks alike, three seeds;
average precision of each score, and what `label_errors` names. rounds: the same with a head fitted again without the worst
tenth. small: two classes, told apart easily or hardly, with 3 % and 6 % of the labels changed, five draws of each. alarms:
parts of the unchanged data, in which checks should be silent, and of data with wrong labels. losses: what augmentations cost
the class that loses most, where none destroys one. time: seconds of processor time, without embedding.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from benchmarks.hygiene_scores import average_precision
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.data.hygiene import ambiguous, confused_classes, label_errors, outliers
from tellapart.data.hygiene.label_quality import label_quality
from tellapart.data.hygiene.neighbours import neighbours
from tellapart.data.hygiene.protocol import Evidence
from tellapart.data.hygiene.second_opinion import second_opinion
from tellapart.data.splits import group_folds
from tellapart.heads.aims import Aim
from tellapart.heads.linear import fit_linear
from tellapart.image.types import DecodeLimits
from tellapart.records import Sample
from tellapart.training.linear_probe import ProbeOptions, linear_probe
from tellapart.workflows.check_evidence import evidence_of
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.varying import variants

CHECKS = (label_errors.CHECK, confused_classes.CHECK, ambiguous.CHECK, outliers.CHECK)
ALIKE = {
    "airplane": ("ship", "bird"), "automobile": ("truck",), "bird": ("airplane",), "cat": ("dog",), "deer": ("horse",),
    "dog": ("cat",), "frog": ("bird",), "horse": ("deer",), "ship": ("airplane",), "truck": ("automobile",),
}  # fmt: skip
FEW = (("cat", "dog"), ("automobile", "truck"), ("airplane", "bird", "ship"), ("cat", "deer", "dog", "horse"))
PAIRS = (("automobile", "frog"), ("airplane", "ship"), ("cat", "dog"))
PASSES = ("ranking", "rounds", "small", "alarms", "losses", "time")
Rows = NDArray[np.int64]


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cifar", "tiles", "cache"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--only", default=",".join(PASSES))
    options = parser.parse_args()
    wanted = options.only.split(",")
    if {"ranking", "rounds", "time"} & set(wanted):
        train = embedded(options.cifar / "cifar10-train.parquet", options.cache)
        if {"ranking", "rounds"} & set(wanted):
            ranking(train, rounds="rounds" in wanted)
        if "time" in wanted:
            seconds(train)
    if "small" in wanted:
        small(embedded(options.cifar / "cifar10-test.parquet", options.cache))
    if "losses" in wanted:
        losses(options.cifar / "cifar10-test.parquet", options.tiles, options.cache)
    if "alarms" in wanted:
        test = embedded(options.cifar / "cifar10-test.parquet", options.cache)
        alarms(test, embedded(options.tiles, options.cache))


def embedded(data: Path, cache: Path) -> EmbeddedDataset:
    """All images of a data set."""
    dataset = Dataset.read(data)
    return embed_dataset(dataset, embedder(dataset, cache))


def embedder(dataset: Dataset, cache: Path) -> Embedder:
    """The built-in backbone, as `check` would use it."""
    network = load_backbone("builtin")
    return Embedder(own_spec(network, dataset, DecodeLimits()), network, cache, DecodeLimits())


def evidence(images: EmbeddedDataset, rows: Rows, names: list[str], looks: Rows, seed: int) -> Evidence:
    """Some images under the labels given, with answers of heads that did not see them."""
    chosen = [
        Sample(uri=images.dataset.uris[row], id=images.dataset.ids[row], labels=(name,))
        for row, name in zip(rows, names, strict=True)
    ]
    dataset = Dataset.from_samples(chosen)
    schema = schema_of(dataset)
    labels, embeddings = dataset.label_matrix(schema), images.embeddings[rows]
    probe = linear_probe(embeddings, labels, looks[rows], schema, ProbeOptions(Aim.parse("argmax"), seed=seed))
    answers = np.where(probe.usable[:, None], probe.probabilities, np.float32(np.nan)).astype(np.float32)
    return Evidence(
        dataset, schema, labels, images.statistics[rows], images.thumbnails[rows], embeddings, answers, looks[rows]
    )


def truth(images: EmbeddedDataset) -> list[str]:
    """The label of each image."""
    return [(sample.labels or ("",))[0] for sample in images.dataset.samples]


def changed(names: list[str], rng: np.random.Generator, at_random: float, alike: float) -> list[str]:
    """Labels of which shares are wrong."""
    order, known, given = rng.permutation(len(names)), sorted(set(names)), list(names)
    n, m = round(at_random * len(names)), round(alike * len(names))
    for row in order[:n]:
        given[row] = str(rng.choice([name for name in known if name != names[row]]))
    for row in order[n : n + m]:
        given[row] = str(rng.choice(ALIKE[names[row]]))
    return given


def ranking(images: EmbeddedDataset, *, rounds: bool) -> None:
    """Average precision by score, and what is named."""
    names, looks = truth(images), look_alikes(images, None).groups
    found: dict[str, list[float]] = {}
    for seed in range(3):
        given = changed(names, np.random.default_rng(seed), 0.05, 0.05)
        made = evidence(images, np.arange(len(images)), given, looks, seed)
        wrong = np.array([a != b for a, b in zip(names, given, strict=True)])
        for score, quality in qualities(made, rounds=rounds):
            found.setdefault(score, []).append(average_precision(-quality, wrong))
        (finding,) = label_errors.find(made)
        right = sum(one.value == names[one.row] for one in finding.proposals) / len(finding.rows)
        hits = wrong[list(finding.rows)]
        share = finding.figures["share"]
        print(
            f"seed {seed}: {len(hits)} named, precision {hits.mean():.3f}, recall {hits.sum() / wrong.sum():.3f}, "
            f"new label right {right:.3f}, share {share:.3f} of {wrong.mean():.3f}",
            flush=True,
        )
    print("| score | average precision, seeds 0, 1, 2 |\n| --- | --- |")
    for score, values in found.items():
        print(f"| {score} | {', '.join(f'{value:.3f}' for value in values)} |", flush=True)


def qualities(made: Evidence, *, rounds: bool) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Scores by name, 1 = surely right."""
    from cleanlab.rank import get_label_quality_scores

    assert made.probabilities is not None
    assert made.embeddings is not None
    assert made.look_alikes is not None
    task = made.schema.task
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        yield f"head: {method}", get_label_quality_scores(made.classes, made.probabilities, method=method)
    yield "head: against the strongest rival", label_quality(made.labels, made.probabilities, task)
    votes = neighbours(made.embeddings, made.look_alikes).vote(made.labels)
    yield "50 neighbours: their share", votes[np.arange(len(made)), made.classes]
    yield "50 neighbours: against the strongest rival", label_quality(made.labels, votes, task)
    yield "head and neighbours: self_confidence", second_opinion(made)[np.arange(len(made)), made.classes]
    yield "head and neighbours: against the strongest rival", label_errors.quality(made)
    if rounds:
        again = replace(made, probabilities=second_round(made))
        assert again.probabilities is not None
        yield "head fitted twice: against the strongest rival", label_quality(made.labels, again.probabilities, task)


def second_round(made: Evidence, share: float = 0.1) -> NDArray[np.float32]:
    """Held-out answers of heads that the worst labels of a first round are kept from."""
    assert made.probabilities is not None
    assert made.embeddings is not None
    assert made.look_alikes is not None
    quality = label_quality(made.labels, made.probabilities, made.schema.task)
    trusted = quality > np.quantile(quality, share)
    folds = group_folds(made.labels, made.look_alikes, 5)
    answers = np.zeros_like(made.probabilities)
    for fold in range(5):
        rows = trusted & (folds != fold)
        head = fit_linear(
            made.embeddings[rows], made.classes[rows], task=made.schema.task, C=1e-3, class_weight="balanced"
        )
        answers[folds == fold] = head.probabilities(made.embeddings[folds == fold])
    return answers


def small(images: EmbeddedDataset) -> None:
    """What is named of two classes with few images."""
    names, looks = np.array(truth(images)), look_alikes(images, None).groups
    print("| classes | images | wrong | spoke | wrong labels | named | of those wrong |\n|" + " --- |" * 7)
    for pair in PAIRS:
        for n, share in product((300, 1000), (0.0, 0.03, 0.06)):
            spoke = wrong = named = right = 0
            for seed in range(5):
                rng = np.random.default_rng(seed)
                rows = rng.permutation(np.flatnonzero(np.isin(names, pair)))[:n]
                given = changed(names[rows].tolist(), rng, share, 0)
                is_wrong = names[rows] != np.array(given)
                found = label_errors.find(evidence(images, rows, given, looks, seed))
                listed = [row for finding in found for row in finding.rows]
                spoke, wrong = spoke + bool(found), wrong + int(is_wrong.sum())
                named, right = named + len(listed), right + int(is_wrong[listed].sum())
            print(
                f"| {' or '.join(pair)} | {n} | {share:.0%} | {spoke} of 5 | {wrong} | {named} | {right} |", flush=True
            )


def alarms(cifar: EmbeddedDataset, tiles: EmbeddedDataset) -> None:
    """Findings in parts without and with wrong labels."""
    print(
        "| wrong labels | data sets | "
        + " | ".join(check.name for check in CHECKS)
        + " |\n|"
        + " --- |" * (2 + len(CHECKS))
    )
    for share in (0.0, 0.1, 0.03):
        n, spoken = 0, Counter[str]()
        for images, rows, names, looks, seed in parts(cifar, tiles):
            made = evidence(images, rows, changed(names, np.random.default_rng(seed), share, 0), looks, seed)
            spoken.update(check.name for check in CHECKS if check.run(made))
            n += 1
        print(f"| {share:.0%} | {n} | " + " | ".join(str(spoken[check.name]) for check in CHECKS) + " |", flush=True)


def parts(
    cifar: EmbeddedDataset, tiles: EmbeddedDataset
) -> Iterator[tuple[EmbeddedDataset, Rows, list[str], Rows, int]]:
    """40 data sets: 300 to 3,000 images of ten classes, 800 of two to four, halves of magnetic-tile."""
    some: list[tuple[tuple[str, ...] | None, int]] = [(None, n) for n in (300, 1000, 3000)]
    some += [(chosen, 800) for chosen in FEW]
    for images, wanted in ((cifar, some), (tiles, [(None, len(tiles) // 2)])):
        names, looks = np.array(truth(images)), look_alikes(images, None).groups
        for seed in range(5):
            for classes, n in wanted:
                rows = np.flatnonzero(np.isin(names, classes)) if classes else np.arange(len(names))
                rows = np.random.default_rng(100 + seed).permutation(rows)[:n]
                yield images, rows, names[rows].tolist(), looks, seed


def losses(*sources: Path) -> None:
    """Of recall, by augmentation, of the class that loses most."""
    *data, cache = sources
    for source in data:
        images = embedded(source, cache)
        found = variants(
            images, evidence_of(images, schema_of(images.dataset)), look_alikes(images, None).groups,
            embedder(images.dataset, cache), seed=0,
        )  # fmt: skip
        assert found is not None
        has = images.dataset.label_matrix(schema_of(images.dataset))[found.rows].astype(bool)
        for name, answers in found.varied.items():
            lost = [found.plain[row, k].mean() - form[row, k].mean() for k, row in enumerate(has.T) for form in answers]
            print(f"{source.stem}, {len(found.rows)} images, {name}: {max(lost):.2f}", flush=True)


def seconds(images: EmbeddedDataset) -> None:
    """Of each check, with embeddings that are copied and shaken where there are too few."""
    order, names, alone = np.random.default_rng(0).permutation(len(images)), truth(images), np.arange(len(images))
    first = order[:10_000]
    base = evidence(images, first, [names[row] for row in first], alone, 0)
    for check in CHECKS:
        check.run(base)  # what is imported
    print("| images | " + " | ".join(check.name for check in CHECKS) + " |\n|" + " --- |" * (1 + len(CHECKS)))
    assert base.probabilities is not None
    assert base.embeddings is not None
    for n in (10_000, 30_000, 100_000):
        rows, rng = np.arange(n) % 10_000, np.random.default_rng(0)
        shaken = base.embeddings[rows] * rng.uniform(0.8, 1.2, (n, base.embeddings.shape[1])).astype(np.float32)
        samples = [replace(base.dataset.samples[row], id=f"{i:064x}", uri=str(i)) for i, row in enumerate(rows)]
        made = replace(
            base, dataset=Dataset.from_samples(samples), labels=base.labels[rows], statistics=base.statistics[rows],
            thumbnails=base.thumbnails[rows], embeddings=shaken, probabilities=base.probabilities[rows],
            look_alikes=np.arange(n),
        )  # fmt: skip
        print(f"| {n:,} | " + " | ".join(f"{timed(check, made):.1f}" for check in CHECKS) + " |", flush=True)


def timed(check: object, made: Evidence) -> float:
    """Seconds of processor time of one run."""
    started = time.process_time()
    check.run(made)  # type: ignore[attr-defined]
    return time.process_time() - started


if __name__ == "__main__":
    main()
