"""A linear head on frozen embeddings: regularisation, calibration, thresholds and rejection in one go.

Everything that is chosen is chosen on out-of-fold answers, whose folds never tear a group apart: each image is judged
by a head that has not seen it or its relatives. So calibration and thresholds need no images of their own, which counts
when there are 300. The test split takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.errors import Reason, TrainingError
from tellapart.heads.aims import Aim
from tellapart.heads.calibration import fit_calibration
from tellapart.heads.familiar import Familiar
from tellapart.heads.linear import ClassWeight, LinearHead, example_weights, solve
from tellapart.heads.protocol import Head
from tellapart.heads.rejection import Rejection
from tellapart.heads.selection import fit_selected
from tellapart.heads.solver import Design
from tellapart.heads.thresholds import Thresholds, fit_thresholds
from tellapart.records import LabelSchema, Task
from tellapart.training.label_noise import Doubted, LabelNoise, doubted
from tellapart.training.rejecting import rejecting
from tellapart.training.rejection_choice import FitReduced

MAX_FOLDS = 5
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """What a person may ask of a probe: the aim of its thresholds, how much rare classes count, what doubtful labels do.

    `rejection` names what tells unknown images ("auto": chosen by classes left out), `unknown_share` (0–0.5) the share of
    images like the training images that it calls unknown.
    """

    aim: Aim
    class_weight: ClassWeight = "balanced"
    seed: int = 0
    label_noise: LabelNoise = "keep"
    rejection: str = "mahalanobis"
    unknown_share: float = 0.01


@dataclass(frozen=True, slots=True)
class Probe:
    """A finished head with everything it needs to answer, and the out-of-fold answers it was tuned on.

    `probabilities` float32 (n, k) are calibrated and out of fold, `usable` bool (n,) where they mean something. `doubted`
    says what was done about labels that are probably wrong, None where they are kept. `C` is None and `n_folds` 0 where the
    head was not fitted by cross-validation. `facts` about how the head came about are for the card, `notes` for people.
    """

    head: Head
    thresholds: Thresholds
    ood: Rejection
    C: float | None
    n_folds: int
    probabilities: Floats
    usable: NDArray[np.bool_]
    doubted: Doubted | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def linear_probe(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    schema: LabelSchema,
    options: ProbeOptions,
) -> Probe:
    """Train on all n images given: embeddings (n, d), labels 0/1 (n, k) in schema order, groups (n,).

    Raises:
        TrainingError: `too_few_classes`, `too_few_images`.
    """
    check_enough(labels, groups, schema)
    targets = targets_of(labels, schema.task)
    n_folds = min(MAX_FOLDS, len(np.unique(groups)))
    folds = group_folds(labels, groups, n_folds, options.seed)
    fitted = _fit(embeddings, targets, folds, schema, options)
    doubts = None
    if options.label_noise != "keep":
        judged = np.where(fitted.usable[:, None], fitted.held_out, np.float32(np.nan)).astype(np.float32)
        doubts = doubted(embeddings, labels, judged, groups, schema.task, options.label_noise)
        if doubts.weights.min() < 1:
            fitted = _fit(embeddings, targets, folds, schema, options, doubts)
    known = Familiar(embeddings, targets, folds, fitted.head, fitted.logits, fitted.usable, share=options.unknown_share)
    told = rejecting(options.rejection, known, _reduced(fitted.C, options), seed=options.seed)
    # Images on which a model surely errs look like wrong labels: a promise that left those out would not hold.
    judging = fitted.usable if options.aim.promises else fitted.trusted
    return Probe(
        head=fitted.head,
        thresholds=fit_thresholds(
            fitted.held_out[judging], targets[judging], schema=schema, aim=options.aim, groups=groups[judging]
        ),
        ood=told.rejection,
        C=fitted.C,
        n_folds=n_folds,
        probabilities=fitted.held_out,
        usable=fitted.usable,
        doubted=doubts,
        facts=told.facts,
        notes=told.notes,
    )


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A calibrated head and its out-of-fold answers, before calibration (`logits`) and after; `trusted` bool (n,) are the
    usable ones whose labels can be believed.
    """

    head: LinearHead
    C: float
    logits: Floats
    held_out: Floats
    usable: NDArray[np.bool_]
    trusted: NDArray[np.bool_]


def _fit(
    embeddings: Floats,
    targets: NDArray[np.integer[Any]],
    folds: NDArray[np.int64],
    schema: LabelSchema,
    options: ProbeOptions,
    doubts: Doubted | None = None,
) -> _Fitted:
    found, head = fit_selected(
        embeddings,
        targets,
        folds,
        task=schema.task,
        n_classes=len(schema.labels),
        class_weight=options.class_weight,
        sample_weight=None if doubts is None else doubts.weights,
    )
    # A label that is probably wrong would teach the calibration that sure answers err.
    trusted = found.usable if doubts is None else found.usable & ~doubts.wrong
    trusted = trusted if trusted.any() else found.usable
    calibration = fit_calibration(found.logits[trusted], targets[trusted], task=schema.task)
    return _Fitted(
        head.calibrated(calibration), found.C, found.logits, calibration.apply(found.logits), found.usable, trusted
    )


def _reduced(C: float, options: ProbeOptions) -> FitReduced:
    """Fits such a head on fewer classes in few directions, by the same C."""

    def fit(points: Floats, columns: NDArray[np.int64], n_classes: int) -> LinearHead:
        weight = options.class_weight if isinstance(options.class_weight, str) else None
        weights = example_weights(columns, task=Task.MULTICLASS, n_classes=n_classes, class_weight=weight)
        design = Design.of(points, standardise=False)
        return solve(design, columns, C * weights, task=Task.MULTICLASS, n_classes=n_classes)

    return fit


def targets_of(labels: NDArray[np.uint8], task: Task) -> NDArray[np.integer[Any]]:
    """0/1 labels (n, k) as heads and metrics want them: columns int64 (n,), or the same matrix for multi-label."""
    return labels if task is Task.MULTILABEL else labels.argmax(axis=1).astype(np.int64)


def check_enough(labels: NDArray[np.uint8], groups: NDArray[np.int64], schema: LabelSchema) -> None:
    """Raise `TrainingError` where nothing can be learned: `too_few_classes`, `too_few_images`."""
    counts = labels.sum(axis=0)
    present = [name for name, count in zip(schema.names, counts, strict=True) if count]
    if schema.task is not Task.MULTILABEL and len(present) < 2:
        raise TrainingError(
            Reason.TOO_FEW_CLASSES,
            f"a classifier needs images of at least two classes, got only {', '.join(map(repr, present)) or 'none'}; "
            "add a folder (or label) with images of something else",
        )
    if len(np.unique(groups)) < 2:
        raise TrainingError(
            Reason.TOO_FEW_IMAGES,
            f"{len(labels)} images are too few: at least two are needed that are not near-duplicates of one another",
        )
