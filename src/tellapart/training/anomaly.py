"""A head of good images alone: what is remembered of them, the threshold of a false-alarm rate, and the way that suits.

Scores of good images come from memories that have not seen them or their relatives; bad images are never learned from, so
those at hand may help to choose between ways and to calibrate. The test split takes no part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.errors import Reason, TrainingError
from tellapart.heads.aims import Aim
from tellapart.heads.anomaly import AnomalyHead, AnomalyScore
from tellapart.heads.anomaly_fit import image_memory, patch_gaussian, patch_memory
from tellapart.heads.anomaly_scores import Scorer, image_scores
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.false_alarms import FalseAlarms, choose_threshold, tail_of
from tellapart.heads.objectives import Floats
from tellapart.heads.thresholds import Thresholds
from tellapart.records import LabelSchema, Task
from tellapart.training.linear_probe import Probe, ProbeOptions

Way = Literal["patchcore", "mahalanobis", "knn"]
WAYS: tuple[Way, ...] = ("patchcore", "mahalanobis", "knn")
_FOLDS = 5
_FEWEST_TO_CALIBRATE = 10


@dataclass(frozen=True, slots=True)
class AnomalyOptions:
    """What is asked of a head: how it looks, the share of good images that may alarm, how much the memory keeps.

    `grid` is that of the patches in an embedding, (1, 1) for one vector per image. `good_classes` are the user's own names
    of what is good, `notes` for people what came before.
    """

    way: Way
    false_alarms: float
    coreset: float
    grid: tuple[int, int]
    good_classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of images by what has not learned from them: good ones (g,) out of fold, bad ones (b,) by the mean of the folds.

    A memory of all good images would find the bad ones nearer than a fold finds good ones: no fair comparison with few.
    """

    scorer: Scorer
    good: Floats
    bad: Floats


def anomaly_probe(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    schema: LabelSchema,
    options: ProbeOptions,
    *,
    asked: AnomalyOptions,
) -> Probe:
    """Train on the good ones of n images: embeddings (n, d), labels 0/1 (n, 2) in schema order, groups (n,).

    Raises:
        TrainingError: `too_few_images` without two good images that are no relatives.
    """
    positive = schema.index(schema.positive or "")
    good = labels[:, positive] == 0
    held = held_out(embeddings, good, groups, asked, options.seed)
    alarms = choose_threshold(held.good, groups[good], asked.false_alarms)
    scores = np.empty(len(embeddings), np.float32)
    scores[good], scores[~good] = held.good, held.bad
    scores /= np.float32(alarms.threshold)
    head = AnomalyHead(
        held.scorer.scaled(1 / alarms.threshold),
        positive,
        tail_of(scores[good], 1.0, asked.false_alarms),
        float(np.median(scores[good])),
        Calibration.identity(Task.BINARY, 2),
    )
    head, calibrated = _calibrated(head, scores, labels, good)
    return Probe(
        head=head,
        thresholds=_thresholds(head, alarms),
        ood=AnomalyScore(head),
        C=None,
        n_folds=_n_folds(groups[good]),
        probabilities=head.probabilities_of(scores),
        usable=np.ones(len(scores), bool),
        facts=_facts(asked, head, alarms, int(good.sum()), calibrated=calibrated),
        notes=(*asked.notes, *_notes(head, alarms, int(good.sum()), int((~good).sum()), calibrated=calibrated)),
    )


def held_out(
    embeddings: Floats, good: NDArray[np.bool_], groups: NDArray[np.int64], asked: AnomalyOptions, seed: int
) -> HeldOut:
    """Fit on the good of n images (bool (n,)), and score all of them held out.

    Raises:
        TrainingError: `too_few_images`.
    """
    own, own_groups = embeddings[good], groups[good]
    check_good(own_groups)
    fit = _fits(asked, seed)[asked.way]
    ones = np.ones((len(own), 1), np.uint8)
    folds = group_folds(ones, own_groups, _n_folds(own_groups), seed)
    scores, bad = np.empty(len(own), np.float32), embeddings[~good]
    of_bad = []
    for fold in np.unique(folds):
        part = folds == fold
        scorer = fit(own[~part])
        scores[part] = image_scores(scorer.patch_scores(own[part]))
        of_bad.append(image_scores(scorer.patch_scores(bad)) if len(bad) else np.empty(0, np.float32))
    return HeldOut(fit(own), scores, np.asarray(np.mean(of_bad, axis=0), np.float32))


def check_good(groups: NDArray[np.int64]) -> None:
    """Raise `TrainingError` (`too_few_images`) for groups (n,) of good images of which none can be held out."""
    if len(np.unique(groups)) < 2:
        raise TrainingError(
            Reason.TOO_FEW_IMAGES,
            f"{len(groups)} good image{'s are' if len(groups) != 1 else ' is'} too few to learn what good looks like: at "
            "least two are needed that are not near-duplicates of one another, and 20 or more to be useful",
        )


def _fits(asked: AnomalyOptions, seed: int) -> Mapping[str, Callable[[Floats], Scorer]]:
    return {
        "patchcore": lambda x: patch_memory(x, asked.grid, share=asked.coreset, seed=seed),
        "mahalanobis": lambda x: patch_gaussian(x, asked.grid),
        "knn": lambda x: image_memory(x, seed=seed),
    }


def _n_folds(groups: NDArray[np.int64]) -> int:
    return min(_FOLDS, len(np.unique(groups)))


def _calibrated(
    head: AnomalyHead, scores: Floats, labels: NDArray[np.uint8], good: NDArray[np.bool_]
) -> tuple[AnomalyHead, bool]:
    """The head with a calibration by good and bad images where there are enough bad ones."""
    if (~good).sum() < _FEWEST_TO_CALIBRATE:
        return head, False
    calibration = fit_calibration(head.logits_of(scores), labels.argmax(axis=1).astype(np.int64), task=Task.BINARY)
    return head.calibrated(calibration), True


def _thresholds(head: AnomalyHead, alarms: FalseAlarms) -> Thresholds:
    """The probability of a score of 1, which is the threshold."""
    at = head.probabilities_of(np.ones(1, np.float32))[0].astype(float)
    values = [float(at[0]), float(at[1])]
    achieved = 1 - alarms.promised
    return Thresholds(
        Aim("false_alarms", alarms.allowed),
        (values[0], values[1]),
        (alarms.reached,) * 2,
        (achieved,) * 2,
        (alarms.n_groups,) * 2,
    )


def _facts(
    asked: AnomalyOptions, head: AnomalyHead, alarms: FalseAlarms, n_good: int, *, calibrated: bool
) -> dict[str, Any]:
    """For the card."""
    arrays = head.scorer.arrays()
    return {
        "fitted_by": "anomaly",
        "way": asked.way,
        "good_classes": list(asked.good_classes),
        "good_images": n_good,
        "remembered": len(arrays["memory"]) if "memory" in arrays else len(arrays["mean"]),
        "grid": list(asked.grid),
        "false_alarms": alarms.to_json(),
        "calibrated_by": "good and bad images" if calibrated else "good images alone",
    }


def _notes(head: AnomalyHead, alarms: FalseAlarms, n_good: int, n_bad: int, *, calibrated: bool) -> tuple[str, ...]:
    """For people."""
    rows, columns = head.grid
    patches = f", each as {rows}x{columns} patches" if rows * columns > 1 else ", each as a whole"
    meaning = (
        f"confidence  by good images held out and {n_bad:,} bad ones"
        if calibrated
        else "confidence  by good images alone: the odds of an anomaly are how many times fewer good images score as high "
        "as reach the threshold, not how often such images are bad"
    )
    return (f"learned from {n_good:,} good images{patches}", alarms.line(), meaning)
