"""Learning from labels and from a teacher's answers at once (Hinton, Vinyals and Dean 2015).

The loss is (1 - weight) · the loss of the labels + weight · T² · KL(teacher ‖ student), both softened by the temperature T; T²
keeps the size of the gradients. For multi-label each label has a KL of its own, of two classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tellapart.records import Task
from tellapart.settings.recipe import Distillation


def softened(logits: NDArray[np.floating[Any]], temperature: float, task: Task) -> NDArray[np.float32]:
    """A teacher's probabilities float32 (n, k) at a temperature, of its logits (n, k). They may be mixed as targets are."""
    scaled = torch.from_numpy(np.asarray(logits, np.float32)) / temperature
    found = scaled.sigmoid() if task is Task.MULTILABEL else scaled.softmax(dim=1)
    return np.asarray(found.numpy(), np.float32)


class TeacherLoss:
    """`loss(plain, logits, teacher)`: the loss of the labels with what the teacher says, a float32 scalar."""

    def __init__(self, distillation: Distillation, task: Task) -> None:
        self.task, self.temperature, self.weight = task, distillation.temperature, distillation.weight

    def __call__(self, plain: Tensor, logits: Tensor, teacher: Tensor) -> Tensor:
        """Of the labels' loss, logits (n, k), and the teacher's probabilities (n, k) from `softened`; in float32."""
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
