"""Images per second of a training beside timm's own loop: the same network, the same images, the same machine.

    python -m benchmarks.finetune_speed FOLDER_OF_IMAGES --network resnet18 --size 64 --images 640

The folder has a folder per class. timm's side is its `create_loader` (its augmentation, `--workers` processes), its optimiser
and scheduler, and the steps of its `train_one_epoch` without distribution or logging. Ours is a job as `tellapart train` runs
it, with the preset `standard`, its checkpoints included. Epochs alternate between both, so that other work on the machine
meets both alike; the first of each does not count. On a machine with other work compare by seconds of computing, with
`--workers 0`: processes of their own are not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from tellapart.backbones.torch_libraries import load_timm
from tellapart.image.preprocess import PreprocessSpec, default_spec
from tellapart.image.types import RgbImage
from tellapart.records import Task
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.attempts import fit
from tellapart.training.finetune.job import Labelled, read_job, write_job

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def main() -> None:
    """Print images per second of every epoch and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="timm's loading processes")
    parser.add_argument("--loaders", type=int, default=0, help="ours; 0: a thread beside the network")
    given = parser.parse_args()
    load_timm()
    files = sorted(path for path in given.folder.glob("*/*") if path.is_file())
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, given.images).astype(int)]
    with TemporaryDirectory() as scratch:
        print(f"{given.network} at {given.size} px, {len(chosen)} images, batches of {given.batch}, {DEVICE}")
        compare(given, chosen, Path(scratch))


class Clock:
    """Seconds and seconds of computing (of this process and its threads) since it was last asked."""

    def __init__(self) -> None:
        self.since()

    def since(self) -> tuple[float, float]:
        """Both, and start again."""
        settle()
        now, before = (time.perf_counter(), time.process_time()), getattr(self, "_at", (0.0, 0.0))
        self._at = now
        return now[0] - before[0], now[1] - before[1]


def compare(given: Any, files: list[Path], scratch: Path) -> None:
    """Run both sides, an epoch each in turn."""
    theirs, clock = timm_epochs(given, files), Clock()
    rows: list[tuple[tuple[float, float], tuple[float, float]]] = []
    write(scratch / "job", given, files)
    next(theirs)
    clock.since()

    def between(_stage: str, done: int, total: int) -> None:
        if done % (total // given.epochs) == 0:  # after each of our epochs one of timm's
            mine = clock.since()
            next(theirs)
            rows.append((mine, clock.since()))

    fit(scratch / "job", read_job(scratch / "job"), between)
    print("images/s: tellapart, timm, ratio; by the clock and per second of computing")
    shown = [[(len(files) / a, len(files) / b, b / a) for a, b in zip(*row, strict=True)] for row in rows[1:]]
    for wall, computing in shown:
        print(
            f"{wall[0]:8.1f} {wall[1]:8.1f} {wall[2]:6.3f}   {computing[0]:8.1f} {computing[1]:8.1f} {computing[2]:6.3f}"
        )
    medians = [statistics.median(row[way][2] for row in shown) for way in (0, 1)]
    print(f"median ratio {medians[0]:.3f} by the clock, {medians[1]:.3f} per second of computing")
    for name, speed in repeated(given):
        print(f"{name}, the same batch again and again: {speed:.1f} images/s")


def write(job: Path, given: Any, files: list[Path]) -> None:
    """The job of our side."""
    names = sorted({file.parent.name for file in files})
    columns = np.array([names.index(file.parent.name) for file in files])
    targets = np.eye(max(2, len(names)), dtype=np.float32)[columns]
    spec = default_spec(given.size)
    write_job(
        job,
        finetune=Finetune.model_validate(
            {
                "start": "scratch",
                "epochs": given.epochs,
                "batch_size": given.batch,
                "loaders": given.loaders,
                "optimizer": {"name": "sgd", "clip_norm": 0},
            }
        ),
        network=f"timm/{given.network}",
        size=given.size,
        spec=str(spec),
        task=Task.MULTICLASS,
        n_classes=targets.shape[1],
        train=Labelled(decoded(files, spec), targets),
        val=Labelled([], targets[:0]),
    )


def decoded(files: list[Path], spec: PreprocessSpec) -> Iterator[RgbImage]:
    """The files' images."""
    for file in files:
        yield spec.load(file.read_bytes())


def timm_network(given: Any) -> torch.nn.Module:
    """As timm makes it from scratch."""
    import timm

    network: torch.nn.Module = timm.create_model(given.network, num_classes=10).to(DEVICE)
    return network.to(memory_format=torch.channels_last) if DEVICE.type == "cuda" else network


def timm_epochs(given: Any, files: list[Path]) -> Iterator[None]:
    """timm's epochs, one at a time."""
    from timm.data import ImageDataset, create_loader

    dataset = ImageDataset(str(files[0].parent.parent))
    chosen = set(map(str, files))
    dataset.reader.samples = [s for s in dataset.reader.samples if str(s[0]) in chosen]
    loader = create_loader(
        dataset,
        (3, given.size, given.size),
        given.batch,
        is_training=True,
        num_workers=given.workers,
        persistent_workers=given.workers > 0,
        device=DEVICE,
    )
    step = timm_step(given)
    while True:
        for images, labels in loader:
            step(images.to(DEVICE), labels.to(DEVICE) % 10)
        yield


def timm_step(given: Any) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """One step as in timm's `train_one_epoch`."""
    from timm.optim import create_optimizer_v2
    from timm.scheduler import CosineLRScheduler
    from timm.utils import AverageMeter

    network, losses = timm_network(given).train(), AverageMeter()
    loss_of = torch.nn.CrossEntropyLoss()
    optimizer = create_optimizer_v2(network, "sgd", lr=0.0125, weight_decay=0.05, momentum=0.9)
    scheduler = CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False)
    done = 0

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        nonlocal done
        half = DEVICE.type == "cuda" and torch.cuda.is_bf16_supported()
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=half):
            loss = loss_of(network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        done += 1
        scheduler.step_update(done)
        if done % 50 == 0:
            losses.update(loss.item(), len(images))

    return step


def repeated(given: Any) -> Iterator[tuple[str, float]]:
    """Images per second without loading, by the clock."""
    step = timm_step(given)
    images = torch.rand(given.batch, 3, given.size, given.size).to(DEVICE)
    labels = torch.arange(given.batch).to(DEVICE) % 10
    n = max(4, given.images // given.batch)
    clock = Clock()
    for _ in range(2):
        clock.since()
        for _ in range(n):
            step(images, labels)
        seconds = clock.since()[0]
    yield "timm's step", n * given.batch / seconds


def settle() -> None:
    """Wait for a GPU."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
