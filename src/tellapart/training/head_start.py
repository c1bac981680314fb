"""Where a network's last layer starts: at the linear probe of its frozen features, not at random.

A random layer sends large, meaningless gradients into features that are good already, and spoils them before it has learned
(Kumar et al., "Fine-tuning can distort pretrained features and underperform out-of-distribution", ICLR 2022).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.heads.calibration import fit_calibration
from tellapart.heads.linear import ClassWeight
from tellapart.heads.selection import fit_selected
from tellapart.records import LabelSchema
from tellapart.training.linear_probe import MAX_FOLDS, targets_of

Floats = NDArray[np.float32]


def head_start(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    schema: LabelSchema,
    *,
    class_weight: ClassWeight,
    seed: int,
) -> tuple[Floats, Floats]:
    """Weight (d, k) and bias (k,) of a calibrated linear probe on embeddings (n, d): its plain logits can be believed.

    `labels` 0/1 (n, k) of at least two groups; only images that the network will learn from.
    """
    targets = targets_of(labels, schema.task)
    folds = group_folds(labels, groups, min(MAX_FOLDS, len(np.unique(groups))), seed)
    found, head = fit_selected(
        embeddings, targets, folds, task=schema.task, n_classes=labels.shape[1], class_weight=class_weight
    )
    if not found.usable.any():
        return head.weight, head.bias
    calibration = fit_calibration(found.logits[found.usable], targets[found.usable], task=schema.task)
    weight, bias = head.weight / calibration.temperature, head.bias / calibration.temperature + calibration.offset
    return weight.astype(np.float32), bias.astype(np.float32)
