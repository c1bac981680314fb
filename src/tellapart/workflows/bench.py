"""Backbones compared on the user's own images: score with interval, milliseconds, megabytes; choosing is looking."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import Announce, available
from tellapart.backbones.store import Store
from tellapart.data.dataset import Dataset
from tellapart.data.groups import combine_groups
from tellapart.data.splits import assign_splits
from tellapart.errors import BackboneError, DataError, ImageError, Reason, SettingsError, TellapartError
from tellapart.evaluation.compare import compare
from tellapart.evaluation.intervals import Estimate, estimate_all
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.scored import Scored, score
from tellapart.evaluation.tradeoff import front
from tellapart.evaluation.units import units_of
from tellapart.files import replacing
from tellapart.heads.aims import Aim
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema, Refusal, Task
from tellapart.training.linear_probe import ProbeOptions
from tellapart.workflows.bench_result import SCORE, Bench, Failure, Row
from tellapart.workflows.candidates import Candidate, Contestant, Opener, candidates, names
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, NothingUsable, embed_dataset
from tellapart.workflows.execution import Execution, measure_execution
from tellapart.workflows.fitting import Fitting, schema_of, without_empty_labels
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.partition import Partition, partition
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.timing import BATCH, Picture, Timing, measure, readable

N_IMAGES = 2000
N_TIMED = 16
# A network that cannot use more of the images than this is no candidate: it would cost the others their images.
_MOST_REFUSED = 0.1


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """How a comparison is made. `images` 0 takes all of them; `seconds` is for timing each candidate; `threads` adds the
    comparison of threads and batches. The rest as in `train`, `store` and `announce` as in `load_backbone`.
    """

    images: int = N_IMAGES
    seconds: float = 3.0
    threads: bool = False
    aim: str = "best_f1"
    split: str = "grouped"
    seed: int = 0
    workers: int = 0
    provider: str = "cpu"
    cache_dir: Path | None = None
    limits: DecodeLimits = DecodeLimits()
    store: Store | None = None
    announce: Announce | None = None

    def __post_init__(self) -> None:
        if self.images < 0:
            raise SettingsError(Reason.BAD_SETTING, f"the number of images is 0 (all) or more, got {self.images}")


def bench(
    data: Dataset | str | Path,
    *,
    backbones: Sequence[str | Path | Candidate] = (),
    output: str | Path | None = None,
    options: BenchOptions = BenchOptions(),
    progress: Progress = silent,
) -> Bench:
    """Compare backbones on labelled images; without names all that are there without a network.

    Every candidate sees the same images, split and folds: on all images those of `train`; a sample is split anew, so that
    images that judge here may train there. The best is chosen on the images that judge, which makes its figure somewhat
    too good. A candidate that fails is listed with its reason. `output` names a report.html to write. Score: macro F1 and
    accuracy of the answers on the test split, without one on held-out folds.

    Raises:
        BackboneError: not one candidate can be used.
        DataError: `write_failed`, before any work where no report can be written to `output`.
        DataError, TrainingError, SettingsError: as `train`.
    """
    if output is not None:
        check_report(Path(output))
    named = backbones or offline_backbones(options.store)
    asked = tuple(one if isinstance(one, Candidate) else candidates([one])[0] for one in named)
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    schema = schema_of(dataset)
    labelled = dataset.subset(dataset.labelled)
    drawn = sample(labelled, schema, options.images, options.seed)
    found = replace(_Run(drawn, schema, options, progress).compare(asked), n_available=len(labelled))
    if output is not None:
        write(found, Path(output))
    return found


def offline_backbones(store: Store | None = None) -> tuple[str, ...]:
    """Names of all backbones that are there without a network."""
    return tuple(entry.name for entry in available(store))


def sample(dataset: Dataset, schema: LabelSchema, n: int, seed: int) -> Dataset:
    """About `n` labelled images, each label and each split by its share, declared groups whole; all of them for n = 0."""
    if not n or len(dataset) <= n:
        return dataset
    splits = np.array([split or "" for split in dataset.splits])
    in_split = np.stack([splits == name for name in np.unique(splits)], axis=1)
    groups = combine_groups([""] * len(dataset), dataset.groups, np.arange(len(dataset), dtype=np.int64))
    share = n / len(dataset)
    parts = assign_splits(
        label_matrix=np.concatenate([dataset.label_matrix(schema), in_split], axis=1),
        groups=groups,
        fractions={"train": share, "test": 1 - share},
        seed=seed,
    )
    return dataset.subset(parts.rows("train"))


def check_report(path: Path) -> None:
    """Raise `DataError` (`write_failed`) before long work, when no report can be written there."""
    folder = Path(os.path.realpath(path)).parent
    if path.is_dir():
        fault = "that is a folder"
    elif path.exists() and not path.is_file():
        return  # a device or pipe, which is written to and not replaced
    elif not folder.is_dir() or not os.access(folder, os.W_OK):
        fault = f"{folder} is no folder to write in"
    else:
        return
    raise DataError(Reason.WRITE_FAILED, f"the report cannot be written to {path}: {fault}")


def write(found: Bench, path: Path) -> None:
    """The report as one HTML file."""
    from tellapart.workflows.bench_report import render

    try:
        with replacing(path) as temporary:
            temporary.write_bytes(render(found).encode("utf-8", "backslashreplace"))
    except OSError as exc:
        raise DataError(
            Reason.WRITE_FAILED, f"the report could not be written to {path}: {exc.strerror or exc}"
        ) from exc


@dataclass(frozen=True, slots=True)
class _Entry:
    """A contestant with what came of it so far."""

    contestant: Contestant
    name: str
    images: EmbeddedDataset


@dataclass(frozen=True, slots=True)
class _Run:
    """One comparison: `dataset` holds the chosen images, and what was refused while reading."""

    dataset: Dataset
    schema: LabelSchema
    options: BenchOptions
    progress: Progress

    def compare(self, asked: Sequence[Candidate]) -> Bench:
        entries, failures = self._embed(asked)
        if not entries:
            reasons = "; ".join(f"{one.candidate}: {one.sentence}" for one in failures)
            raise BackboneError(Reason.BACKBONE_INVALID, f"not one of the candidates can be used: {reasons}")
        entries = _on_common_images(entries)
        first = entries[0].images
        schema, _ = without_empty_labels(self.schema, self.dataset, first)
        self.progress("finding near-duplicates", 0, 0)
        options = self.options
        parted = partition(first, schema, how=options.split, seed=options.seed, cache_dir=options.cache_dir)
        scored, groups, of_their_own = self._judge(entries, schema, parted)
        pictures = self._pictures(first.dataset, entries[0])
        timings = measure(
            [(entry.contestant.spec, entry.contestant.network) for entry in entries],
            pictures,
            limits=options.limits,
            seconds=options.seconds,
            on_cpu=options.provider == "cpu",
            progress=self.progress,
        )
        return Bench(
            rows=_rows(entries, scored, timings, groups, options.seed),
            failures=tuple(failures),
            n_available=len(self.dataset),
            n_drawn=len(self.dataset),
            n_images=len(first),
            n_judged=len(scored[0]),
            of_their_own=of_their_own,
            refusals=tuple(first.dataset.refusals),
            split=parted.summary(),
            executions=self._executions(entries, pictures) if options.threads else (),
            seed=options.seed,
            accuracy_metric=_accuracy_metric(schema),
        )

    def _embed(self, asked: Sequence[Candidate]) -> tuple[list[_Entry], list[Failure]]:
        """Open every candidate, and run it over the images."""
        options = self.options
        opener = Opener(
            options.provider,
            options.store,
            options.announce,
            own_spec=lambda network: own_spec(network, self.dataset, options.limits),
        )
        opened, failures = list[Contestant](), list[Failure]()
        for candidate in asked:
            self.progress(f"opening {candidate.asked}", 0, 0)
            try:
                opened.append(opener(candidate))
            except TellapartError as error:
                failures.append(Failure(candidate.asked, str(error), error.reason.value))
        entries = []
        for contestant, name in zip(opened, names(opened), strict=True):
            try:
                entries.append(self._embedded(contestant, name))
            except BackboneError as error:
                failures.append(Failure(name, str(error), error.reason.value))
        return entries, failures

    def _embedded(self, contestant: Contestant, name: str) -> _Entry:
        options = self.options

        def told(stage: str, done: int, total: int) -> None:
            self.progress(f"{name}: {stage}", done, total)

        embedder = Embedder(contestant.spec, contestant.network, options.cache_dir, options.limits, options.workers)
        try:
            images = embed_dataset(self.dataset, embedder, progress=told)
        except NothingUsable as error:
            self._check_refusals(error.refusals, most=0)
            raise  # the images' own fault: no other candidate can read them either
        self._check_refusals(images.dataset.refusals, most=_MOST_REFUSED * len(self.dataset))
        return _Entry(contestant, name, images)

    def _check_refusals(self, refusals: Sequence[Refusal], *, most: float) -> None:
        """Raise `BackboneError` when the network refused more than `most` images; broken files do not count."""
        own = [refusal for refusal in refusals if refusal.code == Reason.BACKBONE_INVALID.value]
        if len(own) > most:
            message = f"it cannot use {len(own):,} of the {len(self.dataset):,} images; the first: {own[0].sentence}"
            raise BackboneError(Reason.BACKBONE_INVALID, message)

    def _judge(
        self, entries: Sequence[_Entry], schema: LabelSchema, parted: Partition
    ) -> tuple[list[Scored], list[str], bool]:
        """Answers of every candidate for the same images, the groups of these, and whether they were held back."""
        options = self.options
        scored, groups, of_their_own = [], list[str](), True
        for entry in entries:
            self.progress(f"{entry.name}: fitting the head", 0, 0)
            embedder = Embedder(entry.contestant.spec, entry.contestant.network, limits=options.limits)
            probe = ProbeOptions(Aim.parse(options.aim), seed=options.seed)
            fitting = Fitting(entry.images, schema, parted, probe, embedder)
            held = fitting.judge(*fitting.fit(entry.name))
            groups, of_their_own = fitting.groups(held.rows), held.of_their_own
            scored.append(score(held.probabilities, fitting.targets(held.rows), schema, decisions=held.decisions))
        return scored, groups, of_their_own

    def _pictures(self, dataset: Dataset, entry: _Entry) -> list[Picture]:
        """A few images from all over the data set."""
        rows = np.unique(np.linspace(0, len(dataset) - 1, N_TIMED).round().astype(int)).tolist()
        found = []
        for row in rows:
            try:
                data = dataset.bytes_of(row, limits=self.options.limits)
            except ImageError:
                continue  # gone since it was embedded
            found.append(Picture(data, dataset.samples[row].roi))
        return readable(found, entry.contestant.spec, self.options.limits)

    def _executions(self, entries: Sequence[_Entry], pictures: Sequence[Picture]) -> tuple[Execution, ...]:
        found = []
        for entry in entries:
            spec = entry.contestant.spec
            pixels = np.stack([spec.apply(p.data, p.roi, self.options.limits) for p in pictures[:BATCH]])
            found.append(measure_execution(entry.name, entry.contestant.network, pixels, progress=self.progress))
        return tuple(found)


def _on_common_images(entries: Sequence[_Entry]) -> list[_Entry]:
    """Every candidate on the images that all of them can use."""
    keys = [_keys(entry.images.dataset) for entry in entries]
    common = set(keys[0]).intersection(*keys[1:])
    return [
        replace(entry, images=entry.images.subset(np.array([key in common for key in own], bool)))
        for entry, own in zip(entries, keys, strict=True)
    ]


def _keys(dataset: Dataset) -> list[tuple[str, object]]:
    return list(zip(dataset.uris, dataset.table["roi"].to_list(), strict=True))


def _rows(
    entries: Sequence[_Entry], scored: Sequence[Scored], timings: Sequence[Timing], groups: list[str], seed: int
) -> tuple[Row, ...]:
    """One row per candidate, the best score first."""
    accuracy = _accuracy_metric(scored[0].schema)
    unit = units_of(groups, len(scored[0]))
    scores = [_estimate(one, SCORE, unit, seed) for one in scored]
    values = [estimate.value for estimate in scores]
    best = max(range(len(entries)), key=lambda i: (-1.0 if values[i] is None else values[i], -timings[i].total_ms))
    on_front = front([timing.total_ms for timing in timings], values)
    rows = []
    for i, entry in enumerate(entries):
        difference, worse = None, False
        if i != best:
            found = compare(scored[best], scored[i], metric=SCORE, names=("best", "this"), groups=groups, seed=seed)
            difference, worse = found.difference, found.better == "best"
        network, spec = entry.contestant.network, entry.contestant.spec
        rows.append(
            Row(
                name=entry.name,
                backbone=entry.contestant.candidate.backbone,
                preprocess=str(spec),
                size_px=(spec.size[1], spec.size[0]),
                licence=network.licence,
                embedding_dim=network.embedding_dim,
                n_bytes=len(network.onnx_bytes()),
                sha256=network.sha256,
                score=scores[i],
                accuracy=_estimate(scored[i], accuracy, unit, seed),
                timing=timings[i],
                difference=difference,
                worse=worse,
                on_front=on_front[i],
            )
        )
    return tuple(
        sorted(rows, key=lambda row: (row.difference is not None, -(row.score.value or 0.0), row.timing.total_ms))
    )


def _accuracy_metric(schema: LabelSchema) -> str:
    return "subset_accuracy" if schema.task is Task.MULTILABEL else "accuracy"


def _estimate(scored: Scored, name: str, unit: NDArray[np.int64] | None, seed: int) -> Estimate:
    return estimate_all(Measurer.of(scored, unit=unit, ranking=False), seed=seed, only=name).overall[name]
