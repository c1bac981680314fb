"""A network's own last layer as the head of a model: calibrated on what validates, judged on what judges."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Classifier
from tellapart.training.linear_probe import Probe
from tellapart.training.tuned_head import Roles, assign_roles, finish_head
from tellapart.workflows.fitting import Fitting, HeldBack

HEAD: Mapping[str, Any] = MappingProxyType({"kind": "linear", "trained": "with the network"})
"""Such a head on the card."""


def roles_of(fitting: Fitting) -> Roles:
    """What each image does in a training of the network.

    Raises:
        TrainingError: `too_few_classes`, `too_few_images`.
    """
    parted = fitting.parted
    return assign_roles(
        np.array(parted.splits.assigned), fitting.labels, parted.groups, fitting.schema, fitting.options.seed
    )


def headed(
    fitting: Fitting, roles: Roles, weight: NDArray[np.float32], bias: NDArray[np.float32], name: str
) -> tuple[Classifier, Probe, HeldBack]:
    """A classifier with the last layer (d, k) and (k,) of the network that embedded the images, and its answers for those
    that judge. Images that the network learned from calibrate nothing: of them it is far too sure.
    """
    head = finish_head(
        weight,
        bias,
        fitting.images.embeddings,
        fitting.labels,
        fitting.parted.groups,
        roles,
        fitting.schema,
        fitting.options.aim,
    )
    probe = Probe(
        head.head, head.thresholds, head.ood, None, 0, head.probabilities, np.ones(len(head.probabilities), bool)
    )
    classifier = fitting.assemble(name, probe, dict(HEAD))
    rows = np.flatnonzero(roles.judges)
    answers = classifier.answer(fitting.images.embeddings[rows])
    scores = answers.ood_scores if roles.of_their_own else None
    return classifier, probe, HeldBack(rows, answers.probabilities, answers.decisions, scores, out_of_fold=False)
