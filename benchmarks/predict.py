"""How close `tellapart predict` comes to the bare work, and how far ahead of the usual loops it is.

    python benchmarks/predict.py --work /tmp/bench            # everything, about 15 minutes on two cores
    python benchmarks/predict.py --work /tmp/bench --only floor --network resnet18 --images large

Whole processes, folder of JPEGs -> answers, medians of alternating runs. The floor is the sum of three things measured
alone on all cores, each by the leanest code that does it: the bare imports, the bare decoding to the size that the
network needs (`draft`, `load`, `resize`), and the bare forward passes. Peers run the same network (same weights) in
torch: torchvision's ImageFolder + DataLoader loop, and timm's create_loader loop. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SIZES = {"one": (1, 500, 400), "small": (1000, 500, 400), "large": (200, 4000, 3000), "many": (10_000, 500, 400)}
NETWORKS = ("mobilenet_v3_small", "resnet18")


def main() -> None:
    """Make what is missing, measure, print one row per claim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for images, networks and models")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["floor", "torchvision", "timm", "memory", "cold"])
    parser.add_argument("--network", choices=NETWORKS)
    parser.add_argument("--images", choices=["small", "large"])
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "NETWORK", "IMAGES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, network, images = options.child
        CHILDREN[what](options.work, network, images)
        return
    prepare(options.work, many=options.only in (None, "memory"))
    print(describe_machine())
    networks = [options.network] if options.network else NETWORKS
    images = [options.images] if options.images else ["small", "large"]
    if options.only in (None, "cold"):
        cold(options.work, options.runs)
    for network in networks:
        for kind in images:
            if options.only in (None, "floor"):
                against_floor(options.work, network, kind, options.runs)
    if options.only in (None, "torchvision"):
        against_peer(options.work, "torchvision", "resnet18", "large", min(options.runs, 3))
    if options.only in (None, "timm"):
        against_peer(options.work, "timm", "mobilenet_v3_small", "small", min(options.runs, 3))
        against_peer(options.work, "timm", "mobilenet_v3_small", "large", min(options.runs, 3))
    if options.only in (None, "memory"):
        memory(options.work)


# What is measured


def cold(work: Path, runs: int) -> None:
    """One image, from nothing: against the time of the three imports that nobody can avoid."""
    bare = [sys.executable, "-c", "import numpy, onnxruntime, PIL.Image"]
    ours = tellapart(work, "mobilenet_v3_small", "one")
    seconds = alternate({"imports": bare, "tellapart": ours}, max(runs, 9))
    row(
        "one image, cold", "mobilenet_v3_small", seconds["tellapart"], seconds["imports"], "bare imports", "at most 1.8"
    )


def against_floor(work: Path, network: str, images: str, runs: int) -> None:
    """tellapart's whole process against imports + decode + forward, each alone."""
    parts: dict[str, list[float]] = {"imports": [], "decode": [], "decode+resize": [], "forward": [], "whole": []}
    for _ in range(runs):
        parts["imports"].append(whole([sys.executable, "-c", "import numpy, onnxruntime, PIL.Image"]))
        parts["decode"].append(reported(work, "decode", network, images))
        parts["decode+resize"].append(reported(work, "resize", network, images))
        parts["forward"].append(reported(work, "forward", network, images))
        parts["whole"].append(whole(tellapart(work, network, images)))
    middle = {name: statistics.median(values) for name, values in parts.items()}
    print(f"{network}, {images}: " + ", ".join(f"{name} {value:.2f} s" for name, value in middle.items()))
    aim = "at most 1.2" if images == "large" or network == "resnet18" else "at most 1.4"
    for name in ("decode", "decode+resize"):
        floors = [i + d + f for i, d, f in zip(parts["imports"], parts[name], parts["forward"], strict=True)]
        row(f"{images} folder -> JSON", network, parts["whole"], floors, f"floor (imports + {name} + forward)", aim)


def against_peer(work: Path, peer: str, network: str, images: str, runs: int) -> None:
    """The usual loop, whole process, against ours, whole process, on the same files and weights."""
    theirs = [sys.executable, str(HERE / "predict.py"), "--work", str(work), "--child", peer, network, images]
    seconds = alternate({peer: theirs, "tellapart": tellapart(work, network, images)}, runs)
    aim = "at least 4" if network == "resnet18" else "at least 8"
    row(f"{peer} loop, {images}", network, seconds[peer], seconds["tellapart"], "tellapart", aim)


def memory(work: Path) -> None:
    """Peak memory of the process: 1,000 and 10,000 images, and 12-megapixel ones."""
    for network, kinds in (("mobilenet_v3_small", ("small", "many", "large")), ("resnet18", ("small", "large"))):
        peaks = (f"{SIZES[k][0]:,} {k} {peak_mib(tellapart(work, network, k)):.0f} MiB" for k in kinds)
        print(f"peak memory, {network}: {', '.join(peaks)}", flush=True)


# How it is measured


def alternate(commands: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    """Wall seconds of whole processes, A B A B …, after one uncounted run of each."""
    for command in commands.values():
        whole(command)
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seconds[name].append(whole(command))
    return seconds


def whole(command: list[str]) -> float:
    """Wall seconds of a process from start to end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=quiet_environment())
    return time.perf_counter() - start


def reported(work: Path, what: str, network: str, images: str) -> float:
    """Seconds that a child measures around its own loop, imports and preparation left out."""
    command = [sys.executable, str(HERE / "predict.py"), "--work", str(work), "--child", what, network, images]
    return float(subprocess.run(command, check=True, capture_output=True, env=quiet_environment()).stdout)


def peak_mib(command: list[str]) -> float:
    """Largest resident set of a process."""
    pid = os.posix_spawn(
        command[0], command, quiet_environment(), file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)]
    )
    return os.wait4(pid, 0)[2].ru_maxrss / 1024


def row(what: str, network: str, upper: list[float], lower: list[float], against: str, aim: str) -> None:
    """Print the median of pairwise ratios with both medians."""
    ratios = sorted(a / b for a, b in zip(upper, lower, strict=True))
    medians = statistics.median(upper), statistics.median(lower)
    print(
        f"  {what:24} {network:20} {medians[0]:7.2f} s / {medians[1]:7.2f} s {against}: "
        f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}), aim {aim}",
        flush=True,
    )


def tellapart(work: Path, network: str, images: str) -> list[str]:
    """The command a user types."""
    return [
        str(Path(sys.executable).with_name("tellapart")),
        "predict",
        str(work / f"model-{network}"),
        str(work / images),
        "--json",
    ]


def quiet_environment() -> dict[str, str]:
    """The same for every process, without colours and progress."""
    return {**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}


def describe_machine() -> str:
    """Versions and machine, printed above every figure."""
    import onnxruntime
    import PIL

    libraries = f"numpy {np.__version__}, onnxruntime {onnxruntime.__version__}, Pillow {PIL.__version__}"
    names = f"python {platform.python_version()}, {libraries}"
    cores = len(os.sched_getaffinity(0))
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "?")
    return f"{names}; {cores} cores {model}, {platform.system()}"


# The bare work


def child_decode(work: Path, _network: str, images: str) -> None:
    """Decode alone: at the reduced scale that the size allows, nothing else."""
    timed(work, images, lambda path: _decoded(path))


def child_resize(work: Path, _network: str, images: str) -> None:
    """Decode and shrink to the network's input."""
    timed(work, images, lambda path: _resized(path))


def child_forward(work: Path, network: str, images: str) -> None:
    """Forward passes alone: batches of 8 on pixels that are there already, one thread per core."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(work / f"{network}.onnx", options, providers=["CPUExecutionProvider"])
    batch = np.random.default_rng(0).integers(0, 255, (8, 224, 224, 3), np.uint8)
    batches = -(-SIZES[images][0] // 8)
    on_all_cores([lambda: session.run(["embedding"], {"image": batch})] * 8)
    start = time.perf_counter()
    on_all_cores([lambda: session.run(["embedding"], {"image": batch})] * batches)
    print(time.perf_counter() - start)


def timed(work: Path, images: str, one: Callable[[Path], object]) -> None:
    """Seconds to do one thing to each file, on all cores."""
    files = sorted((work / images).iterdir())
    one(files[0])
    start = time.perf_counter()
    on_all_cores([lambda path=path: one(path) for path in files])  # type: ignore[misc]
    print(time.perf_counter() - start)


def on_all_cores(calls: list[Callable[[], object]]) -> None:
    """Run calls on as many threads as there are cores."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()


def _decoded(path: Path) -> object:
    from PIL import Image

    image = Image.open(path)
    scale = 224 / max(image.size)
    image.draft("RGB", (round(image.width * scale), round(image.height * scale)))
    image.load()
    return image


def _resized(path: Path) -> np.ndarray:
    from PIL import Image

    image = _decoded(path)
    assert isinstance(image, Image.Image)
    scale = 224 / max(image.size)
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    return np.asarray(small)


# The peers


def child_torchvision(work: Path, network: str, images: str) -> None:
    """The loop of torchvision's examples: ImageFolder, Resize(256), CenterCrop(224), DataLoader with a process per core."""
    import torch
    from networks import torch_network

    from tellapart.backbones.torch_libraries import load_torchvision

    load_torchvision(extra="timm", feature="the benchmark")
    from torchvision import datasets, transforms

    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
    steps.append(transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    data = datasets.ImageFolder(work / f"classes-{images}", transforms.Compose(steps))
    loader = torch.utils.data.DataLoader(data, batch_size=32, num_workers=len(os.sched_getaffinity(0)))
    _torch_loop(torch_network(network), loader)


def child_timm(work: Path, network: str, images: str) -> None:
    """The loop of timm's inference.py: create_dataset, create_loader with the model's own data configuration."""
    from networks import torch_network

    from tellapart.backbones.torch_libraries import load_timm

    load_timm(extra="timm", feature="the benchmark")
    from timm.data import create_dataset, create_loader, resolve_data_config

    model = torch_network(network)
    config = resolve_data_config({}, model=model)
    data = create_dataset(name="", root=str(work / f"classes-{images}"))
    loader = create_loader(
        data,
        input_size=config["input_size"],
        batch_size=32,
        use_prefetcher=False,
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        num_workers=len(os.sched_getaffinity(0)),
        crop_pct=config["crop_pct"],
    )
    _torch_loop(model, loader)


def _torch_loop(model, loader) -> None:  # type: ignore[no-untyped-def]  torch is an extra
    import torch

    model.eval()
    with torch.inference_mode():
        answers = [model(batch[0]).softmax(-1).tolist() for batch in loader]
    json.dump([row for batch in answers for row in batch], sys.stdout)


# Images, networks and models to measure with


def prepare(work: Path, *, many: bool) -> None:
    """Make JPEG folders, ONNX networks with random weights, and model folders around them."""
    work.mkdir(parents=True, exist_ok=True)
    for name in ("one", "small", "large", *(["many"] if many else [])):
        if not (work / name).exists():
            write_jpegs(work / name, *SIZES[name])
    for name in ("small", "large"):
        inside = work / f"classes-{name}" / "images"
        if not inside.exists():
            inside.parent.mkdir(exist_ok=True)
            inside.symlink_to((work / name).resolve(), target_is_directory=True)
    for network in NETWORKS:
        if not (work / f"{network}.onnx").exists():
            import networks

            getattr(networks, network)(work / f"{network}.onnx")
        if not (work / f"model-{network}").exists():
            make_model(work, network)


def write_jpegs(folder: Path, count: int, width: int, height: int) -> None:
    """JPEGs of natural statistics (amplitude falling as 1/frequency), quality 90; 20 pictures, each file its own bytes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    folder.mkdir()
    pictures = [Image.fromarray(_natural(rng, width, height)) for _ in range(min(count, 20 if width < 1000 else 5))]
    for i in range(count):
        comment = f"file {i}".encode()
        pictures[i % len(pictures)].save(folder / f"{i:05d}.jpg", quality=90, comment=comment)


def _natural(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    amplitude = 1 / np.maximum(np.hypot(fy, fx), 1 / max(width, height))
    channels = []
    for _ in range(3):
        noise = np.fft.irfft2(amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape)), s=(height, width))
        channels.append(noise / noise.std())
    shared = np.stack([0.9 * channels[0] + 0.3 * c for c in channels], -1)
    return np.clip(128 + 50 * shared, 0, 255).astype(np.uint8)


def make_model(work: Path, network: str) -> None:
    """A model folder around the network, trained on a few of the files (what it says does not matter here)."""
    import tellapart as ta

    files = sorted((work / "small").iterdir())[:60]
    samples = [ta.Sample(str(path), labels=(("good", "bad")[i % 2],)) for i, path in enumerate(files)]
    ta.train(ta.Dataset.from_samples(samples), backbone=str(work / f"{network}.onnx"), cache_dir=None).save(
        work / f"model-{network}"
    )


CHILDREN = {
    "decode": child_decode,
    "resize": child_resize,
    "forward": child_forward,
    "torchvision": child_torchvision,
    "timm": child_timm,
}

if __name__ == "__main__":
    main()
