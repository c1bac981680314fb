"""What a head fitted on the labelled images says about all of them, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.acceptance import Acceptance, fit_acceptance
from tellapart.heads.aims import Aim
from tellapart.records import LabelSchema, Task
from tellapart.training.linear_probe import ProbeOptions, linear_probe, targets_of
from tellapart.workflows.embedding import EmbeddedDataset

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers for n images: calibrated `probabilities` float32 (n, k), and what follows from them.

    `unlike` bool (n,) marks images unlike all labelled ones, about which probabilities mean nothing. `held_out` are the
    answers (m, k) for labelled images of heads that saw neither them nor their relatives, `targets` what they are, and
    `groups` int64 (m,) which belong together.
    """

    schema: LabelSchema
    probabilities: Floats
    unlike: NDArray[np.bool_]
    held_out: Floats
    targets: NDArray[np.integer[Any]]
    groups: NDArray[np.int64]

    @classmethod
    def fit(cls, images: EmbeddedDataset, groups: NDArray[np.int64], schema: LabelSchema, seed: int) -> Answers:
        """Fit on those of the n images that have labels; `groups` int64 (n,) stay together.

        Raises:
            TrainingError: `too_few_classes`, `too_few_images`.
        """
        labelled = images.dataset.labelled
        labels = images.dataset.subset(labelled).label_matrix(schema)
        embeddings, groups = images.embeddings[labelled], groups[labelled]
        probe = linear_probe(embeddings, labels, groups, schema, ProbeOptions(Aim.parse("argmax"), seed=seed))
        return cls(
            schema,
            probe.head.probabilities(images.embeddings),
            probe.ood.score(images.embeddings) >= 1,
            probe.probabilities[probe.usable],
            targets_of(labels, schema.task)[probe.usable],
            groups[probe.usable],
        )

    @property
    def confidences(self) -> Floats:
        """How sure the proposed labels are, float32 (n,)."""
        return self._confidences(self.probabilities)

    @property
    def margins(self) -> Floats:
        """How far each image is from another answer, float32 (n,) in 0 (torn) to 1."""
        if self.schema.task is Task.MULTILABEL:
            return np.asarray(np.abs(2 * self.probabilities - 1).min(axis=1))
        first_two = np.partition(self.probabilities, -2, axis=1)[:, -2:]
        return np.asarray(first_two[:, 1] - first_two[:, 0])

    def labels(self, row: int) -> tuple[str, ...]:
        """The labels proposed for an image: the likeliest, or for several labels each that is likelier than not."""
        names, values = self.schema.names, self.probabilities[row]
        if self.schema.task is Task.MULTILABEL:
            return tuple(name for name, value in zip(names, values, strict=True) if value >= 0.5)
        return (names[int(values.argmax())],)

    def likeliest(self, row: int, n: int = 2) -> list[tuple[str, float]]:
        """The n labels between which an image is torn: the likeliest, or for several labels the least decided."""
        values = self.probabilities[row]
        rank = np.abs(values - 0.5) if self.schema.task is Task.MULTILABEL else -values
        return [(self.schema.names[column], float(values[column])) for column in np.argsort(rank, kind="stable")[:n]]

    def acceptance(self, precision: float) -> Acceptance:
        """From which confidence on proposals may be accepted; see `fit_acceptance`."""
        confidences = self._confidences(self.held_out).astype(np.float64)
        return fit_acceptance(confidences, self._right(), self.groups, precision)

    def _right(self) -> NDArray[np.bool_]:
        if self.schema.task is Task.MULTILABEL:
            return np.asarray(((self.held_out >= 0.5) == (self.targets == 1)).all(axis=1))
        return np.asarray(self.held_out.argmax(axis=1) == self.targets)

    def _confidences(self, probabilities: Floats) -> Floats:
        if self.schema.task is Task.MULTILABEL:
            # All labels of an image right at once, as if they were independent; only its order counts for a promise.
            return np.asarray(np.maximum(probabilities, 1 - probabilities).prod(axis=1))
        return np.asarray(probabilities.max(axis=1))
