"""What is minimised: one module per loss, called with logits and soft or hard targets.

Every loss is `loss(logits, targets, embeddings) -> scalar`: logits (n, k), targets float (n, k), embeddings (n, d), which
only a loss with `needs_embedding` reads. Rows of targets sum to 1 for binary and multiclass (mixing keeps that); for
multi-label each lies between 0 and 1. The answer is the mean over the images, for multi-label over the labels too, so that a
learning rate does not depend on their number. All is computed in float32, in logarithms, whatever autocast does around it.

For multi-label each label is a problem of two classes of its own, present and absent: what weighs or shifts a class by its
frequency does so within each label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import Reason, SettingsError
from tellapart.records import Task
from tellapart.settings.recipe import Loss

# Focal loss weighs by (1 - p)^gamma: below this distance of p from 1 the weight stays, or its gradient would be 0 · infinity.
_NEAREST = 1e-6


def make_loss(
    loss: Loss,
    *,
    task: Task,
    class_counts: NDArray[np.integer[Any]],
    n: int,
    embedding_dim: int = 0,
    seed: int = 0,
) -> TargetLoss:
    """The loss of a recipe for one data set.

    Args:
        class_counts: int (k,), training images with each label; 0 counts as 1.
        n: training images.
        embedding_dim: length of the embeddings, for supervised contrastive.
        seed: of the weights that a loss itself has (supervised contrastive).

    Raises:
        SettingsError: `bad_setting` where the loss makes no sense for the task.
    """
    name = resolved_name(loss, task)
    counts = np.maximum(np.asarray(class_counts, np.float64), 1.0)
    if name == "supervised_contrastive":
        from tellapart.training.finetune.contrastive import SupervisedContrastive

        return SupervisedContrastive(loss, embedding_dim, seed)
    if task is Task.MULTILABEL:
        return _multilabel(name, loss, counts, n)
    if name == "focal":
        return Focal(loss.smoothing, loss.gamma)
    weight = effective_weights(counts, loss.beta) if name == "class_balanced" else None
    shift = loss.tau * np.log(counts / counts.sum()) if name == "logit_adjustment" else None
    return CrossEntropy(loss.smoothing, weight, shift)


def resolved_name(loss: Loss, task: Task) -> str:
    """The loss's name, "auto" resolved.

    Raises:
        SettingsError: `bad_setting` where it makes no sense for the task.
    """
    several = task is Task.MULTILABEL
    if loss.name == "auto":
        return "bce" if several else "cross_entropy"
    if several and loss.name in _INSTEAD:
        raise SettingsError(Reason.BAD_SETTING, _for_one_label(loss.name))
    if not several and loss.name in ("bce", "asymmetric"):
        raise SettingsError(Reason.BAD_SETTING, _for_several_labels(loss.name))
    return loss.name


class TargetLoss(nn.Module):
    """Base: smooths the targets, leaves autocast, and asks `of` of a subclass."""

    needs_embedding = False

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """The mean loss of a batch, a float32 scalar."""
        with torch.autocast(logits.device.type, enabled=False):
            wide = None if embeddings is None else embeddings.float()
            return self.of(logits.float(), self.smooth(targets.float()), wide)

    def smooth(self, targets: Tensor) -> Tensor:
        """Targets moved towards all classes alike (Szegedy et al. 2016)."""
        return targets if not self.smoothing else targets * (1 - self.smoothing) + self.smoothing / targets.shape[1]

    def of(self, logits: Tensor, targets: Tensor, embeddings: Tensor | None) -> Tensor:
        """The loss of float32 logits and smoothed targets."""
        raise NotImplementedError


class CrossEntropy(TargetLoss):
    """Cross-entropy of the softmax; with `weight` (k,) class-balanced, with `shift` (k,) logit-adjusted.

    Weights multiply and are not divided out again, as in Cui et al. 2019. The shift is part of the training alone: the network
    answers without it (Menon et al. 2021, equation 10).
    """

    def __init__(
        self, smoothing: float, weight: NDArray[np.float64] | None = None, shift: NDArray[np.float64] | None = None
    ) -> None:
        super().__init__(smoothing)
        self.register_buffer("weight", _float32(weight), persistent=False)
        self.register_buffer("shift", _float32(shift), persistent=False)

    def of(self, logits: Tensor, targets: Tensor, embeddings: Tensor | None) -> Tensor:  # noqa: ARG002
        """Mean over images of -Σ weight · target · log softmax(logits + shift)."""
        shifted = logits if self.shift is None else logits + self.shift
        return functional.cross_entropy(shifted, targets, weight=self.weight)


class Focal(TargetLoss):
    """Cross-entropy in which what is answered well already counts little: (1 - p)^gamma · -log p (Lin et al. 2017)."""

    def __init__(self, smoothing: float, gamma: float) -> None:
        super().__init__(smoothing)
        self.gamma = gamma

    def of(self, logits: Tensor, targets: Tensor, embeddings: Tensor | None) -> Tensor:  # noqa: ARG002
        """Mean over images of -Σ target · (1 - p)^gamma · log p."""
        log_p = functional.log_softmax(logits, dim=1)
        log_rest = torch.log(-torch.expm1(log_p.clamp(max=-_NEAREST)))
        return -(targets * torch.exp(self.gamma * log_rest) * log_p).sum(1).mean()


class Sigmoid(TargetLoss):
    """Binary cross-entropy of each label, focused, clipped, weighted or shifted; plain without any of that.

    `gammas` are the exponents for present and absent labels: equal for the sigmoid focal loss, different for the asymmetric
    one, whose `clip` is taken from the probability of an absent label first (Ridnik et al. 2021). `weight` is (2, k): how
    much presence and absence count. `shift` (k,) is added to the logits in training.
    """

    def __init__(
        self,
        smoothing: float,
        *,
        gammas: tuple[float, float] = (0.0, 0.0),
        clip: float = 0.0,
        weight: NDArray[np.float64] | None = None,
        shift: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__(smoothing)
        self.gammas, self.clip = gammas, clip
        self.register_buffer("weight", _float32(weight), persistent=False)
        self.register_buffer("shift", _float32(shift), persistent=False)

    def smooth(self, targets: Tensor) -> Tensor:
        """Targets moved towards a half: each label has two classes."""
        return targets if not self.smoothing else targets * (1 - self.smoothing) + self.smoothing / 2

    def of(self, logits: Tensor, targets: Tensor, embeddings: Tensor | None) -> Tensor:  # noqa: ARG002
        """Mean over images and labels."""
        shifted = logits if self.shift is None else logits + self.shift
        log_p, log_rest = functional.logsigmoid(shifted), functional.logsigmoid(-shifted)
        present = targets * torch.exp(self.gammas[0] * log_rest) * log_p
        absent = (1 - targets) * self._absent(log_p, log_rest)
        if self.weight is not None:
            present, absent = present * self.weight[0], absent * self.weight[1]
        return -(present + absent).mean()

    def _absent(self, log_p: Tensor, log_rest: Tensor) -> Tensor:
        if not self.clip:
            return torch.exp(self.gammas[1] * log_p) * log_rest
        kept = (log_p.exp() - self.clip).clamp(min=_NEAREST)
        return torch.exp(self.gammas[1] * kept.log()) * torch.log1p(-kept)


def effective_weights(counts: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """Weights (k,) of mean 1, inverse to the effective number of images (1 - beta^n) / (1 - beta) (Cui et al. 2019)."""
    weights = (1 - beta) / (1 - np.power(beta, counts))
    return np.asarray(weights * len(weights) / weights.sum())


def _multilabel(name: str, loss: Loss, present: NDArray[np.float64], n: int) -> TargetLoss:
    absent = np.maximum(n - present, 1.0)
    if name == "focal":
        return Sigmoid(loss.smoothing, gammas=(loss.gamma, loss.gamma))
    if name == "asymmetric":
        return Sigmoid(loss.smoothing, gammas=(loss.gamma_positive, loss.gamma_negative), clip=loss.clip)
    if name == "class_balanced":
        pairs = [effective_weights(np.array(pair), loss.beta) for pair in zip(present, absent, strict=True)]
        return Sigmoid(loss.smoothing, weight=np.array(pairs).T)
    shift = loss.tau * np.log(present / absent) if name == "logit_adjustment" else None
    return Sigmoid(loss.smoothing, shift=shift)


def _float32(values: NDArray[np.float64] | None) -> Tensor | None:
    return None if values is None else torch.tensor(values, dtype=torch.float32)


_INSTEAD = ("cross_entropy", "supervised_contrastive")


def _for_one_label(name: str) -> str:
    return (
        f"the loss {name!r} takes exactly one label per image, and here an image may have several: "
        "use bce, asymmetric, focal, class_balanced or logit_adjustment"
    )


def _for_several_labels(name: str) -> str:
    return (
        f"the loss {name!r} is for several labels per image, and here every image has exactly one: "
        "use cross_entropy, focal, class_balanced, logit_adjustment or supervised_contrastive"
    )
