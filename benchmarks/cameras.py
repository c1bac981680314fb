"""Many cameras on one machine: images dropped, lag from capture to decision, time of cores and memory of `tellapart watch`.

    python benchmarks/cameras.py --work /tmp/cameras                     # 16 cameras, ten minutes
    python benchmarks/cameras.py --work /tmp/cameras --minutes 1 --cameras 4 --mjpeg 1

One RTSP server delivers H.264 (640x360, 10 a second) for most cameras, an HTTP server MJPEG for the others; `watch` takes two
images a second of each, decides by a majority of three with a model on the built-in backbone, and writes its journal,
recording and health file as it always does. It runs as a user runs it: `tellapart watch --json --all`. The lag is measured
from outside: from the capture of an image to the arrival of the printed line that decides on it. Memory is the PSS of the
whole process tree, read once a second. The servers and the measuring itself run on the same cores and are told apart.
Needs Linux and the Debian packages that CONTRIBUTING.md names.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.streams.processes import family, taken
from tests.streams.servers import HttpServer, RtspServer, what_is_missing
from tests.streams.videos import numbered, write_jpegs, write_video

KINDS = ("blue", "green", "red")
POLICY = """\
policy: 1
name: majority of three
states: {blue: null, green: null, red: null, unclear: null}
fallback: unclear
window: {last: 3}
rules:
"""


@dataclass
class Measured:
    """What was seen from outside, by seconds since the start."""

    lags: list[tuple[float, float]] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    cores: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Time of cores by process: when the figures begin to count, and at last."""
    health: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)


def main() -> None:
    """Serve, watch, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures, the model and the stream")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cameras", type=int, default=16, help="in all")
    parser.add_argument("--mjpeg", type=int, default=3, help="so many of them are MJPEG")
    parser.add_argument("--camera-fps", type=float, default=10.0)
    parser.add_argument("--sample-fps", type=float, default=2.0)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 360), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds before figures count")
    options = parser.parse_args()
    if missing := what_is_missing():
        sys.exit(f"needs {missing}: see CONTRIBUTING.md")
    print(machine())
    video, files = prepare(options.work, *options.size, fps=options.camera_fps)
    n_rtsp = options.cameras - options.mjpeg
    names = [f"cam{number:02}" for number in range(options.cameras)]
    videos = {name: {"video": str(video), "fps": options.camera_fps} for name in names[:n_rtsp]}
    folders = {name: {"folder": str(files), "fps": options.camera_fps} for name in names[n_rtsp:]}
    with RtspServer(videos) as rtsp, HttpServer(folders) as http:
        addresses = {name: rtsp.url(name) for name in videos} | {name: http.mjpeg(name) for name in folders}
        stream = write_stream(options.work, addresses, options.sample_fps)
        before = [taken(server.pid).cpu_s for server in (rtsp, http)]
        measured, code = watched(stream, options.minutes * 60, options.warm_up)
        servers = sum(taken(server.pid).cpu_s for server in (rtsp, http)) - sum(before)
    report(measured, options, code, servers)


def prepare(work: Path, width: int, height: int, *, fps: float) -> tuple[Path, Path]:
    """The video, the same pictures as files, and a model of the three kinds of pictures in them."""
    work.mkdir(parents=True, exist_ok=True)
    shown = [numbered(number, width, height, kind=number // 20 % 3) for number in range(60)]
    video = write_video(work / f"{width}x{height}.h264", shown, fps=fps, whole_every=round(fps))
    files = write_jpegs(work / f"{width}x{height}", shown)
    if not (work / "model").exists():
        for kind, name in enumerate(KINDS):
            write_jpegs(work / "photos" / name, [numbered(n, width, height, kind=kind) for n in range(100, 140)])
        run = [sys.executable, "-m", "tellapart", "train", str(work / "photos"), "-o", str(work / "model")]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    return video, files


def write_stream(work: Path, addresses: dict[str, str], sample_fps: float) -> Path:
    """The stream file; what an earlier run kept is deleted."""
    shutil.rmtree(work / "cameras.watch", ignore_errors=True)
    rules = "".join(f"  - {{state: {kind}, if: {{majority: {kind}}}}}\n" for kind in KINDS)
    (work / "policy.yaml").write_text(POLICY + rules, encoding="utf-8")
    cameras = {
        name: {"source": address, "policy": "policy.yaml", "sample": {"fps": sample_fps}}
        for name, address in addresses.items()
    }
    values = {"stream": 1, "name": "cameras", "models": {"kinds": "model"}, "cameras": cameras}
    (work / "cameras.yaml").write_text(json.dumps(values, indent=1), encoding="utf-8")
    return work / "cameras.yaml"


def watched(stream: Path, seconds: float, warm_up_s: float) -> tuple[Measured, int]:
    """Run `tellapart watch` for so long and look at it; its exit code."""
    command = [sys.executable, "-m", "tellapart", "watch", str(stream), "--json", "--all"]
    began_s = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    measured = Measured()
    listening = threading.Thread(target=listen, args=(process, measured, began_s))
    listening.start()
    while (now_s := time.monotonic() - began_s) < seconds and process.poll() is None:
        look(process.pid, stream.with_suffix(".watch") / "health.json", now_s, measured, counts=now_s >= warm_up_s)
        time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    stopping_s = time.monotonic()
    code = process.wait(60)
    listening.join()
    print(f"stopped in {time.monotonic() - stopping_s:.1f} s with exit code {code}")
    return measured, code


def listen(process: subprocess.Popen[str], measured: Measured, began_s: float) -> None:
    """Take the time of each line as it arrives."""
    assert process.stdout is not None
    for line in process.stdout:
        arrived_s = time.time()
        value = json.loads(line)
        if "decision" in value:
            measured.lags.append((time.monotonic() - began_s, arrived_s - seconds_of(value["decision"]["at"])))
        elif "camera" in value:
            measured.changes.append(value["camera"])


def seconds_of(at: Any) -> float:
    """Since 1970, of a figure or of a date."""
    if isinstance(at, int | float):
        return float(at)
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()


def look(pid: int, health: Path, now_s: float, measured: Measured, *, counts: bool) -> None:
    """Read what the processes take, and the health file."""
    measured.memory.append((now_s, taken(pid).pss_bytes))
    for one in family(pid):
        cpu_s = taken(one, children=False).cpu_s
        first, last = measured.cores.get(one, (0.0 if counts else cpu_s, 0.0))
        measured.cores[one] = (first if counts else cpu_s, max(last, cpu_s))
    if health.exists():
        measured.health.append((now_s, json.loads(health.read_text(encoding="utf-8"))))


def report(measured: Measured, options: argparse.Namespace, code: int, servers_cpu_s: float) -> None:
    """The table."""
    warm, seconds = options.warm_up, measured.memory[-1][0]
    counted = [lag for at_s, lag in measured.lags if at_s >= warm]
    first = next((health for at_s, health in measured.health if at_s >= warm), measured.health[0][1])
    last, span_s = measured.health[-1][1], seconds - warm
    watch_pid = min(measured.cores)
    used = {pid: last_s - first_s for pid, (first_s, last_s) in measured.cores.items()}
    children = sum(value for pid, value in used.items() if pid != watch_pid)
    kinds = f"{options.cameras - options.mjpeg} RTSP and {options.mjpeg} MJPEG cameras"
    print(
        f"\n{kinds}, {options.size[0]}x{options.size[1]} at {options.camera_fps:g} fps, {options.sample_fps:g} looked at"
    )
    print(f"{seconds / 60:.1f} minutes, of which {span_s / 60:.1f} count (after {warm:g} s)\n")
    row("images decided", f"{len(counted):,} ({len(counted) / span_s:.1f} a second)")
    expected = options.cameras * options.sample_fps
    row("images expected", f"{expected * span_s:,.0f} ({expected:.1f} a second)")
    row(
        "dropped",
        f"{total(last, 'dropped') - total(first, 'dropped'):,} (in all, start included: {total(last, 'dropped'):,})",
    )
    row("reconnected", f"{total(last, 'reconnects'):,}")
    row("cameras live at the end", f"{sum(one['state'] == 'live' for one in last['cameras'])}")
    lags = np.array(counted) if counted else np.array([np.nan])
    row("lag p50 / p99 / longest", " / ".join(f"{one:.3f} s" for one in (*np.quantile(lags, (0.5, 0.99)), lags.max())))
    row("cores: watch", f"{used[watch_pid] / span_s:.2f}")
    row("cores: capture", f"{children / span_s:.2f}")
    row("cores: servers of this test", f"{servers_cpu_s / seconds:.2f}")
    memory(measured, warm)
    row("exit code", str(code))


def total(health: dict[str, Any], what: str) -> int:
    """Over all cameras."""
    return sum(int(one[what]) for one in health["cameras"])


def memory(measured: Measured, warm_s: float) -> None:
    """At the start, at the end, and the slope between, by least squares."""
    kept = np.array([(at_s, value / 2**20) for at_s, value in measured.memory if at_s >= warm_s])
    edge = max(1, min(30, len(kept) // 4))
    first, last = kept[:edge, 1].mean(), kept[-edge:, 1].mean()
    slope = np.polyfit(kept[:, 0], kept[:, 1], 1)[0] * 60
    row("memory at the start / end", f"{first:,.0f} MiB / {last:,.0f} MiB (PSS of all processes, means of {edge} s)")
    row("its slope", f"{slope:+.2f} MiB a minute")


def row(name: str, value: str) -> None:
    """One line of the table."""
    print(f"  {name:<28} {value}")


def machine() -> str:
    """Versions and machine."""
    import onnxruntime
    from cv2 import __version__ as opencv

    from tellapart import __version__

    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "?")
    libraries = f"OpenCV {opencv}, onnxruntime {onnxruntime.__version__}"
    names = f"tellapart {__version__}, python {platform.python_version()}, {libraries}"
    return f"{names}; {len(os.sched_getaffinity(0))} cores {model}, {platform.system()}"


if __name__ == "__main__":
    main()
