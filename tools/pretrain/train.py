"""Supervised pre-training on a decoded image folder (`decode.py`), with a schedule measured in time, not in epochs.

Progress runs from 0 to 1 over the time budget, whatever else the machine does meanwhile: the learning rate, the image
size and the end depend on progress alone, so a run on a busy machine sees fewer images but still ends annealed. A run
may be stopped (SIGSTOP) and continued, or killed and started again with the same command.

Each thread trains whole micro-batches on its own replica (shared weights, own gradients and statistics) and takes the
next one when it is free. On a busy machine this is about three times as fast as two OpenMP threads inside every layer,
which wait for each other hundreds of times per step.
"""

from __future__ import annotations

import argparse
import copy
import logging
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from augment import augment
from model import Classifier, Shape, Twin, normalise
from torch import Tensor, nn
from torch.nn import functional

log = logging.getLogger("pretrain.train")

# (progress at which the phase ends, image sizes of which each batch takes one); small first, large last. Sizes are
# multiples of the stride: 40 px costs as much as 48 (both have a 3x3 feature map).
PHASES: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.30, (32,)),
    (0.70, (48,)),
    (0.93, (64,)),
    (1.01, (64, 64, 96)),
)
PAUSE_S = 20.0  # a step that took longer was a pause, and does not count as training


@dataclass(slots=True)
class Clock:
    """Progress 0..1 through a budget of training seconds, or faster where the wall-clock end comes earlier."""

    budget_s: float
    finish_by: float | None
    progress: float = 0.0
    active_s: float = 0.0
    last: float = field(default_factory=time.time)

    def tick(self) -> None:
        """Account for the time since the last tick; a pause moves the wall-clock end nearer, not the progress."""
        now = time.time()
        step = min(now - self.last, PAUSE_S)
        self.last = now
        self.active_s += step
        left = self.budget_s - self.active_s
        if self.finish_by is not None:
            left = min(left, self.finish_by - now)
        left = max(left, (1 - self.progress) * self.budget_s * 0.05)
        self.progress = min(1.0, self.progress + step * (1 - self.progress) / (left + step))
        if self.progress > 0.9995:
            self.progress = 1.0


def learning_rate(progress: float, peak: float) -> float:
    """Linear warm-up over the first 4 %, then a half cosine to zero."""
    if progress < 0.04:
        return peak * (0.05 + 0.95 * progress / 0.04)
    return peak * 0.5 * (1 + float(np.cos(np.pi * (progress - 0.04) / 0.96)))


def image_size(progress: float, step: int, sizes: Sequence[int]) -> int:
    """Image size of a step: of `sizes` in turn, or from PHASES where there are none."""
    sizes = sizes or next(sizes for end, sizes in PHASES if progress < end)
    return sizes[step % len(sizes)]


class Averaged:
    """Exponential moving average of all weights and statistics; young averages move faster."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's present state."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch: `uint8 (n, h, w, 3)`, `int64 (n,)`, the size to train at and the seed of its augmentation."""

    images: Tensor
    labels: Tensor
    size: int
    seed: int


class Images:
    """A decoded folder, read in an order that depends on seed and epoch alone."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.labels = torch.from_numpy(np.load(folder / "labels.npy"))
        self.seed = seed
        self.order = np.empty(0, np.int64)
        self.epoch = -1

    def batch(self, seen: int, n: int) -> tuple[Tensor, Tensor]:
        """Return images and labels that follow after `seen` images; the last, partial batch is never cut short."""
        epoch, start = divmod(seen, len(self.labels))
        if epoch != self.epoch:
            self.order = np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))
            self.epoch = epoch
        rows = np.sort(np.take(self.order, range(start, start + n), mode="wrap"))
        return torch.from_numpy(self.images[rows]), self.labels[torch.from_numpy(rows)]


def channels_last(model: nn.Module) -> nn.Module:
    """Lay out the kernels for channels-last convolution, in place (a tenth faster here)."""
    for p in model.parameters():
        if p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)
    return model


def parameter_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for scales and biases."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def supervised_loss(model: nn.Module, batch: Batch, generator: torch.Generator, smoothing: float) -> Tensor:
    """Summed cross-entropy of one augmented view."""
    logits = model(normalise(augment(batch.images, batch.size, generator)))
    return functional.cross_entropy(logits, batch.labels, label_smoothing=smoothing, reduction="sum")


def paste(x: Tensor, generator: torch.Generator) -> tuple[Tensor, float]:
    """CutMix (Yun et al., ICCV 2019) on half of all batches `(n, h, w, c)`: a box of one image into the next.

    Returns the pictures and the share of each that stays.
    """
    height, width = x.shape[1:3]
    side = float(torch.rand(1, generator=generator).sqrt()) if torch.rand(1, generator=generator) < 0.5 else 0.0
    h, w = int(height * side), int(width * side)
    top, left = (int(torch.randint(0, room + 1, (1,), generator=generator)) for room in (height - h, width - w))
    mixed = x.clone()
    mixed[:, top : top + h, left : left + w] = x.roll(1, 0)[:, top : top + h, left : left + w]
    return mixed, 1 - h * w / (height * width)


def pasted_loss(model: nn.Module, batch: Batch, generator: torch.Generator, smoothing: float) -> Tensor:
    """Summed cross-entropy of one augmented view with CutMix, both labels by their share of the picture."""
    images, stays = paste(augment(batch.images, batch.size, generator), generator)
    logits = model(normalise(images))
    parts = zip((batch.labels, batch.labels.roll(1, 0)), (stays, 1 - stays), strict=True)
    losses = [w * functional.cross_entropy(logits, y, label_smoothing=smoothing, reduction="sum") for y, w in parts]
    return losses[0] + losses[1]


def twin_loss(model: nn.Module, batch: Batch, generator: torch.Generator, _smoothing: float) -> Tensor:
    """Summed negative cosine similarity between two views of each image; labels are not used."""
    views = [augment(batch.images, batch.size, generator, strength=0.4) for _ in range(2)]
    (first, target_1), (second, target_2) = (model(normalise(view)) for view in views)
    similarity = functional.cosine_similarity(first, target_2) + functional.cosine_similarity(second, target_1)
    return -similarity.sum() / 2


LOSSES = {"supervised": supervised_loss, "cutmix": pasted_loss, "twins": twin_loss}


def make_model(objective: str, n_classes: int, hidden: int) -> nn.Module:
    """The network of an objective, in training layout."""
    if objective == "twins":
        return channels_last(Twin(Shape(), hidden))
    return channels_last(Classifier(Shape(), n_classes, hidden))


class Workers:
    """Threads that share the weights of one model and sum their gradients into it."""

    def __init__(self, model: nn.Module, threads: int, objective: str, smoothing: float) -> None:
        self.replicas = [model] + [copy.deepcopy(model) for _ in range(threads - 1)]
        for replica in self.replicas[1:]:
            for mine, master in zip(replica.parameters(), model.parameters(), strict=True):
                mine.data = master.data
        self.loss = LOSSES[objective]
        self.smoothing = smoothing
        self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def work(self, replica: nn.Module, queue: SimpleQueue[Batch | None], total: int) -> float:
        """Take micro-batches until the queue says None; return the summed loss of those taken."""
        loss_sum = 0.0
        while (batch := queue.get()) is not None:
            generator = torch.Generator().manual_seed(batch.seed)
            loss = self.loss(replica, batch, generator, self.smoothing) / total
            torch.autograd.backward(loss)
            loss_sum += loss.item()
        return loss_sum

    def gradients(self, batches: list[Batch]) -> float:
        """Leave the gradient of the mean loss over all batches in the first replica; return that loss."""
        queue: SimpleQueue[Batch | None] = SimpleQueue()
        for batch in [*batches, *[None] * len(self.replicas)]:
            queue.put(batch)
        total = sum(len(batch.labels) for batch in batches)
        for replica in self.replicas:
            replica.zero_grad()
        futures = [self.pool.submit(self.work, replica, queue, total) for replica in self.replicas]
        loss = sum(future.result() for future in futures)
        for replica in self.replicas[1:]:
            for mine, master in zip(replica.parameters(), self.replicas[0].parameters(), strict=True):
                if mine.grad is not None:
                    master.grad = mine.grad if master.grad is None else master.grad.add_(mine.grad)
        return loss


class Run:
    """One training run: model, optimiser, average, clock and position, all in one checkpoint."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args = args
        self.data = Images(args.train, args.seed)
        self.shape = Shape()
        self.model = self.network()
        if args.start:
            self.model.load_state_dict(torch.load(args.start, map_location="cpu", weights_only=True)["model"])
        self.optimiser = torch.optim.SGD(
            parameter_groups(self.model, args.weight_decay), lr=args.lr, momentum=0.9, nesterov=True
        )
        self.workers = Workers(self.model, args.threads, args.objective, args.smoothing)
        self.average = Averaged(self.model, args.ema)
        finish = datetime.fromisoformat(args.finish_by).timestamp() if args.finish_by else None
        self.clock = Clock(args.minutes * 60, finish)
        self.step = self.seen = 0
        self.path = args.out / "checkpoint.pt"
        self.stopping = False
        signal.signal(signal.SIGTERM, self.stop)

    def network(self) -> nn.Module:
        """A new network of the run's objective."""
        return make_model(self.args.objective, int(self.data.labels.max()) + 1, self.args.hidden)

    def stop(self, *_: object) -> None:
        """Ask the loop to save and end after the present step (SIGTERM)."""
        self.stopping = True

    def save(self) -> None:
        """Write the checkpoint atomically."""
        state = {
            "model": self.model.state_dict(),
            "ema": self.average.state,
            "optimiser": self.optimiser.state_dict(),
            "shape": self.shape.to_dict(),
            "position": (self.step, self.seen, self.clock.progress, self.clock.active_s),
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)

    def restore(self) -> None:
        """Continue from the checkpoint, where there is one."""
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.state = state["ema"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seen, self.clock.progress, self.clock.active_s = state["position"]
        for replica in self.workers.replicas[1:]:
            for mine, master in zip(replica.buffers(), self.model.buffers(), strict=True):
                mine.copy_(master)
        log.info("resumed at step %d, progress %.3f", self.step, self.clock.progress)

    def train_step(self) -> tuple[float, int]:
        """Take one step; return its loss and image size."""
        size = image_size(self.clock.progress, self.step, self.args.sizes)
        n = self.args.batch if size <= 64 else self.args.batch // 2
        images, labels = self.data.batch(self.seen, n)
        rate = learning_rate(self.clock.progress, self.args.lr) * n / self.args.batch
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts = zip(torch.split(images, self.args.micro), torch.split(labels, self.args.micro), strict=True)
        seed = (self.args.seed * 1_000_000 + self.step) * 100
        loss = self.workers.gradients([Batch(*part, size, seed + index) for index, part in enumerate(parts)])
        self.optimiser.step()
        self.average.update(self.model, self.step)
        self.step += 1
        self.seen += n
        self.clock.tick()
        return loss, size

    @torch.no_grad()
    def evaluate(self) -> float:
        """Accuracy of the averaged weights on the validation folder, at its own size."""
        if self.args.objective == "twins":
            return float("nan")
        model = self.network()
        model.load_state_dict(self.average.state)
        model.eval()
        data = Images(self.args.val, 0)
        right = 0
        for start in range(0, len(data.labels), 250):
            images = torch.from_numpy(np.array(data.images[start : start + 250]))
            right += int((model(normalise(images)).argmax(1) == data.labels[start : start + 250]).sum())
            self.clock.tick()
        return right / len(data.labels)

    def loop(self) -> None:
        """Train to the end of the budget: a log line every half minute, a checkpoint every three minutes."""
        for replica in self.workers.replicas:
            replica.train()
        self.clock.last = logged = saved = time.time()
        next_evaluation = (int(self.clock.progress * 10) + 1) / 10
        losses: list[float] = []
        since = self.seen
        while self.clock.progress < 1 and not self.stopping:
            loss, size = self.train_step()
            losses.append(loss)
            now = time.time()
            if now - logged > 30:
                mean, speed = sum(losses) / len(losses), (self.seen - since) / (now - logged)
                line = "progress %.4f step %d epoch %.2f size %d loss %.3f %.0f img/s"
                log.info(line, self.clock.progress, self.step, self.seen / len(self.data.labels), size, mean, speed)
                logged, since = now, self.seen
                losses.clear()
            if now - saved > 180:
                self.save()
                saved = now
            if self.clock.progress >= next_evaluation:
                log.info("progress %.4f validation accuracy (EMA) %.4f", self.clock.progress, self.evaluate())
                next_evaluation += 0.1
        self.save()
        if self.stopping:
            log.info("stopped at progress %.4f; the same command continues", self.clock.progress)
            return
        log.info(
            "done: %d steps, %.2f epochs, %.0f s active",
            self.step,
            self.seen / len(self.data.labels),
            self.clock.active_s,
        )
        log.info("final validation accuracy (EMA) %.4f", self.evaluate())


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path, help="folder written by decode.py")
    parser.add_argument("val", type=Path, help="folder written by decode.py")
    parser.add_argument("out", type=Path, help="folder for checkpoint.pt")
    parser.add_argument("--minutes", type=float, default=110, help="training time, pauses not counted")
    parser.add_argument("--finish-by", help="ISO time at which the run must have ended, whatever --minutes says")
    parser.add_argument("--objective", choices=sorted(LOSSES), default="supervised")
    parser.add_argument("--start", type=Path, help="checkpoint whose weights to begin from")
    parser.add_argument("--sizes", type=int, nargs="+", default=(), help="image sizes in turn, instead of PHASES")
    parser.add_argument("--hidden", type=int, default=512, help="units of the projector; 0 means none (supervised)")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=0.3)
    parser.add_argument("--weight-decay", type=float, default=3e-4)
    parser.add_argument("--smoothing", type=float, default=0.0)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--micro", type=int, default=128, help="images per micro-batch (and per batch normalisation)")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Start or continue a run."""
    args = parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    run = Run(args)
    run.restore()
    log.info(
        "%.2f M backbone parameters",
        sum(p.numel() for name, p in run.model.named_parameters() if name.startswith("backbone.")) / 1e6,
    )
    run.loop()


if __name__ == "__main__":
    main()
