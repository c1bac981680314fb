"""DINO (M. Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional

from tellapart.settings.pretraining import Dino, Pretraining

if TYPE_CHECKING:
    from tellapart.training.networks.network import Network


class DinoLoss(nn.Module):
    """Cross-entropy of the student's answers to the teacher's, which are centred and sharpened against collapse.

    `centre`, float (k,), is the running mean of the teacher's answers: taking it away keeps one prototype from winning
    always; the low temperature keeps the answers from being equal for all prototypes (section 3.1 of the paper).
    """

    centre: Tensor

    def __init__(self, options: Dino) -> None:
        super().__init__()
        self._options = options
        self.register_buffer("centre", torch.zeros(options.prototypes))

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Mean over all pairs of different views. Logits (n, k) each; the first views of `student` are those of `teacher`."""
        said = [functional.log_softmax(one.float() / self._options.temperature, dim=1) for one in student]
        with torch.no_grad():
            meant = [self.targets(one) for one in teacher]
        pairs = [(i, j) for i in range(len(meant)) for j in range(len(said)) if i != j]
        terms = [-(meant[i] * said[j]).sum(1).mean() for i, j in pairs]
        return torch.stack(terms).mean()

    def targets(self, teacher: Tensor) -> Tensor:
        """What the student shall say: probabilities (n, k)."""
        sharpened = (teacher.float() - self.centre) / self._options.teacher_temperature
        return functional.softmax(sharpened, dim=1)

    def update_centre(self, teacher: Sequence[Tensor]) -> None:
        """Move the centre towards the mean of these answers (eq. 4 of the paper)."""
        mean = torch.cat([one.detach().float() for one in teacher]).mean(0)
        self.centre.lerp_(mean, 1 - self._options.centre_momentum)


class PrototypeHead(nn.Module):
    """(n, dim) → logits (n, prototypes): three layers, then cosines to the prototypes.

    With batch normalisation between the layers: the columns of a convolutional network are above nought, so that without it
    all vectors begin in nearly one place, and every answer soon gives all prototypes the same.
    """

    def __init__(self, dim: int, options: Dino) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, dim, bias=False),
            nn.BatchNorm1d(dim),
            nn.GELU(),
            nn.Linear(dim, dim, bias=False),
            nn.BatchNorm1d(dim),
            nn.GELU(),
            nn.Linear(dim, options.bottleneck),
        )
        self.prototypes = nn.Linear(options.bottleneck, options.prototypes, bias=False)
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def places(self, embeddings: Tensor) -> Tensor:
        """Where the vectors lie among the prototypes: (n, dim) → (n, bottleneck), of length one."""
        return functional.normalize(self.layers(embeddings), dim=1)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Cosines, -1 to 1."""
        places = self.places(embeddings)
        return functional.linear(places, functional.normalize(self.prototypes.weight, dim=1))


class _Answering(nn.Module):
    """A network with its head: what student and teacher both are."""

    def __init__(self, network: Network, head: PrototypeHead) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, pixels: Tensor) -> Tensor:
        answers: Tensor = self.head(self.network.embed(pixels)[0])
        return answers


class DinoMethod(nn.Module):
    """Student and teacher, with multi-crop: the teacher sees the two large views, the student all of them."""

    n_global = 2

    def __init__(self, network: Network, options: Pretraining) -> None:
        super().__init__()
        self.student = _Answering(network, PrototypeHead(network.embedding_dim, options.dino))
        self._ema = [ModelEmaV3(self.student)]  # in a list: of it the state dict shall hold the teacher alone
        self.teacher = self._ema[0].module.requires_grad_(False)
        self.criterion = DinoLoss(options.dino)
        self.n_local = options.dino.local_views
        self._momentum = options.dino.teacher_momentum

    @property
    def network(self) -> Network:
        """The network that learns."""
        return self.student.network

    @property
    def result(self) -> Network:
        """The network that is kept: the teacher's, which is the better one (section 5.1 of the paper)."""
        kept: Network = self.teacher.network
        return kept

    def heads(self) -> list[nn.Parameter]:
        """What is trained beside the network."""
        return list(self.student.head.parameters())

    def project(self, pixels: Tensor) -> Tensor:
        """What the teacher compares with the prototypes: normalised pixels (n, 3, h, w) → (n, bottleneck).

        Not its answers: without their centre even those of a collapsed network would differ in direction.
        """
        return self.teacher.head.places(self.teacher.network.embed(pixels)[0])

    def loss(self, views: Sequence[Tensor], epoch: int) -> Tensor:
        """Of the large views and then the small ones, each normalised pixels (n, 3, h, w)."""
        self._hold_prototypes(epoch)
        large, small = views[: self.n_global], views[self.n_global :]
        with torch.no_grad():
            self.teacher.train()  # by the statistics of its batch, as its student: running ones lag behind its weights
            taught = self.teacher(torch.cat(list(large))).chunk(self.n_global)
        said = list(self.student(torch.cat(list(large))).chunk(self.n_global))
        if small:
            said += self.student(torch.cat(list(small))).chunk(len(small))
        loss: Tensor = self.criterion(said, taught)
        self.criterion.update_centre(taught)
        return loss

    def after_step(self, progress: float) -> None:
        """The teacher follows; `progress` 0–1 of the training, along which its momentum rises to 1 by a half cosine."""
        self._ema[0].decay = momentum_at(self._momentum, progress)
        self._ema[0].update(self.student)

    def _hold_prototypes(self, epoch: int) -> None:
        """In the first epoch the prototypes stay: they would run away from a network that has not settled."""
        self.student.head.prototypes.requires_grad_(epoch > 0)


def momentum_at(first: float, progress: float) -> float:
    """Momentum of the teacher after a share `progress` (0–1) of all steps: from `first` to 1 by a half cosine."""
    return 1 - (1 - first) * (math.cos(math.pi * progress) + 1) / 2
