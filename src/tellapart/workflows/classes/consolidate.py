"""A full model of what a dynamic one has learned bit by bit, and whether it is better."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.folder import check_target
from tellapart.classifier.golden import record
from tellapart.data.dataset import Dataset
from tellapart.data.splits import Splits
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.evaluation.compare import Comparison, compare
from tellapart.evaluation.scored import score
from tellapart.heads.thresholds import decide
from tellapart.image.quality import FIELDS
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema
from tellapart.workflows.classes.live import Live, opened, real_path
from tellapart.workflows.classes.naming import listed
from tellapart.workflows.classes.rows import Rows
from tellapart.workflows.classes.state import State, options_of
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.fitting import Fitting, HeldBack
from tellapart.workflows.memory import GROUPED, Memory
from tellapart.workflows.partition import Partition, partition
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.train import Work, check_outside

_NAMES = ("the dynamic model", "the full model")


@dataclass(frozen=True, eq=False)
class Consolidated:
    """The full model, and the metric to trust compared on images that taught neither (None where there are none)."""

    output: str
    classifier: Classifier
    n_images: int
    judged_on: str
    comparison: Comparison | None

    @property
    def verdict(self) -> str:
        """Which one is better, in a sentence."""
        if self.comparison is None:
            return "the two models cannot be compared: no image is left that taught neither"
        return self.comparison.verdict

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = self.comparison
        return {
            "output": self.output,
            "model_id": self.classifier.card.model_id,
            "images": self.n_images,
            "judged_on": self.judged_on,
            "metric": None if found is None else found.metric,
            "dynamic": None if found is None else found.first,
            "full": None if found is None else found.second,
            "difference": None if found is None else found.difference.value,
            "low": None if found is None else found.difference.low,
            "high": None if found is None else found.difference.high,
            "better": None if found is None or found.better is None else found.better.split()[1],
            "verdict": self.verdict,
        }

    def lines(self) -> list[str]:
        """For a terminal."""
        return [
            f"full model  {self.classifier.card.model_id}: a linear probe of {self.n_images:,} images",
            f"judged on   {self.judged_on}",
            f"compared    {self.verdict}",
        ]


def consolidate(
    model: str | Path,
    data: Dataset | str | Path | None = None,
    *,
    output: str | Path,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Consolidated:
    """Train a linear probe on what a dynamic model has gathered, write it to `output`, and compare the two.

    `data` are its images with the labels of the present classes; None takes the embeddings that the model remembers, at
    most 5,000. Images stay in the split that they have in the model, labels keep their ids. Nothing replaces anything:
    which model to use is for people to say. `workers`, `provider`, `cache_dir`, `limits` and `progress` as in `train`.

    Raises:
        DataError: `unknown_label` for labels that the model does not know, `label_conflict` when one of its classes has no
            image, and what reading raises.
        SettingsError: `bad_setting` when the output is the model itself.
        ModelError: `classes_fixed`, and what loading and writing raise.
    """
    if real_path(output) == real_path(model):
        message = (
            f"the full model would take the place of {model} before anybody has compared them; name another output"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    check_target(output)
    if data is not None and not isinstance(data, Dataset):
        check_outside(output, data)
    live = opened(model, provider=provider, limits=limits)
    live.check_dynamic()
    classifier, cache = live.classifier, None if cache_dir is None else Path(cache_dir)
    embedder = Embedder(classifier.spec, classifier.backbone, cache, limits, workers)
    if data is None:
        images, parted, memory = _remembered(live)
        dataset = images.dataset
    else:
        dataset = data if isinstance(data, Dataset) else Dataset.read(data)
        images, parted, memory = _read(live, dataset, embedder, progress)
    fitting = Fitting(images, classifier.schema, parted, options_of(classifier), embedder)
    began = time.perf_counter()
    progress("fitting the head", 0, 0)
    bare, probe = fitting.fit(real_path(output).name.removesuffix(".zip"))
    held = fitting.judge(bare, probe)
    comparison = _compared(live, fitting, held, data is None)
    full = Work(dataset, fitting, memory).describe(bare, probe, held, started=began, n_golden=6, progress=progress)
    full = full.with_card(training={**full.card.training, "parent": classifier.card.model_id})
    saved = _with_golden(full, classifier).save(output)
    return Consolidated(str(output), saved, len(images), held.judged_on, comparison)


def _remembered(live: Live) -> tuple[EmbeddedDataset, Partition, Memory]:
    """What the model knows of its images, as if they had just been read; nothing is known of their looks."""
    rows, schema = live.rows, live.classifier.schema
    at = np.flatnonzero(rows.has_vector)
    dataset = rows.dataset(schema, at.tolist(), None)
    statistics = rows.table.filter(rows.has_vector).select(FIELDS).to_numpy().astype(np.float32)
    images = EmbeddedDataset(dataset, rows.embeddings, statistics, np.zeros((len(at), 1, 1), np.uint8), len(at))
    _check_every_class(schema, rows.counts(schema))
    splits = _splits_of(rows, at, schema)
    n_groups = len(at) - len(np.unique(rows.groups[at]))
    return images, Partition(splits, rows.groups[at], GROUPED, n_groups, len(at)), _memory(rows)


def _splits_of(rows: Rows, at: np.ndarray[tuple[int], np.dtype[np.int64]], schema: LabelSchema) -> Splits:
    names, assigned = ("train", "val", "test"), rows.splits[at]
    columns = rows.columns(schema)[at]
    counts = [np.bincount(columns[assigned == name], minlength=len(schema.labels)) for name in names]
    sizes = tuple(int((assigned == name).sum()) for name in names)
    return Splits(tuple(assigned.tolist()), names, sizes, np.array(counts, np.int64))


def _memory(rows: Rows) -> Memory:
    gone = dict(zip(rows.gone["id"].to_list(), rows.gone["split"].to_list(), strict=True))
    return Memory({**gone, **dict(zip(rows.ids, rows.splits.tolist(), strict=True))})


def _read(
    live: Live, dataset: Dataset, embedder: Embedder, progress: Progress
) -> tuple[EmbeddedDataset, Partition, Memory]:
    schema, memory = live.classifier.schema, _memory(live.rows)
    labelled = dataset.subset(dataset.labelled)
    labelled.label_matrix(schema)  # labels that the model does not know are refused before the long work
    images = embed_dataset(labelled, embedder, progress=progress)
    counts = images.dataset.label_matrix(schema).sum(axis=0).tolist()
    _check_every_class(schema, dict(zip(schema.names, counts, strict=True)))
    seed = options_of(live.classifier).seed
    parted = partition(images, schema, how=GROUPED, memory=memory, seed=seed, cache_dir=embedder.cache_dir)
    return images, parted, memory


def _check_every_class(schema: LabelSchema, counts: Mapping[str, int]) -> None:
    missing = [name for name in schema.names if not counts[name]]
    if missing:
        raise DataError(
            Reason.LABEL_CONFLICT,
            f"there is no image of {listed(missing)}, which the model answers; give data with images of all of its classes",
        )


def _with_golden(full: Classifier, before: Classifier) -> Classifier:
    """The golden images of the dynamic model where those of the data cannot be read."""
    if full.enclosures.golden:
        return full
    golden = record(full, {image.name: image.data for image in before.enclosures.golden})
    return full.enclosing(replace(full.enclosures, golden=golden))


def _compared(live: Live, fitting: Fitting, held: HeldBack, remembered: bool) -> Comparison | None:
    """Both on the images that judge the full model, if the dynamic one has not learned from them either."""
    if held.of_their_own:
        answers = live.classifier.answer(fitting.images.embeddings[held.rows])
        probabilities, decisions = answers.probabilities, answers.decisions
    elif remembered:
        probabilities = State(live.classifier, live.statistics, live.rows).crossed[0][held.rows]
        decisions = decide(probabilities, live.classifier.thresholds, fitting.schema)
    else:
        return None
    schema, targets = fitting.schema, fitting.targets(held.rows)
    first = score(probabilities, targets, schema, decisions=decisions)
    second = score(held.probabilities, targets, schema, decisions=held.decisions)
    return compare(first, second, names=_NAMES, groups=fitting.groups(held.rows))
