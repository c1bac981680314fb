"""A head whose classes may change: linear discriminant analysis of class statistics, tuned on images that are remembered.

The head follows from the statistics alone. Calibration, thresholds and rejection need images with vectors: those of the
training, later those that the model remembers. Each of them is answered by a head of the statistics without its fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.stratify import scramble
from tellapart.errors import Reason, SettingsError
from tellapart.heads.calibration import Calibration
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.heads.familiar import Familiar
from tellapart.heads.lda import WithinCovariance, lda_head
from tellapart.heads.linear import ClassWeight, LinearHead
from tellapart.heads.temperature import fit_temperature, margin
from tellapart.heads.thresholds import fit_thresholds
from tellapart.records import LabelSchema, Task
from tellapart.training.dynamic_facts import facts_of, notes_of
from tellapart.training.linear_probe import MAX_FOLDS, Probe, ProbeOptions, check_enough, targets_of
from tellapart.training.rejecting import rejecting

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]
# Multiplications of one head from which two folds do: with ten thousand classes each head takes seconds.
_LARGE = 1e10
# Answers (images times classes) that thresholds and calibration are fitted on, at most: 2^24 float64 are 128 MiB.
_ANSWERS = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """Images of which vectors are kept: embeddings float32 (m, d), label column int64 (m,) in the order of the schema,
    groups int64 (m,), split names (m,). All but those of the split "test" are in the statistics.
    """

    embeddings: Floats
    columns: Ints
    groups: Ints
    splits: tuple[str, ...]

    @property
    def teaches(self) -> Bools:
        """bool (m,): in the statistics."""
        return np.asarray(np.array(self.splits, dtype=object) != "test", bool)


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
    if missing := [label.id for label in schema.labels if label.id not in statistics.ids]:
        statistics = statistics.joined(ClassStatistics.empty(statistics.n_features, missing))
    fit = _Fit(statistics, remembered, schema)
    fit.check()
    within = WithinCovariance.of(statistics)
    head = fit.head(statistics, within)
    folds = fit.folds(options.seed)
    logits, usable = fit.held_out(folds, head)
    judging = usable & remembered.teaches
    tuning = _share(judging, logits.shape[1])
    priors = fit.priors(options.class_weight)
    calibration = _calibrated(logits, remembered.columns, tuning, head, remembered.embeddings, priors)
    probabilities = calibration.apply(logits)
    teaching = remembered.teaches
    known = Familiar(
        remembered.embeddings[teaching],
        remembered.columns[teaching],
        folds[teaching],
        head,
        logits[teaching],
        usable[teaching],
        share=options.unknown_share,
    )
    told = rejecting(options.rejection, known, _reduced, seed=options.seed)
    return Probe(
        head=head.calibrated(calibration),
        thresholds=fit_thresholds(
            probabilities[tuning],
            remembered.columns[tuning],
            schema=schema,
            aim=options.aim,
            groups=remembered.groups[tuning],
        ),
        ood=told.rejection,
        C=None,
        n_folds=len(np.unique(folds[teaching])),
        probabilities=probabilities,
        usable=usable,
        facts={**facts_of(statistics, schema, within.shrinkage), **told.facts},
        notes=(*notes_of(statistics, schema, within.shrinkage, calibrated=bool(tuning.any())), *told.notes),
    )


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


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Statistics, and the images by which heads of them are judged."""

    statistics: ClassStatistics
    images: Remembered
    schema: LabelSchema

    @property
    def ids(self) -> Ints:
        return np.array([label.id for label in self.schema.labels], np.int64)

    @property
    def counts(self) -> Ints:
        """Images in the statistics by column."""
        return np.asarray(self.statistics.counts[np.searchsorted(np.array(self.statistics.ids), self.ids)])

    def check(self) -> None:
        """Raise `SettingsError` where more images are remembered than were ever added."""
        taught = np.bincount(self.images.columns[self.images.teaches], minlength=len(self.ids))
        for name, n, known in zip(self.schema.names, taught.tolist(), self.counts.tolist(), strict=True):
            if n > known:
                message = (
                    f"{n:,} images of {name!r} are remembered from the training, and the statistics have {known:,}"
                )
                raise SettingsError(Reason.BAD_SETTING, message)

    def head(self, statistics: ClassStatistics, within: WithinCovariance | None = None) -> LinearHead:
        return lda_head(statistics, self.ids.tolist(), task=self.schema.task, within=within)

    def priors(self, class_weight: ClassWeight) -> Doubles:
        """How likely each class is beforehand (k,): all alike, or as their images; a class without is as if it had one."""
        if class_weight == "balanced":
            return np.full(len(self.ids), 1 / len(self.ids))
        shares = np.maximum(self.counts, 1)
        return np.asarray(shares / shares.sum())

    def folds(self, seed: int) -> Ints:
        """The fold of each image, int64 (m,), -1 for the test split: groups stay whole, classes are dealt out evenly.

        (`data.splits.group_folds` counts every class in every group: too much for ten thousand classes.)
        """
        folds, teaching = np.full(len(self.images.columns), -1, np.int64), np.flatnonzero(self.images.teaches)
        names, first, of = np.unique(self.images.groups[teaching], return_index=True, return_inverse=True)
        order = np.lexsort((scramble(names, seed), self.images.columns[teaching][first]))
        dealt = np.empty(len(names), np.int64)
        dealt[order] = np.arange(len(names)) % self._n_folds(len(names))
        folds[teaching] = dealt[of.reshape(-1)]
        return folds

    def _n_folds(self, n_groups: int) -> int:
        large = float(self.statistics.n_features) ** 2 * len(self.schema.labels) > _LARGE
        return max(min(2 if large else MAX_FOLDS, n_groups), 1)

    def held_out(self, folds: Ints, head: LinearHead) -> tuple[Floats, Bools]:
        """Logits (m, k) of heads that have not seen the image, and where they mean something."""
        logits = np.zeros((len(folds), len(self.schema.labels)), np.float32)
        usable = np.ones(len(folds), bool)
        for part, rest in self._parts(folds):
            known = rest.counts[np.searchsorted(np.array(rest.ids), self.ids[self.images.columns[part]])] > 0
            usable[part] = known
            if known.any():
                logits[part] = self.head(rest).logits(self.images.embeddings[part])
        test = folds < 0
        if test.any():
            logits[test] = head.logits(self.images.embeddings[test])
        return logits, usable

    def _parts(self, folds: Ints) -> Iterator[tuple[Bools, ClassStatistics]]:
        for fold in np.unique(folds[folds >= 0]):
            part = folds == fold
            yield part, self.statistics.removing(self.images.embeddings[part], self.ids[self.images.columns[part]])


def _share(judging: Bools, n_classes: int) -> Bools:
    """An even share of images where there are too many answers for one matrix."""
    rows = np.flatnonzero(judging)
    most = max(_ANSWERS // n_classes, 1)
    if len(rows) <= most:
        return judging
    chosen = np.zeros(len(judging), bool)
    chosen[np.random.default_rng(0).permutation(rows)[:most]] = True
    return chosen


def _calibrated(
    logits: Floats, columns: Ints, tuning: Bools, head: LinearHead, own: Floats, priors: Doubles
) -> Calibration:
    """By a temperature alone: the classes' shares are stated, for those of what is remembered say nothing.

    Where no answer can calibrate, the head's answers to its `own` images are made to mean little.
    """
    if tuning.any():
        balanced = bool(np.ptp(priors) == 0)
        return fit_temperature(logits[tuning], columns[tuning], task=head.task, priors=priors, balanced=balanced)
    plain = Calibration.identity(head.task, head.n_classes)
    return replace(plain, temperature=plain.temperature * np.float32(max(margin(head.logits(own)), 1.0)))
