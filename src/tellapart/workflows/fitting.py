"""One head fitted on the training part of embedded images, and its answers on the part held back.

`train` keeps such a head, `bench` compares several; both judge by the same rows and the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.card import ModelCard
from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, TrainingError
from tellapart.heads.thresholds import decide
from tellapart.records import LabelSchema, Task
from tellapart.training.linear_probe import Probe, ProbeOptions, linear_probe, targets_of
from tellapart.workflows.embedding import EmbeddedDataset, Embedder
from tellapart.workflows.facts import versions
from tellapart.workflows.partition import Partition

FitProbe = Callable[
    [NDArray[np.float32], NDArray[np.uint8], NDArray[np.int64], LabelSchema, ProbeOptions],
    Probe,
]
"""Fits a head on embeddings (n, d), labels 0/1 (n, k) and groups (n,), as `linear_probe` does."""


Enclose = Callable[["Fitting", Probe], Mapping[str, bytes]]
"""Files that a way to train keeps in the model folder beside the usual ones."""


@dataclass(frozen=True, slots=True)
class HeadMaker:
    """What fits the head, and whether there must be images to judge it on: a model of one image per class has none.

    `enclose` gives further files of the model folder, by name.
    """

    fit: FitProbe = linear_probe
    needs_judges: bool = True
    enclose: Enclose | None = None


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Answers for the m images that judge: `rows` int64 (m,), the rest (m, k) or (m,).

    `ood_scores` is None where there is no test split: then the rows are those of the training, answered out of fold, or,
    not `out_of_fold`, those that validated a network.
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.floating[Any]]
    decisions: NDArray[np.bool_]
    ood_scores: NDArray[np.floating[Any]] | None
    out_of_fold: bool = True

    @property
    def of_their_own(self) -> bool:
        """True when the images took no part in the training."""
        return self.ood_scores is not None

    @property
    def judged_on(self) -> str:
        """Which images judge, in words."""
        if not self.of_their_own and not self.out_of_fold:
            return (
                f"the {len(self.rows):,} images that validated the training, which chose its epoch and the thresholds too: "
                "without a test split the figures are too good"
            )
        return judged_on(len(self.rows), of_their_own=self.of_their_own)


def judged_on(n: int, *, of_their_own: bool) -> str:
    """Which `n` images judge, in words."""
    if not n:
        return "nothing: every class has one image or group, so how often the answers are right is not known"
    if of_their_own:
        return f"the {n:,} images of the held-back split"
    return (
        f"held-out folds of all {n:,} images, which chose the thresholds too: "
        "without a test split the figures are somewhat too good"
    )


@dataclass(frozen=True, slots=True)
class Fitting:
    """Everything that is known before the head is fitted."""

    images: EmbeddedDataset
    schema: LabelSchema
    parted: Partition
    options: ProbeOptions
    embedder: Embedder
    maker: HeadMaker = HeadMaker()

    @property
    def labels(self) -> NDArray[np.uint8]:
        """0/1 (n, k) of all images."""
        return self.images.dataset.label_matrix(self.schema)

    def targets(self, rows: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
        """The truth of some rows, as metrics want it."""
        return targets_of(self.labels[rows], self.schema.task)

    def groups(self, rows: NDArray[np.int64]) -> list[str]:
        """Names of the groups of some rows."""
        return [str(group) for group in self.parted.groups[rows]]

    def fit(self, name: str) -> tuple[Classifier, Probe]:
        """A classifier with a bare card."""
        fitted_on, _ = self._roles()
        probe = self.maker.fit(
            self.images.embeddings[fitted_on],
            self.labels[fitted_on],
            self.parted.groups[fitted_on],
            self.schema,
            self.options,
        )
        head = {
            "C": probe.C,
            "class_weight": str(self.options.class_weight or "none"),
            "label_noise": self.options.label_noise,
            "unknown_share": self.options.unknown_share,
            **probe.facts,
        }
        return self.assemble(name, probe, head), probe

    def judge(self, classifier: Classifier, probe: Probe) -> HeldBack:
        """Its answers for the images that judge.

        Raises:
            TrainingError: `no_test_data` when there is not one and `maker` needs one.
        """
        fitted_on, judged_on = self._roles()
        if judged_on.any():
            rows = np.flatnonzero(judged_on)
            answers = classifier.answer(self.images.embeddings[rows])
            return HeldBack(rows, answers.probabilities, answers.decisions, answers.ood_scores)
        rows = np.flatnonzero(fitted_on)[probe.usable]
        if not len(rows) and self.maker.needs_judges:
            raise TrainingError(Reason.NO_TEST_DATA, _NOTHING_TO_JUDGE)
        probabilities = probe.probabilities[probe.usable]
        return HeldBack(rows, probabilities, decide(probabilities, probe.thresholds, self.schema), None)

    @property
    def fitted_on(self) -> NDArray[np.int64]:
        """Rows that the head is fitted on."""
        return np.flatnonzero(self._roles()[0])

    def _roles(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Rows to fit and to judge on: judged on test; without one on val; without either on held-out folds of all."""
        test, val, train = (self.parted.rows(name) for name in ("test", "val", "train"))
        if test.any():
            return train | val, test
        return (train, val) if val.any() else (train, np.zeros(len(train), bool))

    def assemble(self, name: str, probe: Probe, head: dict[str, Any]) -> Classifier:
        """A classifier with a bare card; `head` says there how the head was fitted."""
        network, spec = self.embedder.backbone, self.embedder.spec
        calibration = probe.head.calibration
        card = ModelCard(
            name=name,
            schema=self.schema,
            preprocess=str(spec),
            preprocess_hash=spec.hash,
            backbone={**asdict(network.card), "sha256": network.sha256},
            head={"kind": probe.head.kind, "rejection": probe.ood.kind, **head},
            thresholds=probe.thresholds.to_json(),
            calibration={
                "temperature": [float(t) for t in calibration.temperature],
                "offset": [float(o) for o in calibration.offset],
            },
            versions=versions(),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return Classifier(card, spec, network, probe.head, probe.thresholds, probe.ood, self.embedder.limits)


_NOTHING_TO_JUDGE = (
    "not one image is left to judge the model on: every class has its images in a single group; "
    "add images of other parts (or of other days), or name a test split"
)


def schema_of(dataset: Dataset) -> LabelSchema:
    """The schema of a data set to train on.

    Raises:
        TrainingError: `unlabelled`.
    """
    if dataset.schema is None:
        raise TrainingError(
            Reason.UNLABELLED,
            "none of the images has a label: put them into one folder per class, or name labels in a CSV (docs/data.md)",
        )
    return dataset.schema


def without_empty_labels(schema: LabelSchema, dataset: Dataset, images: EmbeddedDataset) -> tuple[LabelSchema, Dataset]:
    """Labels of which every image was refused cannot be learned: they are left out, with a warning."""
    counts = images.dataset.label_matrix(schema).sum(axis=0)
    left = tuple(label for label, count in zip(schema.labels, counts, strict=True) if count)
    if schema.task is Task.BINARY or len(left) == len(schema.labels):
        return schema, dataset
    lost = ", ".join(repr(label.name) for label in schema.labels if label not in left)
    warning = f"no image of {lost} can be used, so the model does not know it"
    return replace(schema, labels=left), replace(dataset, warnings=(*dataset.warnings, warning))
