"""What int8 costs and gives: size, time, how alike the embeddings are, and what a head on them gets right.

    python benchmarks/quantize.py --backbone builtin --cifar DATA               # about 4 minutes on two cores
    python benchmarks/quantize.py --backbone net.onnx --cifar DATA --size 64 --only minmax

`--backbone` is what `train --backbone` takes; `--cifar` is the folder of cifar10-train.parquet and cifar10-test.parquet. Each
form is calibrated on training images. `head kept` is the head fitted on float embeddings, reading int8 ones; `fitted again`
is what `tellapart model quantize` does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol
from unittest import mock

import numpy as np
import onnxruntime as ort
import onnxruntime.quantization as tool
from numpy.typing import NDArray

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.quantize import Quantized, quantize
from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.evaluation.compare import compare
from tellapart.evaluation.scored import Scored, score
from tellapart.heads.aims import Aim
from tellapart.image.preprocess import PreprocessSpec
from tellapart.records import LabelSchema
from tellapart.training.linear_probe import Probe, ProbeOptions, linear_probe

SIZES, BATCHES = (64, 128, 224), (1, 32)


@dataclass(frozen=True)
class Images:
    """Pixels uint8 (n, h, w, 3) with labels 0/1 (n, k)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    schema: LabelSchema

    @classmethod
    def read(cls, path: Path, spec: PreprocessSpec, n: int) -> Images:
        """`n` images of a data set, the same each time."""
        data = Dataset.read(path)
        rows = np.random.default_rng(0).permutation(len(data))[:n]
        pixels = np.stack([spec.apply(data.bytes_of(int(row))) for row in rows])
        return cls(pixels, data.label_matrix(data.schema)[rows], data.schema)

    @property
    def columns(self) -> NDArray[np.int64]:
        """True columns."""
        return self.labels.argmax(axis=1)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="builtin")
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--size", type=int, help="pixels per side  [default: what the backbone was made for]")
    parser.add_argument("--train", type=int, default=5000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--calibration", type=int, default=200)
    parser.add_argument("--only", nargs="*", help=f"of: {', '.join(forms(np.empty(0)))}")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the minmax form")
    parser.add_argument("--speed-only", action="store_true", help="for networks with random weights")
    options = parser.parse_args()
    network = load_backbone(options.backbone)
    spec = PreprocessSpec.parse(f"decode|upright|fit({options.size})" if options.size else network.default_spec)
    train, test = (
        Images.read(options.cifar / f"cifar10-{name}.parquet", spec, n)
        for name, n in (("train", options.train), ("test", options.test))
    )
    print(f"{network.name}, {spec}, {len(train.pixels):,} training and {len(test.pixels):,} test images of CIFAR-10\n")
    makers = forms(train.pixels[: options.calibration])
    made = {name: make(network) for name, make in makers.items() if not options.only or name in options.only}
    sizes = {"float": len(network.onnx_bytes()), **{name: len(one.data) for name, one in made.items()}}
    print(", ".join(f"{name} {n_bytes / 1e6:.2f} MB" for name, n_bytes in sizes.items()), "\n")
    if options.save:
        options.save.write_bytes(made["minmax"].data)
    if not options.speed_only:
        quality(network, made, train, test)
    speed(network, {name: one for name, one in made.items() if name in ("minmax", "8-bit weights")} or made)


def forms(images: NDArray[np.uint8]) -> dict[str, Callable[[OnnxBackbone], Quantized]]:
    """How int8 can be made."""
    return {
        "minmax": partial(quantize, images=images),
        "percentile": partial(quantize, images=images, method="percentile"),
        "entropy": partial(quantize, images=images, method="entropy"),
        "first in float": partial(quantize, images=images, keep_float=["first"]),
        "last in float": partial(quantize, images=images, keep_float=["last"]),
        "8-bit weights": partial(otherwise, images, reduce_range=False),
        "unsigned weights": partial(otherwise, images, reduce_range=False, weight_type=tool.QuantType.QUInt8),
        "one scale a layer": partial(otherwise, images, per_channel=False),
    }


def otherwise(images: NDArray[np.uint8], network: OnnxBackbone, **changes: object) -> Quantized:
    """As `quantize` does not do it."""
    with mock.patch.object(tool, "quantize_static", partial(overruled, tool.quantize_static, changes)):
        return quantize(network, images)


def overruled(function: Callable[..., None], changes: dict[str, object], *arguments: object, **options: object) -> None:
    """Call with other options."""
    function(*arguments, **{**options, **changes})


def quality(network: OnnxBackbone, made: dict[str, Quantized], train: Images, test: Images) -> None:
    """Embeddings and heads."""
    print("| form | MB | cosine, mean | cosine, least | accuracy | against float | unknown | head kept | unknown |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    seen = [embed(network, part.pixels) for part in (train, test)]
    base = fitted(seen[0], train)
    first = scored(base, seen[1], test)
    print(
        f"| float | {len(network.onnx_bytes()) / 1e6:.2f} | | | {accuracy(first):.4f} | | {unknown(base, seen[1])} | | |"
    )
    for name, one in made.items():
        form = OnnxBackbone.open(one.data)
        found = [embed(form, part.pixels) for part in (train, test)]
        probe = fitted(found[0], train)
        second = scored(probe, found[1], test)
        difference = compare(first, second, metric="accuracy").difference
        alike = (found[1] * seen[1]).sum(1) / np.linalg.norm(found[1], axis=1) / np.linalg.norm(seen[1], axis=1)
        kept = scored(base, found[1], test)
        print(
            f"| {name} | {len(one.data) / 1e6:.2f} | {alike.mean():.4f} | {alike.min():.4f} | {accuracy(second):.4f} | "
            f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}) | {unknown(probe, found[1])} | "
            f"{accuracy(kept):.4f} | {unknown(base, found[1])} |",
            flush=True,
        )


def embed(network: OnnxBackbone, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings float32 (n, d)."""
    return np.concatenate([network.run(pixels[i : i + 32]).embedding for i in range(0, len(pixels), 32)])


def fitted(embeddings: NDArray[np.float32], images: Images) -> Probe:
    """The head that `train` fits, answering the likeliest label."""
    options = ProbeOptions(Aim.parse("argmax"))
    return linear_probe(embeddings, images.labels, np.arange(len(embeddings)), images.schema, options)


def scored(probe: Probe, embeddings: NDArray[np.float32], images: Images) -> Scored:
    """Its answers beside the truth."""
    return score(probe.head.probabilities(embeddings), images.columns, images.schema)


def accuracy(found: Scored) -> float:
    """Share of right answers."""
    return float((found.predicted == found.actual).mean())


def unknown(probe: Probe, embeddings: NDArray[np.float32]) -> str:
    """Share of images unlike the training."""
    return f"{(probe.ood.score(embeddings) >= 1).mean():.1%}"


def speed(network: OnnxBackbone, made: dict[str, Quantized]) -> None:
    """Milliseconds per image in one thread, medians of runs in turn."""
    networks = {"float": network, **{name: OnnxBackbone.open(one.data) for name, one in made.items()}}
    runners: dict[str, Runner] = {"plain loop": Plain(network.onnx_bytes()), **networks}
    print(
        "\n| pixels | batch |"
        + "".join(f" {name}, ms |" for name in runners)
        + " float / plain | float / first of int8 |"
    )
    print("| --- | --- |" + " --- |" * (len(runners) + 2))
    rng = np.random.default_rng(0)
    for size in SIZES:
        for batch in BATCHES:
            pixels = rng.integers(0, 256, (batch, size, size, 3), np.uint8)
            found = medians(list(runners.values()), pixels)
            ratios = f" {found[1] / found[0]:.2f} | {found[1] / found[2]:.2f} |"
            print(f"| {size} | {batch} |" + "".join(f" {ms:.2f} |" for ms in found) + ratios, flush=True)


class Runner(Protocol):
    """Anything that takes pixels."""

    def run(self, pixels: NDArray[np.uint8], /) -> object:
        """One batch."""


class Plain:
    """ONNX Runtime as its own documentation starts, with one thread, over the same file: the floor of `run`."""

    def __init__(self, data: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def run(self, pixels: NDArray[np.uint8]) -> object:
        """All outputs."""
        return self.session.run(None, {"image": pixels})


def medians(networks: list[Runner], pixels: NDArray[np.uint8], rounds: int = 21) -> list[float]:
    """One median for each network."""
    taken: list[list[float]] = [[] for _ in networks]
    for _ in range(rounds):
        for network, times in zip(networks, taken, strict=True):
            started = time.perf_counter()
            network.run(pixels)
            times.append((time.perf_counter() - started) * 1000 / len(pixels))
    return [float(np.median(times[1:])) for times in taken]


if __name__ == "__main__":
    main()
