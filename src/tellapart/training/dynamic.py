"""A head whose classes may change: linear discriminant analysis of class statistics, tuned on images that are remembered.

The head follows from the statistics alone. Calibration, thresholds and rejection need images with vectors: those of the
training, later those that the model remembers. Each of them is answered by a head of the statistics without its fold.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.calibration import Calibration
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.heads.familiar import Familiar
from tellapart.heads.lda import WithinCovariance, lda_head
from tellapart.heads.linear import LinearHead
from tellapart.heads.temperature import fit_temperature, margin
from tellapart.heads.thresholds import Thresholds, fit_thresholds
from tellapart.records import LabelSchema, Task
from tellapart.training.cross_fit import CrossFit, Remembered
from tellapart.training.dynamic_facts import facts_of, notes_of
from tellapart.training.linear_probe import Probe, ProbeOptions, check_enough, targets_of
from tellapart.training.rejecting import Rejecting, rejecting

__all__ = ["Remembered", "check_possible", "dynamic_probe", "refit", "statistics_of"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]
# Answers (images times classes) that thresholds and calibration are fitted on, at most: 2^23 float64 are 64 MiB.
_ANSWERS = 1 << 23
_ROWS = 1024


def dynamic_probe(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    groups: Ints,
    schema: LabelSchema,
    options: ProbeOptions,
) -> Probe:
    """Train on all n images given: embeddings (n, d), labels 0/1 (n, k) in schema order, groups (n,).

    Raises:
        TrainingError: `too_few_classes`, `too_few_images`.
        SettingsError: `bad_setting` for several labels per image, or where labels are to be doubted.
    """
    check_possible(schema, options)
    check_enough(labels, groups, schema)
    columns = targets_of(labels, schema.task).astype(np.int64)
    images = Remembered(embeddings, columns, groups, ("train",) * len(columns))
    return refit(statistics_of(embeddings, columns, schema), images, schema, options)


def statistics_of(embeddings: Floats, columns: Ints, schema: LabelSchema) -> ClassStatistics:
    """Statistics with every class of the schema, of images (n, d) by their label columns (n,)."""
    ids = np.array([label.id for label in schema.labels], np.int64)
    every = ClassStatistics.empty(embeddings.shape[1], ids.tolist())
    return every.adding(embeddings, ids[columns]) if len(columns) else every


def refit(statistics: ClassStatistics, remembered: Remembered, schema: LabelSchema, options: ProbeOptions) -> Probe:
    """The finished head of some statistics; its `probabilities` (m, k) are those of the m remembered images.

    Each image that is in the statistics is answered without its fold, each image of the test split by the head itself;
    the latter take no part in calibration, thresholds and rejection. `usable` is False where an image was the last one
    of its class. Classes of the schema that have no image are never answered.

    Raises:
        SettingsError: `bad_setting` for several labels per image, labels to be doubted, or images that are not in the
            statistics.
    """
    check_possible(schema, options)
    fit = CrossFit.of(statistics, remembered, schema)
    within = WithinCovariance.of(fit.statistics)
    head = fit.head(fit.statistics, within)
    folds = fit.folds(options.seed)
    logits, usable = fit.held_out(folds, head)
    tuning = _share(usable & remembered.teaches, len(schema.labels))
    calibration = _calibrated(logits, remembered, tuning, head, fit.priors)
    probabilities = _applied(calibration, logits)
    told = _rejection(remembered, folds, head, logits, usable, options)
    notes = notes_of(fit.statistics, schema, within.shrinkage, calibrated=bool(tuning.any()))
    return Probe(
        head=head.calibrated(calibration),
        thresholds=_thresholds(probabilities, remembered, tuning, schema, options),
        ood=told.rejection,
        C=None,
        n_folds=len(np.unique(folds[folds >= 0])),
        probabilities=probabilities,
        usable=usable,
        facts={**facts_of(fit.statistics, schema, within.shrinkage), **told.facts},
        notes=(*notes, *told.notes),
    )


def _thresholds(
    probabilities: Floats, images: Remembered, tuning: Bools, schema: LabelSchema, options: ProbeOptions
) -> Thresholds:
    return fit_thresholds(
        probabilities[tuning], images.columns[tuning], schema=schema, aim=options.aim, groups=images.groups[tuning]
    )


def _rejection(
    images: Remembered, folds: Ints, head: LinearHead, logits: Floats, usable: Bools, options: ProbeOptions
) -> Rejecting:
    # A slice copies nothing: of ten thousand classes the answers alone are 400 MB.
    rows = slice(None) if images.teaches.all() else images.teaches
    parts = (images.embeddings[rows], images.columns[rows], folds[rows], head, logits[rows], usable[rows])
    return rejecting(options.rejection, Familiar(*parts, share=options.unknown_share), _reduced, seed=options.seed)


def _applied(calibration: Calibration, logits: Floats) -> Floats:
    """By blocks of rows, for the same reason."""
    probabilities = np.empty_like(logits)
    for start in range(0, len(logits), _ROWS):
        probabilities[start : start + _ROWS] = calibration.apply(logits[start : start + _ROWS])
    return probabilities


def _reduced(points: Floats, columns: Ints, n_classes: int) -> LinearHead:
    """Such a head of fewer classes in few directions: what the choice of a rejection fits."""
    return lda_head(ClassStatistics.of(points, columns), range(n_classes), task=Task.MULTICLASS)


def check_possible(schema: LabelSchema, options: ProbeOptions) -> None:
    """Raise `SettingsError` (`bad_setting`) for what class statistics cannot do."""
    if schema.task is Task.MULTILABEL:
        raise SettingsError(
            Reason.BAD_SETTING,
            "the method 'dynamic' keeps statistics of one label per image, and these images have several; take the method "
            "'probe'",
        )
    if options.class_weight not in (None, "balanced"):
        raise SettingsError(
            Reason.BAD_SETTING, "the method 'dynamic' takes the class weight 'balanced' or none, not weights by class"
        )
    if options.label_noise != "keep":
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the method 'dynamic' believes every label, and label noise is set to {options.label_noise!r}: what is in the "
            "statistics cannot be weighed again; set it to 'keep', or repair the labels first (tellapart data repair)",
        )


def _share(judging: Bools, n_classes: int) -> Bools:
    """An even share of images where there are too many answers for one matrix."""
    rows = np.flatnonzero(judging)
    most = max(_ANSWERS // n_classes, 1)
    if len(rows) <= most:
        return judging
    chosen = np.zeros(len(judging), bool)
    chosen[np.random.default_rng(0).permutation(rows)[:most]] = True
    return chosen


def _calibrated(logits: Floats, images: Remembered, tuning: Bools, head: LinearHead, priors: Doubles) -> Calibration:
    """By a temperature alone: the classes' shares are those of all images that were ever added, not of the remembered.

    Where no answer can calibrate, the head's answers to its own images are made to mean little.
    """
    if tuning.any():
        return fit_temperature(logits[tuning], images.columns[tuning], task=head.task, priors=priors)
    plain = Calibration.identity(head.task, head.n_classes)
    return replace(plain, temperature=plain.temperature * np.float32(max(margin(head.logits(images.embeddings)), 1.0)))
