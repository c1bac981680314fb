"""How many labels `data suggest` saves against labelling at random, and whether its promises of precision are kept.

    python benchmarks/suggest.py --tiles DATA/magnetic-tile --cache CACHE --picture tiles.svg
    python benchmarks/suggest.py --cifar DATA --pool 10000 --cache CACHE --picture cifar.svg
    python benchmarks/suggest.py --tiles DATA/magnetic-tile --cache CACHE --rivals
    python benchmarks/suggest.py --cifar DATA --pool 5000 --labels 500 --cache CACHE --rivals

Labels are hidden and given batch by batch to the images that are asked for, as a person would: on the magnetic tiles 20 at
a time, on CIFAR-10 50. After each batch a head is fitted as `train` does and judged on images that are in no pool: CIFAR-10's
10,000 test images by accuracy, a quarter of the tiles (split by tile, anew for each seed) by macro-F1 of what is answered by
default. Five seeds; intervals are Student's t, 95 %. Minutes each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from suggest_drawing import Line, draw
from suggest_rivals import RIVALS

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.data.splits import assign_splits
from tellapart.errors import TrainingError
from tellapart.heads.aims import Aim
from tellapart.heads.thresholds import decide
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema, Task
from tellapart.training.linear_probe import ProbeOptions, linear_probe
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.suggest_answers import Answers
from tellapart.workflows.suggest_choice import choose
from tellapart.workflows.suggest_known import Known

SEEDS = 5
T = 2.776  # Student's t for five seeds, 95 %
TILES = "magnetic tiles"
PRECISIONS = (0.8, 0.9, 0.95, 0.98)
Ints = NDArray[np.int64]
Names = NDArray[np.str_]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trial:
    """A pool with its truth, which images are near-duplicates (`things`), the images that judge, and how."""

    pool: EmbeddedDataset
    things: NDArray[np.int64]
    truth: Names
    judges: NDArray[np.float32]
    judged: Names
    aim: str
    batches: tuple[int, ...]

    def known(self, labelled: Bools) -> Known:
        """What the product knows with these labels."""
        samples = [
            replace(sample, labels=(str(name),) if told else None)
            for sample, name, told in zip(self.pool.dataset.samples, self.truth, labelled, strict=True)
        ]
        dataset = Dataset.from_samples(samples, root=self.pool.dataset.root, task=Task.MULTICLASS)
        images = self.pool.with_dataset(dataset)
        if dataset.schema is None:
            return Known(images, None, self.things, self.things, None, "no image has a label yet")
        try:
            answers = Answers.fit(images, self.things, dataset.schema, 0)
        except TrainingError as error:
            return Known(images, dataset.schema, self.things, self.things, None, str(error))
        return Known(images, dataset.schema, self.things, self.things, answers)

    def score(self, labelled: Bools) -> float:
        """Of a head fitted on these labels, as `train` fits it: accuracy, or for `best_f1` macro-F1."""
        names = np.unique(self.truth[labelled])
        if len(names) < 2:
            return 0.0
        schema = LabelSchema.from_names(names.tolist(), task=Task.MULTICLASS)
        labels = (self.truth[labelled][:, None] == np.array(schema.names)).astype(np.uint8)
        options = ProbeOptions(Aim.parse(self.aim))
        probe = linear_probe(self.pool.embeddings[labelled], labels, self.things[labelled], schema, options)
        answers = decide(probe.head.probabilities(self.judges), probe.thresholds, schema)
        told = np.where(answers.any(axis=1), np.array(schema.names)[answers.argmax(axis=1)], "")
        return macro_f1(told, self.judged) if self.aim == "best_f1" else float((told == self.judged).mean())


# Which rows to label next: of a trial with these labels, so many, by this seed.
Choosing = Callable[[Trial, Bools, int, int], Ints]


def suggested(trial: Trial, labelled: Bools, n: int, seed: int) -> Ints:
    """What the product asks for by default."""
    return choose(trial.known(labelled), np.zeros(len(labelled), bool), n=n, hunt=None, seed=seed).rows


def at_random(trial: Trial, labelled: Bools, n: int, seed: int) -> Ints:  # noqa: ARG001 (all ways look alike)
    """Any unlabelled images, near-duplicates and all."""
    return np.random.default_rng(seed).permutation(np.flatnonzero(~labelled))[:n]


def rival(way: Callable[[Known, int, int], Ints]) -> Choosing:
    """Another way of choosing by what is known."""
    return lambda trial, labelled, n, seed: way(trial.known(labelled), n, seed)


def macro_f1(told: Names, truth: Names) -> float:
    """Mean F1 of the labels that are there."""
    each = [2 * ((told == n) & (truth == n)).sum() / ((told == n).sum() + (truth == n).sum()) for n in np.unique(truth)]
    return float(np.mean(each))


@dataclass(frozen=True, slots=True)
class Curve:
    """Scores after each number of labels, of one seed, and which rows were labelled, in that order."""

    sizes: Ints
    scores: NDArray[np.float64]
    rows: Ints

    def labelled(self, n_images: int, first: int | None = None) -> Bools:
        """bool (n_images,): which had a label after so many."""
        return np.isin(np.arange(n_images), self.rows[:first])


def run(trial: Trial, choosing: Choosing, seed: int) -> Curve:
    """Label batch by batch until the budget ends or nothing is asked for."""
    curve = Curve(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    for i, batch in enumerate(trial.batches):
        rows = choosing(trial, curve.labelled(len(trial.truth)), batch, 1000 * seed + i)
        if not len(rows):
            break
        curve = Curve(np.append(curve.sizes, len(curve.rows) + len(rows)), curve.scores, np.append(curve.rows, rows))
        curve = replace(curve, scores=np.append(curve.scores, trial.score(curve.labelled(len(trial.truth)))))
    return curve


def trials(options: argparse.Namespace) -> dict[str, list[Trial]]:
    """A trial for each seed, of each data set that is named."""
    found = {}
    if options.tiles:
        found[TILES] = list(tile_trials(options.tiles, options.cache))
    if options.cifar:
        found["CIFAR-10"] = list(cifar_trials(options.cifar, options.cache, options.pool, options.labels))
    return found


def tile_trials(folder: Path, cache: Path | None) -> Iterator[Trial]:
    """Three quarters of the tiles are the pool, the others judge: another split for each seed."""
    images, truth = embedded(folder, cache)
    things = look_alikes(images, cache).groups
    labels = images.dataset.label_matrix()
    for seed in range(SEEDS):
        parted = assign_splits(label_matrix=labels, groups=things, seed=seed, fractions={"train": 0.75, "test": 0.25})
        train = np.array(parted.assigned) == "train"
        pool, judges = images.subset(train), images.embeddings[~train]
        yield Trial(pool, things[train], truth[train], judges, truth[~train], "best_f1", (20,) * 15)


def cifar_trials(folder: Path, cache: Path | None, n_pool: int, n_labels: int) -> Iterator[Trial]:
    """The 20,000 training images are the pool, or so many of them, others for each seed; the test images judge."""
    batches = (50,) * (n_labels // 50)
    (images, truth), (judges, judged) = (
        embedded(folder / f"cifar10-{part}.parquet", cache) for part in ("train", "test")
    )
    things = look_alikes(images, cache).groups
    for seed in range(SEEDS):
        rows = np.zeros(len(images), bool)
        rows[np.random.default_rng(seed).permutation(len(images))[:n_pool]] = True
        yield Trial(images.subset(rows), things[rows], truth[rows], judges.embeddings, judged, "argmax", batches)


def embedded(path: Path, cache: Path | None) -> tuple[EmbeddedDataset, Names]:
    """Every image with its label's name."""
    dataset, network = Dataset.read(path), load_backbone("builtin")
    embedder = Embedder(own_spec(network, dataset, DecodeLimits()), network, cache)
    images = embed_dataset(dataset, embedder)
    return images, np.array([(sample.labels or ("",))[0] for sample in images.dataset.samples])


def interval(values: NDArray[np.float64]) -> str:
    """Mean and 95 % interval over seeds."""
    half = T * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.3f} ({values.mean() - half:.3f} to {values.mean() + half:.3f})"


def table(name: str, curves: Mapping[str, Sequence[Curve]]) -> None:
    """Scores at every fifth of the budget, and where a way of choosing is ahead of or behind random choice for certain."""
    print(f"\n{name}\n| labels | " + " | ".join(curves) + " |\n| --- |" + " --- |" * len(curves))
    base = curves["random"]
    for size in base[0].sizes[1::2]:
        cells = [
            interval(at(found, size)) if reaches(found, size) else "nothing left to ask for"
            for found in curves.values()
        ]
        print(f"| {size} | " + " | ".join(cells) + " |")
    for other in list(curves)[1:]:
        found = curves[other]
        sizes = [size for size in base[0].sizes if reaches(found, size)]
        ahead, behind = (sum(certain(sign * (at(found, n) - at(base, n))) for n in sizes) for sign in (1, -1))
        print(
            f"{other}: significantly ahead of random at {ahead} of {len(sizes)} sizes, behind at {behind}; {saved(base, found)}"
        )


def reaches(found: Sequence[Curve], size: int) -> bool:
    """Whether every seed was still asked for labels at this size."""
    return all(curve.sizes[-1] >= size for curve in found)


def at(found: Sequence[Curve], size: int) -> NDArray[np.float64]:
    """Score of each seed with so many labels."""
    return np.array([np.interp(size, curve.sizes, curve.scores) for curve in found])


def certain(differences: NDArray[np.float64]) -> bool:
    """Whether paired differences are above 0 with 95 % confidence."""
    return bool(differences.mean() > T * differences.std(ddof=1) / len(differences) ** 0.5)


def saved(base: Sequence[Curve], found: Sequence[Curve]) -> str:
    """With how many fewer labels the mean score that random choice ends with is reached; interval over resampled seeds."""
    end, seeds = int(base[0].sizes[-1]), np.arange(len(base))
    n = labels_for(base, found, seeds)
    drawn = np.random.default_rng(0).integers(len(seeds), size=(2000, len(seeds)))
    low, high = np.quantile([1 - labels_for(base, found, rows) / end for rows in drawn], [0.025, 0.975])
    goal = at(base, end).mean()
    return f"the {goal:.3f} of {end} random labels take {n:.0f}: {1 - n / end:.0%} fewer ({low:.0%} to {high:.0%})"


def labels_for(base: Sequence[Curve], found: Sequence[Curve], seeds: Ints) -> float:
    """Labels from which on the mean score of these seeds is held that random choice ends with; its own number if never."""
    end = int(base[0].sizes[-1])
    goal = at(base, end)[seeds].mean()
    sizes = np.arange(found[0].sizes[0], min(curve.sizes[-1] for curve in found) + 1)
    means = np.mean([np.interp(sizes, found[seed].sizes, found[seed].scores) for seed in seeds], axis=0)
    short = np.flatnonzero(means < goal)
    first = short[-1] + 1 if len(short) else 0
    return float(sizes[first]) if first < len(sizes) else float(end)


FIRST = 100


def rare(name: str, all_: Sequence[Trial], curves: Mapping[str, Sequence[Curve]]) -> None:
    """How much of the less frequent labels each way finds early, and what hunting for each of them finds."""
    names, counts = np.unique(np.concatenate([trial.truth for trial in all_]), return_counts=True)
    most = names[counts.argmax()]
    for way, found in curves.items():
        shares = np.array([(t.truth[c.rows[:FIRST]] != most).mean() for t, c in zip(all_, found, strict=True)])
        print(f"{name}, {way}: of the first {FIRST} labels given {interval(shares)} are not {most}, the most frequent")
    for label in names[names != most]:
        told = [
            hunted(t, c.labelled(len(t.truth), FIRST), str(label)) for t, c in zip(all_, curves["random"], strict=True)
        ]
        shares, base = (np.array(part) for part in zip(*told, strict=True))
        print(f"{name}, hunting for {label}: {interval(shares)} of 20 are it, of those left {base.mean():.3f}")


def hunted(trial: Trial, labelled: Bools, label: str) -> tuple[float, float]:
    """Share of a label among the 20 images that hunting asks for, and among all that could be asked for."""
    known = trial.known(labelled)
    left = ~np.isin(trial.things, trial.things[labelled])
    rows = choose(known, np.zeros(len(labelled), bool), n=20, hunt=label, seed=0).rows
    return float((trial.truth[rows] == label).mean()), float((trial.truth[left] == label).mean())


def promises(name: str, all_: Sequence[Trial], labelled: Sequence[Bools], how: str) -> None:
    """Precision of what is accepted without a person, measured on the truth, against what was agreed on."""
    found = [accepted(trial, given) for trial, given in zip(all_, labelled, strict=True)]
    size = int(np.mean([given.sum() for given in labelled]))
    for i, precision in enumerate(PRECISIONS):
        told = [one for each in found if (one := each[i]) is not None]
        measured = ", ".join(f"{right / n:.3f} of {n / left:.0%}" for right, n, left in told) or "–"
        print(f"| {name} | {size:,} {how} | {precision:g} | {len(told)} of {len(all_)} | {measured} |")


def accepted(trial: Trial, labelled: Bools) -> list[tuple[int, int, int] | None]:
    """For each precision how many of the accepted labels are right, how many there are, and of how many unlabelled images."""
    known = trial.known(labelled)
    assert known.answers is not None
    proposed = np.array([known.answers.labels(row)[0] for row in range(len(labelled))])
    taken = [known.accepted(precision).rows for precision in PRECISIONS]
    right = proposed == trial.truth
    return [(int(right[rows].sum()), int(rows.sum()), int((~labelled).sum())) if rows.any() else None for rows in taken]


def main() -> None:
    """Print tables and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path, help="folder of class folders")
    parser.add_argument("--cifar", type=Path, help="folder of cifar10-train.parquet and cifar10-test.parquet")
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs")
    parser.add_argument("--pool", type=int, default=20_000, help="images of CIFAR-10 in the pool")
    parser.add_argument("--labels", type=int, default=1_000, help="labels to give on CIFAR-10")
    parser.add_argument("--rivals", action="store_true", help="other ways of choosing as well")
    parser.add_argument("--picture", type=Path, help="SVG to draw")
    options = parser.parse_args()
    ways: dict[str, Choosing] = {"random": at_random, "suggest": suggested}
    if options.rivals:
        ways |= {name: rival(way) for name, way in RIVALS.items()}
    panels = {}
    for name, all_ in trials(options).items():
        curves = {way: [run(t, choosing, seed) for seed, t in enumerate(all_)] for way, choosing in ways.items()}
        table(name, curves)
        if name == TILES:  # the labels of CIFAR-10 are equally frequent
            rare(name, all_, curves)
        panels[name] = [line(way, found) for way, found in curves.items()]
        if not options.rivals:
            print("\n| data | labels | agreed | promised | precision measured, share accepted |")
            print("| --- | --- | --- | --- | --- |")
            for way, how in (("suggest", "suggested"), ("random", "at random")):
                given = [curve.labelled(len(t.truth)) for t, curve in zip(all_, curves[way], strict=True)]
                promises(name, all_, given, how)
            promises(name, all_, [half(trial, seed) for seed, trial in enumerate(all_)], "at random")
    if options.picture:
        options.picture.write_text(draw(panels), encoding="utf-8")


def half(trial: Trial, seed: int) -> Bools:
    """A quarter of the pool at random: as many labels as a promise of a high precision takes."""
    return np.random.default_rng(seed).random(len(trial.truth)) < 0.25


def line(way: str, found: Sequence[Curve]) -> Line:
    """Mean and interval at the sizes that every seed reached."""
    sizes = [size for size in found[0].sizes if reaches(found, size)]
    scores = np.stack([at(found, size) for size in sizes])
    half = T * scores.std(axis=1, ddof=1) / scores.shape[1] ** 0.5
    return Line(way, np.array(sizes), scores.mean(axis=1), half)


if __name__ == "__main__":
    main()
