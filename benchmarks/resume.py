"""Kill a training with SIGKILL at random moments, go on each time, and compare the end with an uninterrupted one.

    python -m benchmarks.resume FOLDER --kills 10

The folder is made and holds two equal jobs: LeNet on coloured noise at 32 px. Each kill hits the process of one of them, at a
moment drawn evenly over all steps, and up to 0.1 s later. After each kill all files that should be whole are read.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tellapart.image.types import RgbImage
from tellapart.records import Task
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.job import Job, Labelled, is_over, read_job, read_result, write_job

OPTIONS = {
    "start": "scratch",
    "batch_size": 16,
    "ema": 0.95,
    "dropout": 0.2,
    "optimizer": {"lr": 0.003},
    "augmentation": {"preset": "standard", "mixup": 0.2},
}
RUN = (
    "import sys; from pathlib import Path; from tellapart.training.finetune.attempts import fit; "
    "from tellapart.training.finetune.job import read_job; "
    "fit(Path(sys.argv[1]), read_job(Path(sys.argv[1])), lambda *step: print(*step, flush=True), checkpoint_s=0.3)"
)


def main() -> None:
    """Print each kill, and whether the ends are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    whole, killed = given.folder / "whole", given.folder / "killed"
    for folder in (whole, killed):
        write(folder, given.images, given.epochs)
    total = run(whole)
    rng = random.Random(given.seed)
    for number, step in enumerate(sorted(rng.randint(1, total) for _ in range(given.kills))):
        reached = run(killed, step, rng.uniform(0, 0.1))
        print(f"kill {number + 1} after step {reached} of {total}: {state(killed)}")
    run(killed)
    report(whole, killed)


def write(folder: Path, n: int, epochs: int) -> Job:
    """A small job."""
    targets = np.eye(3, dtype=np.float32)
    return write_job(
        folder,
        finetune=Finetune.model_validate({**OPTIONS, "epochs": epochs}),
        network="lenet",
        spec="decode|upright|fit(32)",
        task=Task.MULTICLASS,
        n_classes=3,
        train=Labelled(noise(n, 0), targets[np.arange(n) % 3]),
        val=Labelled(noise(60, 1), targets[np.arange(60) % 3]),
    )


def noise(n: int, seed: int) -> Iterator[RgbImage]:
    """Images whose strongest colour is their class, most of the time."""
    rng = np.random.default_rng(seed)
    for number in range(n):
        pixels = rng.integers(0, 200, (40, 36, 3)).astype(np.uint8)
        pixels[..., number % 3] += 4
        yield RgbImage(pixels, (36, 40))


def run(folder: Path, kill_at: int | None = None, after_s: float = 0.0) -> int:
    """Train in a process and kill it so many seconds after a step (counted over all epochs); the last step it told."""
    path = folder / "steps.txt"
    with path.open("w") as steps:
        process = subprocess.Popen([sys.executable, "-c", RUN, str(folder)], stdout=steps)
        while process.poll() is None:
            time.sleep(0.005)
            if kill_at is not None and told(path) >= kill_at:
                time.sleep(after_s)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"the training ended with {process.returncode}")
    return told(path)


def told(path: Path) -> int:
    """The last whole line's step."""
    lines = path.read_text().split("\n")[:-1]
    return int(lines[-1].split()[-2]) if lines else 0


def state(folder: Path) -> str:
    """What is there; every file under its own name can be read whole."""
    from tellapart.training.finetune.checkpoints import latest, read_checkpoint, steps_done

    read_job(folder)
    read_result(folder)
    for name in ("checkpoint.safetensors", "checkpoint-within.safetensors"):
        if (folder / name).exists():
            read_checkpoint(folder / name)
    if (folder / "weights.safetensors").exists():
        load_file(folder / "weights.safetensors")
    found = latest(folder)
    steps = 0 if found is None else steps_done(found)
    return (
        f"{'over' if is_over(folder) else 'unfinished'}, {steps} steps in {'no file' if found is None else found.name}"
    )


def report(whole: Path, killed: Path) -> None:
    """Print the last metrics of both and whether all of it is equal."""
    a, b = read_result(whole), read_result(killed)
    assert a is not None
    assert b is not None
    plain: list[list[dict[str, Any]]] = [
        [{name: value for name, value in row.items() if "second" not in name} for row in result.history]
        for result in (a, b)
    ]
    print(f"uninterrupted: {plain[0][-1]}\nkilled:        {plain[1][-1]}")
    weights = load_file(whole / "weights.safetensors"), load_file(killed / "weights.safetensors")
    same = plain[0] == plain[1] and all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    print("every epoch's figures and all weights are equal to the last bit" if same else "THEY DIFFER")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
