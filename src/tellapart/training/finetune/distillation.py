"""Knowledge distillation: a bigger model of the user's answers every training image once, and the network learns from both.

The loss is (1 - weight) · the loss of the labels + weight · T² · KL(teacher ‖ student), both softened by the temperature T
(Hinton, Vinyals and Dean 2015; T² keeps the gradients' size). For multi-label each label has a KL of its own, of two classes.

The teacher sees each image plainly, once, before the training ("fixed teacher"), not every augmented view of it
("consistent teacher"; Beyer et al. 2022 find that better over hundreds of epochs). It has its own size and preprocessing, reads
the original image rather than what was shrunk for the student, and costs one pass instead of one per epoch: on a processor
a bigger teacher would otherwise take most of the time. Mixing (mixup, CutMix) mixes its answers as it mixes the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tellapart.classifier.classifier import Classifier
from tellapart.errors import Reason, SettingsError
from tellapart.records import LabelSchema, Task
from tellapart.settings.recipe import Distillation
from tellapart.training.finetune.losses import TargetLoss

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model with the student's labels; `columns` int64 (k,) is where each of them stands in the teacher's answers.

    Embed the images with `classifier.spec` and `classifier.backbone`, then ask `logits`.
    """

    classifier: Classifier
    columns: NDArray[np.int64]

    @classmethod
    def open(cls, path: str | Path, schema: LabelSchema) -> Teacher:
        """The model folder `path` as a teacher for labels that have the same names, in any order.

        Raises:
            ModelError: the folder is no model.
            SettingsError: `bad_setting` when its labels or its task are others.
        """
        from tellapart.classifier.storage import load

        return cls.of(load(path), schema)

    @classmethod
    def of(cls, classifier: Classifier, schema: LabelSchema) -> Teacher:
        """The same for a model that is open already."""
        return cls(classifier, matched_columns(classifier.schema, schema))

    def logits(self, embeddings: Floats) -> Floats:
        """float32 (n, k) calibrated logits, in the student's order, of the teacher's own embeddings (n, d)."""
        probabilities = self.classifier.head.probabilities(embeddings)[:, self.columns].astype(np.float64)
        inside = np.clip(probabilities, 1e-12, 1 - 1e-12)
        several = self.classifier.schema.task is Task.MULTILABEL
        return np.asarray(np.log(inside) - np.log1p(-inside) if several else np.log(inside), np.float32)


def matched_columns(teacher: LabelSchema, student: LabelSchema) -> NDArray[np.int64]:
    """int64 (k,): the teacher's column of each of the student's labels, found by name.

    Raises:
        SettingsError: `bad_setting` when one of them has a label that the other has not, or only one of them may give an
            image several labels.
    """
    if (teacher.task is Task.MULTILABEL) != (student.task is Task.MULTILABEL):
        ways = [
            "several labels per image" if s.task is Task.MULTILABEL else "one label per image"
            for s in (teacher, student)
        ]
        raise SettingsError(Reason.BAD_SETTING, f"the teacher gives {ways[0]}, the training data {ways[1]}: {_SAME}")
    lacking = [name for name in student.names if name not in teacher.names]
    foreign = [name for name in teacher.names if name not in student.names]
    if lacking or foreign:
        parts = [f"it does not know {_listed(lacking)}"] * bool(lacking)
        parts += [f"it knows {_listed(foreign)}, which the training data do not have"] * bool(foreign)
        raise SettingsError(
            Reason.BAD_SETTING, f"the teacher has other labels: {', and '.join(parts)}. {_SAME.capitalize()}"
        )
    return np.array([teacher.names.index(name) for name in student.names], np.int64)


def soften(teacher_logits: Tensor, temperature: float, task: Task) -> Tensor:
    """float32 (n, k) probabilities of the teacher at a temperature: what may be mixed like targets."""
    softened = teacher_logits.float() / temperature
    return softened.sigmoid() if task is Task.MULTILABEL else softened.softmax(dim=1)


class DistillationLoss(nn.Module):
    """A loss of labels and a teacher: `loss(logits, targets, teacher, embeddings)`.

    `teacher` float (n, k) are probabilities from `soften`, mixed where the targets are. Computed in float32.
    """

    def __init__(self, plain: TargetLoss, distillation: Distillation, task: Task) -> None:
        super().__init__()
        self.plain, self.task = plain, task
        self.temperature, self.weight = distillation.temperature, distillation.weight

    @property
    def needs_embedding(self) -> bool:
        """Whether the loss of the labels does."""
        return self.plain.needs_embedding

    def forward(self, logits: Tensor, targets: Tensor, teacher: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """The mean loss of a batch, a float32 scalar."""
        plain: Tensor = self.plain(logits, targets, embeddings)
        with torch.autocast(logits.device.type, enabled=False):
            distance = divergence(logits.float() / self.temperature, teacher.float(), self.task)
        return (1 - self.weight) * plain + self.weight * self.temperature**2 * distance


def divergence(logits: Tensor, teacher: Tensor, task: Task) -> Tensor:
    """Mean over images (for multi-label over labels too) of KL(teacher ‖ answer of the logits)."""
    if task is Task.MULTILABEL:
        cross = functional.binary_cross_entropy_with_logits(logits, teacher)
        entropy = -(torch.xlogy(teacher, teacher) + torch.xlogy(1 - teacher, 1 - teacher)).mean()
        return cross - entropy
    return functional.kl_div(functional.log_softmax(logits, dim=1), teacher, reduction="batchmean")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


_SAME = "take a teacher that was trained for the same labels"
