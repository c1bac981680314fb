"""What augmentation costs: µs per image for every preset, and beside torchvision v2 and timm doing the same.

    OMP_NUM_THREADS=1 python -m benchmarks.augmentation [--sides 32,128,224,640] [--seconds 0.2]

One thread, its own time on the processor, which others that are at work on the machine do not change. The images are
decoded pictures of `side` × `side` px; the result is what a network of `side` px sees (the spec `fit(side)`, for torchvision
and timm their own crop and resize), uint8. The second table takes one operation at a time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.backbones.torch_libraries import load_timm
from tellapart.image.preprocess import default_spec
from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.presets import PRESETS, resolved
from tellapart.training.augmentation.transforms import make_pipeline

load_timm()

import torch  # noqa: E402
from timm.data import create_transform  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

Pixels = NDArray[np.uint8]
Way = Callable[[Pixels, int], object]
_N_IMAGES = 8


def main() -> None:
    """Print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", default="32,128,224,640")
    parser.add_argument("--seconds", type=float, default=0.2, help="For each figure.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sides = [int(side) for side in options.sides.split(",")]
    photos = {side: [photo(side, seed) for seed in range(_N_IMAGES)] for side in sides}
    for title, ways in (("µs per image", presets), ("operation", operations)):
        print(f"| {title} | " + " | ".join(f"{side} px" for side in sides) + " |")
        print("| --- |" + " --: |" * len(sides))
        columns = [
            {name: cost(way, photos[side], options.seconds) for name, way in ways(side).items()} for side in sides
        ]
        for name in columns[0]:
            print(f"| {name} | " + " | ".join(f"{column[name]:,.0f}" for column in columns) + " |", flush=True)
        print()


def photo(side: int, seed: int) -> Pixels:
    """Smooth colours with some grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    grain = rng.integers(-8, 9, (side, side, 3))
    return np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)


def cost(way: Way, images: list[Pixels], seconds: float) -> float:
    """Median of the µs per image of whole passes, after one that does not count."""
    passes: list[float] = []
    end = time.thread_time() + seconds
    while time.thread_time() < end or len(passes) < 3:
        start = time.thread_time()
        for seed, pixels in enumerate(images):
            way(pixels, len(passes) * 1000 + seed)
        passes.append((time.thread_time() - start) / len(images) * 1e6)
    return statistics.median(passes[1:])


def presets(side: int) -> Mapping[str, Way]:
    """Each preset, and others' pipelines of the same operations."""
    spec = default_spec(side)
    ours = {name: make_pipeline(Augmentation(preset=preset.preset), spec) for name, preset in PRESETS.items()}
    return {
        **{f"`{name}`": way for name, way in ours.items()},
        "torchvision v2 on tensors, as `standard`": on_tensors(standard(side)),
        "torchvision v2 on Pillow images, as `standard`": on_images(standard(side)),
        "timm `create_transform`, as `standard`": timm_like(side, "standard"),
        "torchvision v2 on tensors, as `strong`": on_tensors(strong(side)),
        "timm `create_transform`, as `strong`": timm_like(side, "strong"),
    }


def standard(side: int) -> list[object]:
    """The operations of the preset by the names of torchvision; its crop also changes the aspect."""
    full = resolved(Augmentation(preset="standard"))
    jitter = v2.ColorJitter(full.brightness, full.brightness, full.saturation, full.hue)
    return [
        v2.RandomHorizontalFlip(full.horizontal_flip),
        v2.RandomRotation(full.rotation_degrees, v2.InterpolationMode.BILINEAR),
        v2.RandomResizedCrop(side, (full.crop, 1.0), antialias=True),
        jitter,
    ]


def strong(side: int) -> list[object]:
    """Flip, crop, jitter and RandAugment."""
    full = resolved(Augmentation(preset="strong"))
    return [
        v2.RandomHorizontalFlip(full.horizontal_flip),
        v2.RandomResizedCrop(side, (full.crop, 1.0), antialias=True),
        v2.ColorJitter(full.brightness, full.brightness, full.saturation, full.hue),
        v2.RandAugment(interpolation=v2.InterpolationMode.BILINEAR),
    ]


def on_tensors(steps: list[object]) -> Way:
    """uint8 (3, h, w) in and out, with erasing."""
    transform = v2.Compose([*steps, v2.RandomErasing(0.1, (0.02, 0.2))])
    return lambda pixels, _: transform(torch.from_numpy(pixels).permute(2, 0, 1))


def on_images(steps: list[object]) -> Way:
    """Pillow in between; erasing takes a tensor."""
    transform = v2.Compose([*steps, v2.PILToTensor(), v2.RandomErasing(0.1, (0.02, 0.2))])
    return lambda pixels, _: transform(Image.fromarray(pixels))


def timm_like(side: int, preset: str) -> Way:
    """timm's own training transform without normalisation (`use_prefetcher` leaves that to its loader)."""
    full = resolved(Augmentation.model_validate({"preset": preset}))
    transform = create_transform(
        side,
        is_training=True,
        use_prefetcher=True,
        scale=(full.crop, 1.0),
        hflip=full.horizontal_flip,
        color_jitter=None if preset == "strong" else (full.brightness, full.brightness, full.saturation, full.hue),
        auto_augment="rand-m9-n2-mstd0.5" if preset == "strong" else None,
        interpolation="bilinear",
    )
    return lambda pixels, _: transform(Image.fromarray(pixels))


def operations(side: int) -> Mapping[str, Way]:
    """One operation alone, ours and torchvision's."""
    spec = default_spec(side)

    def ours(**fields: object) -> Way:
        return make_pipeline(Augmentation.model_validate({"preset": "none", **fields}), spec)

    def theirs(transform: object) -> Way:
        return on_tensors_alone(transform)

    colours = (0.2, 0.2, 0.2, 0.02)
    return {
        "nothing, to the network's pixels": ours(),
        "flip": ours(horizontal_flip=1),
        "torchvision: flip": theirs(v2.RandomHorizontalFlip(1.0)),
        "quarter turns": ours(quarter_turns=True),
        "turn by up to 10°": ours(rotation_degrees=10),
        "torchvision: turn by up to 10°": theirs(v2.RandomRotation(10, v2.InterpolationMode.BILINEAR)),
        "crop": ours(crop=0.6),
        "torchvision: crop": theirs(v2.RandomResizedCrop(side, (0.6, 1.0), antialias=True)),
        "brightness, contrast, saturation and hue": ours(brightness=0.2, saturation=0.2, hue=0.02),
        "torchvision: the same four": theirs(v2.ColorJitter(*colours)),
        "torchvision: the three without hue": theirs(v2.ColorJitter(*colours[:3])),
        "blur": ours(blur=1),
        "torchvision: blur": theirs(v2.GaussianBlur(2 * -(-6 * side // 224) + 1, (0.1 * side / 224, 2 * side / 224))),
        "erasing": ours(erasing=1),
        "torchvision: erasing": theirs(v2.RandomErasing(1.0, (0.02, 0.2))),
        "RandAugment": ours(automatic="rand"),
        "torchvision: RandAugment": theirs(v2.RandAugment(interpolation=v2.InterpolationMode.BILINEAR)),
        "TrivialAugment": ours(automatic="trivial"),
        "torchvision: TrivialAugment": theirs(v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR)),
    }


def on_tensors_alone(transform: Callable[[torch.Tensor], object]) -> Way:
    """One of torchvision's on uint8 (3, h, w)."""
    return lambda pixels, _: transform(torch.from_numpy(pixels).permute(2, 0, 1))


if __name__ == "__main__":
    main()
