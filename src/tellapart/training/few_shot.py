"""A head from 1 to 20 images per class: several simple ones, the best of them by leaving images out.

Each candidate answers for every image without having seen it, its relatives, or the one image of every other class that
is left out with it: leaving out an image alone would handicap its class, whose mean then rests on fewer images than the
others'. The candidate of the lowest log loss is kept; its answers also calibrate and choose thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.errors import Reason, SettingsError
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.familiar import Familiar
from tellapart.heads.linear import LinearHead
from tellapart.heads.selection import sample_losses
from tellapart.heads.thresholds import fit_thresholds
from tellapart.records import LabelSchema, Task
from tellapart.training.few_shot_candidates import Candidate, Shots, candidates
from tellapart.training.linear_probe import Probe, ProbeOptions, check_enough, targets_of
from tellapart.training.rejecting import rejecting

MANY = 50
"""Images of a typical class from which the plain probe with a held-back split serves better."""
_MOST_FOLDS = 20


def few_shot(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    schema: LabelSchema,
    options: ProbeOptions,
) -> Probe:
    """Train on all n images given: embeddings (n, d), labels 0/1 (n, k) in schema order, groups (n,).

    With one image (or group) per class nothing can be left out: then the head is the classes' cosine prototypes, nothing
    calibrates it, its confidence is kept low and no image is `usable`. `facts` and `notes` of the result tell the choice.

    Raises:
        TrainingError: `too_few_classes`, `too_few_images`.
        SettingsError: `bad_setting` where labels are to be doubted.
    """
    check_enough(labels, groups, schema)
    if options.label_noise != "keep":
        raise SettingsError(
            Reason.BAD_SETTING,
            f"few-shot training believes every label, and label noise is set to {options.label_noise!r}: a handful of "
            "images per class cannot tell which label is wrong; set it to 'keep'",
        )
    shots = Shots(embeddings, labels, _folds(labels, groups, options.seed), schema.task, options.class_weight)
    usable, targets = shots.usable, targets_of(labels, schema.task)
    judged = [_judge(one, targets, usable, schema.task) for one in candidates(shots)]
    best = min(judged, key=lambda one: one.loss)
    held_out = best.calibration.apply(best.candidate.held_out)
    head = LinearHead(schema.task, best.candidate.weight, best.candidate.bias, best.calibration)
    known = Familiar(
        embeddings, targets, shots.folds, head, best.candidate.held_out, usable, share=options.unknown_share
    )
    return Probe(
        head=head,
        thresholds=fit_thresholds(
            held_out[usable], targets[usable], schema=schema, aim=options.aim, groups=groups[usable]
        ),
        ood=rejecting(options.rejection, known).rejection,
        C=None,
        n_folds=len(np.unique(shots.folds)),
        probabilities=held_out,
        usable=usable,
        facts=_facts(best, judged),
        notes=_notes(best, judged, labels),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """A candidate, its calibration, and its mean log loss on images it has not seen (NaN without any)."""

    candidate: Candidate
    calibration: Calibration
    loss: float


def _judge(candidate: Candidate, targets: NDArray[np.integer[Any]], usable: NDArray[np.bool_], task: Task) -> _Judged:
    if not usable.any():
        return _Judged(candidate, Calibration.identity(task, len(candidate.bias)), float("nan"))
    scores, truth = candidate.held_out[usable], targets[usable]
    calibration = fit_calibration(scores, truth, task=task)
    losses = sample_losses(scores / calibration.temperature + calibration.offset, truth, task=task)
    return _Judged(candidate, calibration, float(losses.mean()))


def _folds(labels: NDArray[np.uint8], groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold that leaves each image out, int64 (n,): as many as the largest class has groups, at most 20."""
    n_groups = [len(np.unique(groups[column > 0])) for column in labels.T]
    return group_folds(labels, groups, min(max(*n_groups, 2), _MOST_FOLDS), seed)


def _facts(best: _Judged, judged: list[_Judged]) -> dict[str, Any]:
    """For the card."""
    losses = {one.candidate.name: round(one.loss, 4) for one in judged if not np.isnan(one.loss)}
    return {"fitted_by": "few-shot", "chosen": best.candidate.name, "held_out_log_loss": losses}


def _notes(best: _Judged, judged: list[_Judged], labels: NDArray[np.uint8]) -> tuple[str, ...]:
    """For people."""
    name = best.candidate.name
    if np.isnan(best.loss):
        return (
            f"few-shot    {name}: every class has one image or group, so none can be left out to choose or to judge",
            "warning     nothing has calibrated the confidence: it is kept low, and how often the answers are right is not "
            "known; add a second image of each class",
        )
    chosen = f"few-shot    {name}, the best of {len(judged)} heads on images left out, one of each class at a time"
    typical = int(np.median(labels.sum(axis=0)))
    if typical < MANY:
        return (chosen,)
    return (
        chosen,
        f"warning     few-shot is meant for up to 20 images per class, these are {typical:,}: the method 'probe' judges the "
        "model on images of their own",
    )
