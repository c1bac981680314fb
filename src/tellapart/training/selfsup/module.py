"""A pre-training as Lightning runs it: views in, one step of a method, and a look at plain images after every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.errors import Reason, TrainingError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.settings.pretraining import Pretraining
from tellapart.training.finetune.checkpoints import PLACE
from tellapart.training.finetune.optimizers import learning_rate, make_optimizer
from tellapart.training.finetune.samplers import EpochSampler
from tellapart.training.finetune.schedules import make_schedule
from tellapart.training.networks.network import Network
from tellapart.training.networks.tuning import parameter_groups
from tellapart.training.selfsup.dino import DinoMethod
from tellapart.training.selfsup.history import Epoch
from tellapart.training.selfsup.monitor import spread
from tellapart.training.selfsup.neighbours import neighbour_accuracy
from tellapart.training.selfsup.simclr import SimClrMethod
from tellapart.training.selfsup.views import Images, ViewBatches, ViewMaker

Method = SimClrMethod | DinoMethod

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Watched:
    """The m images that are looked at after every epoch: rows int64 (m,) of the data, and what their folder says of them.

    `classes` int64 (m,) from 0, None where nothing is labelled; `groups` int64 (m,): equal for what belongs together.
    """

    rows: NDArray[np.int64]
    classes: NDArray[np.int64] | None
    groups: NDArray[np.int64]


class PretrainingModule(pl.LightningModule):
    """A method, its images and the history of its epochs. All chance comes from the seed, the epoch and the image."""

    def __init__(
        self,
        method: Method,
        images: Images,
        maker: ViewMaker,
        watched: Watched,
        options: Pretraining,
        *,
        seed: int,
        threads: int = 1,
    ) -> None:
        super().__init__()
        self.method = method
        self.history: list[Epoch] = []
        self.sampler = EpochSampler(np.ones((len(images), 1)), "shuffle", batch_size=options.batch_size, seed=seed)
        self._images, self._maker, self._watched = images, maker, watched
        self._options, self._seed, self._threads = options, seed, threads
        self._losses: list[Tensor] = []
        self._began = 0.0

    @property
    def n_steps(self) -> int:
        """Steps of the optimiser in the whole training."""
        return self._options.epochs * self.sampler.steps

    def train_dataloader(self) -> ViewBatches:
        """The batches of the epoch that is being trained.

        They ask for it with the first batch: after a resumption Lightning begins to iterate before it knows the epoch.
        """
        return ViewBatches(
            self._images,
            self._maker,
            self.sampler,
            lambda: self.current_epoch,
            processes=self._options.loaders,
            threads=self._threads,
        )

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule; the heads, which begin with nothing, learn at the rate of a start from scratch."""
        chosen, batch = self._options.optimizer, self._options.batch_size
        rate = learning_rate(chosen, self._options.start, batch)
        groups = parameter_groups(self.method.network, rate, chosen.weight_decay, chosen.layer_decay)
        groups.append({"params": self.method.heads(), "lr": max(rate, learning_rate(chosen, "scratch", batch))})
        optimizer = make_optimizer(groups, chosen, batch, start=self._options.start)
        schedule = make_schedule(optimizer, self._options.schedule, self._options.epochs, self.sampler.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_fit_start(self) -> None:
        """Look before the first step, so that the curves begin where the network stood."""
        self._began = time.monotonic()
        if not self.history:
            self._look(None)

    def on_train_epoch_start(self) -> None:
        """What a network draws by chance (dropout) comes from the epoch, so that a resumed training draws the same."""
        torch.manual_seed(self._seed * 1_000_003 + self.current_epoch)

    def training_step(self, batch: Sequence[Tensor], _index: int) -> Tensor:
        """The loss of one batch: a tensor uint8 (n, s, s, 3) for each view."""
        views = [self.method.network.normalise(view) for view in batch]
        loss = self.method.loss(views, self.current_epoch)
        self._losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """What follows the network follows it now."""
        self.method.after_step(self.global_step / self.n_steps)

    def on_train_epoch_end(self) -> None:
        """Measure, and stop where the loss is no number."""
        loss = float(torch.stack(self._losses).double().mean())
        self._losses.clear()
        if not math.isfinite(loss):
            raise TrainingError(Reason.DIVERGED, _diverged(self.current_epoch + 1))
        self._look(loss)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The history goes along."""
        checkpoint[PLACE] = {"steps": self.global_step}
        checkpoint["history"] = [epoch.to_json() for epoch in self.history]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """And comes back."""
        self.history = [Epoch.from_json(values) for values in checkpoint["history"]]

    def _look(self, loss: float | None) -> None:
        embeddings, projections = self._seen()
        classes = self._watched.classes
        voted = None if classes is None else neighbour_accuracy(embeddings, classes, self._watched.groups)
        now = time.monotonic()
        self.history.append(
            Epoch(
                number=0 if loss is None else self.current_epoch + 1,
                loss=loss,
                learning_rate=None if loss is None else float(self.optimizers().param_groups[0]["lr"]),
                embeddings=spread(embeddings),
                projections=spread(projections),
                neighbours=voted,
                seconds=round(now - self._began, 3),
            )
        )
        self._began = now

    def _seen(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings and projections of the watched images, as a model would see them."""
        self.method.eval()
        with torch.no_grad():
            pixels = _plain(self.method.result, self._images, self._watched.rows)
            parts = [(self.method.result.embed(x)[0], self.method.project(x)) for x in pixels]
        self.method.train()
        first, second = zip(*parts, strict=True)
        return torch.cat(first).float().cpu().numpy(), torch.cat(second).float().cpu().numpy()


def _plain(network: Network, images: Images, rows: NDArray[np.int64]) -> Iterator[Tensor]:
    """Some images as a model sees them: normalised float32 (n, 3, s, s) on the network's device, n at most 64."""
    spec = PreprocessSpec.parse(network.spec)
    device = network.head.weight.device
    for start in range(0, len(rows), _AT_ONCE):
        pixels = np.stack([spec.transform(images[row]) for row in rows[start : start + _AT_ONCE].tolist()])
        yield network.normalise(torch.from_numpy(pixels).to(device))


def _diverged(epoch: int) -> str:
    return (
        f"the loss became infinite or no number in epoch {epoch}; begin anew with a lower learning rate "
        "(--set optimizer.lr=1e-4), or with --set precision=32"
    )
