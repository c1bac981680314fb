"""How long `tellapart check` takes, and how much memory, on 10,000, 30,000 and 100,000 images: whole processes.

    python -m benchmarks.check_scale --cifar DATA --work FOLDER [--sizes 10000,30000,100000] [--skip augmentations]

The images are those of CIFAR-10, also mirrored and upside down, in ten classes. "first" reads and embeds every image that no
smaller size had, "again" finds the embeddings in the cache: what the checks themselves take.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

WAYS = (None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180)


@dataclass(frozen=True)
class Run:
    """One process: seconds on the clock and of the processor, the most memory so far in MB, and its verdict."""

    seconds: float
    processor: float
    memory: float
    verdict: str


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", default="10000,30000,100000")
    parser.add_argument("--skip", action="append", default=[])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(
        "| images | first | again | processor time, again | memory | |\n| --- | --- | --- | --- | --- | --- |",
        flush=True,
    )
    for n in sorted(map(int, options.sizes.split(","))):
        data = options.work / f"images-{n}.parquet"
        write(options.cifar, n, data)
        first, again = (check(data, options.work, options.skip) for _ in range(2))
        times = f"{first.seconds:.0f} s | {again.seconds:.0f} s | {again.processor:.0f} s"
        print(f"| {n:,} | {times} | {again.memory:,.0f} MB | {again.verdict} |", flush=True)


def write(cifar: Path, n: int, path: Path) -> None:
    """The first n images as one Parquet file; those of a smaller n are among those of a larger one."""
    rows = [row for row, _ in zip(images(cifar), range(n), strict=False)]
    columns = {"image": [{"bytes": data, "path": f"{i:06}.jpg"} for i, (data, _) in enumerate(rows)]}
    pl.DataFrame({**columns, "label": [label for _, label in rows]}).write_parquet(path)


def images(cifar: Path) -> Iterator[tuple[bytes, str]]:
    """Image and label, in every way."""
    parts = [pl.read_parquet(cifar / f"cifar10-{name}.parquet") for name in ("train", "test")]
    # The training images are sorted by class, so that a part of them must be drawn from all.
    table = pl.concat([part.select("image", "label") for part in parts]).sample(fraction=1, shuffle=True, seed=0)
    for way in WAYS:
        for image, label in table.iter_rows():
            yield (image["bytes"] if way is None else turned(image["bytes"], way)), f"class {label}"


def turned(data: bytes, way: Image.Transpose) -> bytes:
    """A mirrored or turned JPEG."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.transpose(way).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def check(data: Path, work: Path, skip: list[str]) -> Run:
    """One `tellapart check` with all checks but those to skip."""
    command = [sys.executable, "-m", "tellapart", "check", str(data), "--json", "--fail-on", "never"]
    command += [word for name in skip for word in ("--skip", name)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "XDG_CACHE_HOME": str(work / "cache")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, processor, after.ru_maxrss / 1024, json.loads(done.stdout)["verdict"])


if __name__ == "__main__":
    main()
