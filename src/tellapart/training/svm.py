"""A linear support vector machine on frozen features: the classic reader of SIFT words and HOG."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.errors import Reason, SettingsError
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.familiar import Familiar
from tellapart.heads.linear import LinearHead, example_weights
from tellapart.heads.selection import sample_losses
from tellapart.heads.thresholds import fit_thresholds
from tellapart.records import LabelSchema, Task
from tellapart.training.linear_probe import MAX_FOLDS, Probe, ProbeOptions, check_enough, targets_of
from tellapart.training.rejecting import rejecting

GRID = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Values of C, from strong to weak regularisation, for features of mean squared length 1."""
# Above this many images C is searched on an even share of them, in fewer folds.
_SEARCH_IMAGES, _SEARCH_FOLDS = 1_500, 3
_MAX_ITERATIONS = 2_000

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def svm_probe(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    schema: LabelSchema,
    options: ProbeOptions,
) -> Probe:
    """Train on all n images given: embeddings (n, d), labels 0/1 (n, k) in schema order, groups (n,).

    Squared hinge, one class against the rest (Fan et al., LIBLINEAR, 2008); C of the lowest held-out log loss over folds
    that keep groups together. Its scores become probabilities as those of any head do.

    Raises:
        TrainingError: `too_few_classes`, `too_few_images`.
        SettingsError: `bad_setting` where labels are to be doubted: the others' answers, not margins, tell which are wrong.
    """
    check_enough(labels, groups, schema)
    if options.label_noise != "keep":
        raise SettingsError(
            Reason.BAD_SETTING,
            f"a support vector machine believes every label, and label noise is set to {options.label_noise!r}; "
            "set it to 'keep', or take the head 'logistic'",
        )
    folds = group_folds(labels, groups, min(MAX_FOLDS, len(np.unique(groups))), options.seed)
    problem = _Problem.of(embeddings, labels, folds, schema.task, options)
    C = problem.searched().best()
    scores = problem.held_out(C)
    targets, usable = targets_of(labels, schema.task), problem.usable
    calibration = fit_calibration(scores[usable], targets[usable], task=schema.task)
    probabilities = calibration.apply(scores)
    head = problem.head(C, calibration)
    known = Familiar(embeddings, targets, folds, head, scores, usable, share=options.unknown_share)
    return Probe(
        head=head,
        thresholds=fit_thresholds(
            probabilities[usable], targets[usable], schema=schema, aim=options.aim, groups=groups[usable]
        ),
        ood=rejecting(options.rejection, known).rejection,
        C=C,
        n_folds=len(np.unique(folds)),
        probabilities=probabilities,
        usable=usable,
        facts={"fitted_by": "svm"},
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """Features centred and scaled to mean squared length 1, one column of 0/1 and one of weights per machine."""

    features: Floats
    centre: Floats
    scale: float
    labels: NDArray[np.uint8]
    weights: Floats
    folds: NDArray[np.int64]
    task: Task

    @classmethod
    def of(
        cls, embeddings: Floats, labels: NDArray[np.uint8], folds: NDArray[np.int64], task: Task, options: ProbeOptions
    ) -> _Problem:
        centre = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
        features = embeddings - centre
        scale = float(np.sqrt(np.mean(np.einsum("ij,ij->i", features, features)))) or 1.0
        weights = example_weights(
            targets_of(labels, task), task=task, n_classes=labels.shape[1], class_weight=options.class_weight
        )
        wide = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, labels.shape)
        return cls(features / np.float32(scale), centre, scale, labels, np.asarray(wide), folds, task)

    @property
    def usable(self) -> Bools:
        """bool (n,): an answer without the image's fold says something, for its class is in the other folds."""
        if self.task is Task.MULTILABEL:
            return np.ones(len(self.labels), bool)
        known = np.stack([self.labels[self.folds != fold].any(axis=0) for fold in range(self.folds.max() + 1)])
        return np.asarray((self.labels & known[self.folds]).any(axis=1))

    def searched(self) -> _Problem:
        """An even share of many images."""
        if len(self.labels) <= _SEARCH_IMAGES:
            return self
        rows = np.random.default_rng(0).permutation(len(self.labels))[:_SEARCH_IMAGES]
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            weights=self.weights[rows],
            folds=self.folds[rows] % _SEARCH_FOLDS,
        )

    def best(self) -> float:
        """C of the lowest held-out log loss of calibrated scores; of equals the strongest regularisation."""
        usable, targets = self.usable, targets_of(self.labels, self.task)
        if not usable.any():
            return 1.0
        losses = []
        for C in GRID:
            scores = self.held_out(C)[usable]
            calibration = fit_calibration(scores, targets[usable], task=self.task)
            calibrated = scores / calibration.temperature + calibration.offset
            losses.append(sample_losses(calibrated, targets[usable], task=self.task).mean())
        return GRID[int(np.argmin(losses))]

    def held_out(self, C: float) -> Floats:
        """Scores (n, k) of each image by machines that have not seen its fold."""
        scores = np.zeros(self.labels.shape, np.float32)
        for fold in np.unique(self.folds):
            out = self.folds == fold
            weight, bias = self._fit(C, ~out)
            scores[out] = self.features[out] @ weight + bias
        return scores

    def head(self, C: float, calibration: Calibration) -> LinearHead:
        """The machines fitted on all images, on plain embeddings."""
        weight, bias = self._fit(C, np.ones(len(self.labels), bool))
        weight = weight / np.float32(self.scale)
        return LinearHead(self.task, weight, np.asarray(bias - self.centre @ weight, np.float32), calibration)

    def _fit(self, C: float, rows: Bools) -> tuple[Floats, Floats]:
        """Weight (d, k) and bias (k,); a binary task is one machine, whose score the two columns share."""
        k = self.labels.shape[1]
        columns = [1] if self.task is Task.BINARY else range(k)
        fitted = [self._machine(C, rows, column) for column in columns]
        weight, bias = np.stack([w for w, _ in fitted], axis=1), np.array([b for _, b in fitted], np.float32)
        if self.task is Task.BINARY:
            weight, bias = (np.concatenate([-0.5 * one, 0.5 * one], axis=-1) for one in (weight, bias))
        return np.ascontiguousarray(weight, np.float32), np.asarray(bias, np.float32)

    def _machine(self, C: float, rows: Bools, column: int) -> tuple[Floats, float]:
        """Weight (d,) and bias of one class against the rest; without examples of both, a score of -1 or 1 for all."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC

        wanted = self.labels[rows, column]
        if wanted.min() == wanted.max():
            return np.zeros(self.features.shape[1], np.float32), 2.0 * float(wanted[0]) - 1
        machine: Any = LinearSVC(C=C, dual=True, max_iter=_MAX_ITERATIONS, random_state=0)
        with warnings.catch_warnings():
            # One that stops a little early is judged on images it has not seen like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(self.features[rows], wanted, sample_weight=self.weights[rows, column])
        return machine.coef_[0].astype(np.float32), float(machine.intercept_[0])
