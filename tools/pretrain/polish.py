"""The last minutes: adapt a trained network to images as it will meet them, with its normalisation statistics fixed.

Training sees only resampled crops at mixed sizes, so the running statistics of batch normalisation fit none of them: on plain
64-px images they cost a third of the accuracy. Here they are measured anew over plain images, then kept, and the weights are
trained on with weak augmentation, until rate zero.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch
import train
from augment import augment, jitter_colour
from model import Classifier, Shape, normalise
from torch import Tensor, nn
from torch.nn import functional
from train import Batch, Images, Workers, channels_last, parameter_groups

log = logging.getLogger("pretrain.polish")
SIZES = (64, 64, 64, 96)
N_MEASURED = 6000


def resized(images: Tensor, size: int) -> Tensor:
    """Map `uint8 (n, h, w, 3)` to `float32 (n, size, size, 3)` in 0..255, untouched where it has that size."""
    if images.shape[1] == size:
        return images.float()
    x = images.permute(0, 3, 1, 2).float()
    return functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)


def gently(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Half of a batch as it is but for a flip and a shift, half resampled (70-100 % of the area); weak colour."""
    n = len(images) // 2
    plain = resized(images[:n], size)
    flip = torch.rand(n, generator=generator) < 0.5
    plain = torch.where(flip.view(-1, 1, 1, 1), plain.flip(2), plain)
    shift = torch.randint(-4, 5, (2,), generator=generator).tolist()
    padded = functional.pad(plain.permute(0, 3, 1, 2), (4, 4, 4, 4), mode="reflect")
    plain = padded[:, :, 4 + shift[0] : 4 + shift[0] + size, 4 + shift[1] : 4 + shift[1] + size]
    plain = jitter_colour(plain.contiguous(), generator, 0.2, p_grey=0.1).permute(0, 2, 3, 1)
    return torch.cat([plain, augment(images[n:], size, generator, min_area=0.7, strength=0.2)])


def polishing_loss(model: nn.Module, batch: Batch, generator: torch.Generator, _smoothing: float) -> Tensor:
    """Summed cross-entropy."""
    logits = model(normalise(gently(batch.images, batch.size, generator)))
    return functional.cross_entropy(logits, batch.labels, reduction="sum")


@torch.no_grad()
def measure_statistics(model: nn.Module, data: Images) -> None:
    """Set the running statistics to those of plain images at the sizes of `SIZES`, in equal parts."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    model.train()
    for index, start in enumerate(range(0, N_MEASURED, 250)):
        images, _ = data.batch(start, 250)
        model(normalise(resized(images, sorted(set(SIZES))[index % len(set(SIZES))])))


@torch.no_grad()
def accuracy(model: nn.Module, folder: Path, size: int) -> float:
    """On plain images of the validation folder."""
    data = Images(folder, 0)
    right = 0
    for start in range(0, len(data.labels), 250):
        images = torch.from_numpy(np.array(data.images[start : start + 250]))
        right += int((model(normalise(resized(images, size))).argmax(1) == data.labels[start : start + 250]).sum())
    return right / len(data.labels)


def polish(model: nn.Module, data: Images, args: argparse.Namespace) -> None:
    """Train with fixed statistics for the given minutes, the rate falling as half a cosine."""
    train.LOSSES["polish"] = polishing_loss
    workers = Workers(model, args.threads, "polish", 0.0)
    for replica in workers.replicas:
        replica.eval()
    optimiser = torch.optim.SGD(parameter_groups(model, args.weight_decay), lr=args.lr, momentum=0.9, nesterov=True)
    started = logged = time.time()
    step = seen = 0
    while (progress := (time.time() - started) / (args.minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = args.lr * 0.5 * (1 + float(np.cos(np.pi * progress)))
        size = SIZES[step % len(SIZES)]
        images, labels = data.batch(seen, args.batch)
        parts = zip(torch.split(images, args.batch // 2), torch.split(labels, args.batch // 2), strict=True)
        loss = workers.gradients([Batch(*part, size, step * 10 + index) for index, part in enumerate(parts)])
        nn.utils.clip_grad_norm_(model.parameters(), args.clip)  # without moving statistics nothing else holds it back
        optimiser.step()
        step, seen = step + 1, seen + args.batch
        if time.time() - logged > 15:
            log.info("progress %.3f step %d loss %.3f", progress, step, loss)
            logged = time.time()
    log.info("done: %d steps, %.2f epochs", step, seen / len(data.labels))


def main() -> None:
    """Read a checkpoint of train.py, write another one that export.py reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--clip", type=float, default=1.0, help="largest norm of a step's gradient")
    parser.add_argument("--weight-decay", type=float, default=3e-4)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    state = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    data = Images(args.train, seed=1)
    model = channels_last(Classifier(Shape(**state["shape"]), int(data.labels.max()) + 1, args.hidden))
    model.load_state_dict(state["model"])
    measure_statistics(model, data)
    model.eval()
    log.info("statistics measured: validation accuracy %.4f", accuracy(model, args.val, 64))
    polish(model, data, args)
    log.info("validation accuracy at 64 px %.4f, at 96 px %.4f", *(accuracy(model, args.val, s) for s in (64, 96)))
    torch.save({"ema": model.state_dict(), "model": model.state_dict(), "shape": state["shape"]}, args.out)


if __name__ == "__main__":
    main()
