"""Which pictures that went wrong `picture_quality` finds: 40 of 2,000 at a time, spoilt in one way.

    python -m benchmarks.picture_faults --data cifar10-train.parquet

Blur is Gaussian, its standard deviation given as a share of the image's long side.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.picture_quality import find
from tellapart.data.hygiene.protocol import Evidence
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.quality import statistics
from tellapart.workflows.check_evidence import Means, gather
from tellapart.workflows.progress import silent

N, N_SPOILT = 2_000, 40
Pixels = NDArray[np.uint8]


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    dataset = Dataset.read(parser.parse_args().data)
    rng = np.random.default_rng(0)
    chosen = dataset.subset(np.sort(rng.choice(len(dataset), min(N, len(dataset)), replace=False)))
    clean = gather(chosen, frozenset(), Means("builtin"), silent).evidence
    print(f"| fault | found of {N_SPOILT} | others named |\n| --- | --- | --- |")
    for name, spoil in FAULTS.items():
        rows = rng.choice(len(clean), N_SPOILT, replace=False)
        named = {row for finding in find(spoilt(clean, rows.tolist(), spoil)) for row in finding.rows}
        print(f"| {name} | {len(named & set(rows.tolist()))} | {len(named - set(rows.tolist()))} |")


def spoilt(clean: Evidence, rows: list[int], spoil: Callable[[Pixels], NDArray[np.floating]]) -> Evidence:
    """The same evidence, with statistics of these images as they would be after the fault."""
    spec = PreprocessSpec.parse("decode|upright|squash(224)")
    after = clean.statistics.copy()
    for row in rows:
        picture = spec.load(clean.dataset.bytes_of(row), clean.dataset.samples[row].roi)
        pixels = np.clip(spoil(picture.pixels), 0, 255).astype(np.uint8)
        after[row] = statistics(replace(picture, pixels=pixels)).to_array()
    return replace(clean, statistics=after)


def blurred(share: float) -> Callable[[Pixels], NDArray[np.floating]]:
    """Out of focus."""

    def blur(pixels: Pixels) -> NDArray[np.floating]:
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(share * max(pixels.shape)))).astype(
            float
        )

    return blur


FAULTS: dict[str, Callable[[Pixels], NDArray[np.floating]]] = {
    "a sixteenth of the light": lambda pixels: pixels / 16,
    "a quarter of the light": lambda pixels: pixels / 4,
    "overexposed: a twentieth of the way below white": lambda pixels: 255 - (255.0 - pixels) / 20,
    "a twelfth of the contrast": lambda pixels: pixels.mean() + (pixels - pixels.mean()) / 12,
    "blur of 4 %": blurred(0.04),
    "blur of 6 %": blurred(0.06),
    "blur of 8 %": blurred(0.08),
}


if __name__ == "__main__":
    main()
