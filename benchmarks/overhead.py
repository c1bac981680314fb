"""What `tellapart watch` costs around the model: a folder of JPEGs watched, against `tellapart predict` over the same files.

    python benchmarks/overhead.py --work /tmp/overhead                       # 640x480 and 1920x1080
    python benchmarks/overhead.py --work /tmp/overhead --images 300 --runs 3

Both are whole processes as users start them, in turn, with their lines read as they come; both use all cores. Watching
decides by a policy on every image and writes journal, recording and health file as it always does; its time ends with the
line that decides on the last image. Files count as settled after 0.05 s here: the wait for that (0.5 s unless told otherwise)
is once per file, beside the work, and no part of it. `--plain` keeps nothing (`record: null`). Ratios are medians of the runs'
ratios: by the clock with the start of the processes, from the first answer to the last (a stream runs for months), and in
time of cores. At most 1.10 is what is asked for.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.cameras import KINDS, POLICY, machine, row
from tests.streams.videos import numbered, write_jpegs

SIZES = {"640x480": (640, 480), "1920x1080": (1920, 1080)}


def main() -> None:
    """Make what is missing, measure in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for images, the model and the stream")
    parser.add_argument("--images", type=int, default=2000, help="of the small size; a quarter of it of the large one")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--size", choices=[*SIZES], help="one of them alone")
    parser.add_argument("--plain", action="store_true", help="watch without a recording")
    options = parser.parse_args()
    print(machine())
    model = prepare_model(options.work)
    for size in [options.size] if options.size else [*SIZES]:
        number = options.images if size == "640x480" else max(1, options.images // 4)
        images = prepare_images(options.work, size, number)
        stream = write_stream(options.work, images, keep=not options.plain)
        predict = [*tellapart("predict"), str(model), str(images), "--json"]
        watch = [*tellapart("watch"), str(stream), "--json", "--all"]
        seconds = []
        for turn in range(-1, options.runs):  # the first one fills the caches of files and does not count
            shutil.rmtree(stream.with_suffix(".watch"), ignore_errors=True)
            both = timed(predict, number, "classifierResults"), timed(watch, number, '"decision"')
            seconds += [both] if turn >= 0 else []
        report(f"{number:,} images of {size}", seconds, number)


def tellapart(command: str) -> list[str]:
    """As a process."""
    return [sys.executable, "-m", "tellapart", command]


def prepare_model(work: Path) -> Path:
    """A model of three kinds of pictures, on the built-in backbone."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "model").exists():
        for kind, name in enumerate(KINDS):
            write_jpegs(work / "photos" / name, [numbered(n, 640, 360, kind=kind) for n in range(100, 140)])
        run = [*tellapart("train"), str(work / "photos"), "-o", str(work / "model")]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    return work / "model"


def prepare_images(work: Path, size: str, number: int) -> Path:
    """So many JPEGs of a size; no two neighbours are alike."""
    folder = work / f"{size}-{number}"
    if not folder.exists():
        shown = (numbered(n % 256, *SIZES[size], kind=n // 20 % 3) for n in range(number))
        write_jpegs(folder, shown)
    return folder


def write_stream(work: Path, images: Path, *, keep: bool) -> Path:
    """One camera that is a folder, looked at whole."""
    rules = "".join(f"  - {{state: {kind}, if: {{majority: {kind}}}}}\n" for kind in KINDS)
    (work / "policy.yaml").write_text(POLICY + rules, encoding="utf-8")
    folder = {"source": str(images), "policy": "policy.yaml", "sample": {"every": True}, "settled_s": 0.05}
    values = {"stream": 1, "name": "overhead", "models": {"kinds": "model"}, "cameras": {"folder": folder}}
    stream = work / "overhead.yaml"
    stream.write_text(json.dumps(values if keep else {**values, "record": None}, indent=1), encoding="utf-8")
    return stream


def timed(command: list[str], number: int, mark: str) -> tuple[float, float, float]:
    """Seconds from the start of the process to its last answer, when it is ended; from its first answer on; seconds of cores
    to its very end."""
    began_s, before_s = time.perf_counter(), processor_s()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    seen, first_s, took_s = 0, 0.0, 0.0
    for line in process.stdout:
        seen += mark in line
        first_s = first_s or (time.perf_counter() - began_s if seen else 0.0)
        if seen == number and not took_s:
            took_s = time.perf_counter() - began_s
            process.send_signal(signal.SIGINT)
    process.wait()
    if seen < number:
        sys.exit(f"{' '.join(command)} answered {seen} of {number} images")
    return took_s, took_s - first_s, processor_s() - before_s


def processor_s() -> float:
    """Of all processes that ended so far, with those that they started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(what: str, runs: Sequence[tuple[tuple[float, ...], tuple[float, ...]]], number: int) -> None:
    """Medians, and the ratios with their spread; other programs disturb the time of cores less."""
    print(f"\n{what}, {len(runs)} runs in turn\n")
    for which, name in enumerate(("by the clock", "first to last answer", "time of cores")):
        predict, watch = (statistics.median(run[which] for run in one) for one in zip(*runs, strict=True))
        ratios = sorted(watched[which] / predicted[which] for predicted, watched in runs)
        row(f"{name}: predict", f"{predict:.2f} s ({1000 * predict / number:.1f} ms an image)")
        row(f"{name}: watch", f"{watch:.2f} s ({1000 * watch / number:.1f} ms an image)")
        row(f"{name}: ratio", f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
