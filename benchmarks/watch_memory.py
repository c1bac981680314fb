"""Does the memory of `watch` stay as it is, however many images it sees? Sixteen cameras of made-up pictures, unpaced.

    python benchmarks/watch_memory.py --work /tmp/memory                     # 60,000 images, about two minutes
    python benchmarks/watch_memory.py --work /tmp/memory --images 8000       # a trial, too short to see it level off

What a process has of its own (RssAnon of /proc, Linux) is printed every 4,000 images. It grows until the table of the last
20,000 answers is full, which `why` reaches back to.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.cameras import KINDS, POLICY, machine
from benchmarks.overhead import prepare_model

import tellapart as ta
from tellapart.settings.stream_file import read_stream
from tellapart.streams.frame import Frame
from tellapart.streams.memory import MemoryCameras

CAMERAS, EVERY = 16, 4000
PICTURES = [np.full((64, 64, 3), colour, np.uint8) for colour in ((200, 30, 30), (30, 200, 30), (30, 30, 200))]


def main() -> None:
    """Watch, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the model and the stream")
    parser.add_argument("--images", type=int, default=60_000)
    options = parser.parse_args()
    print(machine())
    model = prepare_model(options.work)
    shutil.rmtree(options.work / "memory.watch", ignore_errors=True)
    rules = "".join(f"  - {{state: {kind}, if: {{majority: {kind}}}}}\n" for kind in KINDS)
    (options.work / "policy.yaml").write_text(POLICY + rules, encoding="utf-8")
    camera = {"source": "rtsp://nobody.invalid/", "policy": "policy.yaml"}
    values = {"stream": 1, "name": "memory", "models": {"kinds": model.name}}
    cameras = {f"camera-{number}": camera for number in range(CAMERAS)}
    stream = read_stream({**values, "cameras": cameras}, beside=options.work)
    ta.watch(stream, cameras=MemoryCameras(frames(options.images)))


def frames(number: int) -> Iterator[Frame]:
    """Two images a second of each camera; what they show changes every twenty seconds."""
    for taken in range(number):
        turn, camera = divmod(taken, CAMERAS)
        if taken % EVERY == 0:
            print(f"{taken:8,} images {own_mb():8.1f} MB", flush=True)
        picture = PICTURES[(turn // 40 + camera) % len(PICTURES)].copy()
        yield Frame(f"camera-{camera}", turn, 1e9 + turn * 0.5 + camera * 0.001, picture)
    print(f"{number:8,} images {own_mb():8.1f} MB")


def own_mb() -> float:
    """Memory of this process that no file stands behind."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
