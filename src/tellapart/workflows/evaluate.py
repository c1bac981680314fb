"""A saved model judged on labelled images: answers, evaluation, report, and a comparison with another model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Answers, Classifier
from tellapart.classifier.folder import is_model
from tellapart.classifier.storage import load, read_reference
from tellapart.data.dataset import Dataset
from tellapart.data.groups import combine_groups
from tellapart.data.split_names import normalise_split
from tellapart.errors import DataError, Reason, SettingsError, TrainingError
from tellapart.evaluation.compare import Comparison, compare
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.evaluation import evaluate as evaluate_arrays
from tellapart.evaluation.kinds import Kinds
from tellapart.evaluation.report import Background
from tellapart.evaluation.scored import Scored, score
from tellapart.files import replacing
from tellapart.image.types import DecodeLimits
from tellapart.training.linear_probe import targets_of
from tellapart.workflows.anomaly_judged import as_the_model_sees, kinds_of
from tellapart.workflows.costs import cost_matrix
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.facts import slicing_columns
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.reference import read_splits
from tellapart.workflows.report import counts_by_split, render, warnings_of


@dataclass(frozen=True, slots=True)
class Judged:
    """The evaluation, the images behind it, and the comparison with another model where one was asked for."""

    evaluation: Evaluation
    images: EmbeddedDataset
    n_left_out: int
    n_trained_on: int = 0
    comparison: Comparison | None = None
    kinds: Kinds | None = None

    def summary(self) -> tuple[str, ...]:
        """Lines for a terminal."""
        return (*self.notes(), "", *self.evaluation.summary(), *(() if self.kinds is None else self.kinds.lines()))

    def notes(self) -> tuple[str, ...]:
        """What was judged, what was refused, and the verdict of the comparison."""
        refusals = self.images.dataset.refusals
        seen = len(self.images) + self.n_left_out + len(refusals)
        lines = [
            f"data        {seen:,} images seen: {len(self.images):,} judged, {len(refusals):,} refused, "
            f"{self.n_left_out:,} unlabelled or of another split",
            *(f"refused     {refusal.sentence}" for refusal in refusals[:10]),
            *(f"warning     {warning}" for warning in self.images.dataset.warnings),
        ]
        if self.n_trained_on:
            lines.append(
                f"warning     the model was trained on {self.n_trained_on:,} of these {len(self.images):,} images: "
                "the figures are too good; take --split test, or images it has not seen"
            )
        if self.comparison is not None:
            lines.append(f"compared    {self.comparison.verdict}")
        return tuple(lines)

    def to_json(self) -> dict[str, Any]:
        """The evaluation as evaluation.json has it, with `refused` and `comparison` beside it."""
        value = self.evaluation.to_json()
        value["refused"] = [refusal.to_json() for refusal in self.images.dataset.refusals]
        if self.kinds is not None:
            value["anomalies"] = self.kinds.to_json()
        if self.comparison is not None:
            found = self.comparison
            value["comparison"] = {
                "metric": found.metric,
                "difference": found.difference.value,
                "low": found.difference.low,
                "high": found.difference.high,
                "better": found.better,
                "verdict": found.verdict,
            }
        return value


def evaluate(
    model: Classifier | str | Path,
    data: Dataset | str | Path,
    *,
    output: str | Path | None = None,
    split: str | None = None,
    against: str | Path | None = None,
    seed: int = 0,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Judged:
    """Judge a model on labelled images it has not seen; near-duplicates count as one when intervals are drawn.

    `output` names a folder for report.html and evaluation.json. `split` takes only images of that split: of the data,
    or of the model's own training where the data has none. `against` is another model of the same labels to compare with
    on the same images. `provider` and `cache_dir` as in `train`.

    Raises:
        DataError: `unknown_label` for labels that the model does not know, and what reading raises.
        TrainingError: `no_test_data` when no labelled image is left.
        SettingsError: `bad_setting` for an unknown split, a model of other labels, or a model's folder as `output`.
    """
    if output is not None and is_model(output):
        raise SettingsError(
            Reason.BAD_SETTING,
            f"{output} is a model, whose own report this would replace; name another folder for the evaluation",
        )
    classifier = model if isinstance(model, Classifier) else load(model, provider=provider, limits=limits)
    dataset = as_the_model_sees(classifier, data if isinstance(data, Dataset) else Dataset.read(data))
    trained = _training_splits(classifier)
    wanted = None if split is None else _split_name(split)
    # Data without splits of its own: the model knows which images it was trained on.
    chosen = _labelled(dataset, wanted if any(dataset.splits) else None)
    chosen.label_matrix(classifier.schema)  # labels the model does not know are refused before the long work
    embed = _Embed(None if cache_dir is None else Path(cache_dir), limits, workers, provider, progress)
    images = embed(chosen, classifier)
    if wanted is not None and not any(dataset.splits):
        images = images.subset(_some([trained.get(image_id) == wanted for image_id in images.dataset.ids], wanted))
    progress("evaluating", 0, 0)
    groups = combine_groups(images.dataset.ids, images.dataset.groups, look_alikes(images, embed.cache_dir).groups)
    named = [str(group) for group in groups]
    answers = classifier.answer(images.embeddings)
    found = Judged(
        _evaluation(classifier, images.dataset, answers, named, seed),
        images,
        len(dataset) + len(dataset.refusals) - len(images) - len(images.dataset.refusals),
        sum(trained.get(image_id) in ("train", "val") for image_id in images.dataset.ids),
        None if against is None else _compared(classifier, answers, images, embed, Path(against), named, seed),
        kinds_of(classifier, images.dataset, answers.probabilities, answers.decisions, named, seed),
    )
    if output is not None:
        _write(found, classifier, Path(output))
    return found


@dataclass(frozen=True, slots=True)
class _Embed:
    """How images become embeddings here: everything but the model."""

    cache_dir: Path | None
    limits: DecodeLimits
    workers: int
    provider: str
    progress: Progress

    def __call__(self, dataset: Dataset, classifier: Classifier) -> EmbeddedDataset:
        embedder = Embedder(classifier.spec, classifier.backbone, self.cache_dir, self.limits, self.workers)
        return embed_dataset(dataset, embedder, progress=self.progress)


def _split_name(split: str) -> str:
    wanted = normalise_split(split)
    if wanted is None:
        raise SettingsError(Reason.BAD_SETTING, f"a split is train, val or test, got {split!r}")
    return wanted


def _training_splits(classifier: Classifier) -> dict[str, str]:
    """Image id → split of the model's training; empty for a model that does not know."""
    reference = classifier.enclosures.reference
    if not reference and classifier.location:
        reference = read_reference(classifier.location)
    return read_splits(reference)


def _labelled(dataset: Dataset, split: str | None) -> Dataset:
    chosen = dataset.subset(dataset.labelled)
    if split is not None:
        chosen = chosen.subset(_some([name == split for name in chosen.splits], split))
    _some(chosen.labelled, split)
    return chosen


def _some(mask: Sequence[bool] | NDArray[np.bool_], split: str | None) -> NDArray[np.bool_]:
    if not any(mask):
        where = f" in the split {split!r}" if split is not None else ""
        raise TrainingError(
            Reason.NO_TEST_DATA,
            f"there is no labelled image{where} to judge the model on; label some, or name other data",
        )
    return np.asarray(mask, bool)


def _evaluation(classifier: Classifier, dataset: Dataset, answers: Answers, groups: list[str], seed: int) -> Evaluation:
    return evaluate_arrays(
        answers.probabilities,
        targets_of(dataset.label_matrix(classifier.schema), classifier.schema.task),
        classifier.schema,
        decisions=answers.decisions,
        ood_scores=answers.ood_scores,
        groups=groups,
        metadata=slicing_columns(dataset),
        uris=dataset.uris,
        costs=cost_matrix(classifier.thresholds.aim, classifier.schema),
        ranks=classifier.thresholds.aim.kind == "false_alarms",
        seed=seed,
    )


def _compared(
    classifier: Classifier,
    answers: Answers,
    images: EmbeddedDataset,
    embed: _Embed,
    against: Path,
    groups: list[str],
    seed: int,
) -> Comparison:
    other = load(against, provider=embed.provider, limits=embed.limits)
    if other.schema != classifier.schema:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"two models are compared on the same labels, but {against} answers {', '.join(other.labels)} "
            f"({other.schema.task.value}), not {', '.join(classifier.labels)} ({classifier.schema.task.value})",
        )
    theirs = embed(images.dataset, other)
    if theirs.dataset.ids != images.dataset.ids:
        raise DataError(Reason.READ_FAILED, "images changed while the two models were compared; run it again")
    first = _scored(other, other.answer(theirs.embeddings), images.dataset)
    return compare(
        first, _scored(classifier, answers, images.dataset), names=_names(other, classifier), groups=groups, seed=seed
    )


def _scored(classifier: Classifier, answers: Answers, dataset: Dataset) -> Scored:
    targets = targets_of(dataset.label_matrix(classifier.schema), classifier.schema.task)
    return score(answers.probabilities, targets, classifier.schema, decisions=answers.decisions)


def _names(first: Classifier, second: Classifier) -> tuple[str, str]:
    if first.card.name != second.card.name:
        return first.card.name, second.card.name
    return first.card.model_id, second.card.model_id


def _write(found: Judged, classifier: Classifier, folder: Path) -> None:
    dataset = found.images.dataset
    background = Background(
        splits=counts_by_split(dataset, dataset.splits),
        refusals=dataset.refusals,
        notes=warnings_of(found.notes()),
        reproduce=[f"tellapart evaluate {classifier.location or classifier.card.name} DATA -o {folder}"],
        kinds=found.kinds,
    )
    title = f"{classifier.card.name} on {dataset.root.name if dataset.root else 'these images'}"
    report = render(classifier, found.evaluation, dataset, title=title, background=background)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in (("evaluation.json", report.evaluation), ("report.html", report.html)):
            with replacing(folder / name) as temporary:
                temporary.write_bytes(data)
    except OSError as exc:
        raise DataError(
            Reason.WRITE_FAILED, f"the report could not be written to {folder}: {exc.strerror or exc}"
        ) from exc
