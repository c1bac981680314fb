"""The int8 form of an exported backbone, calibrated on images of a folder that `decode.py` wrote."""

from __future__ import annotations

import argparse
import hashlib
import logging
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.quantize import quantize
from tellapart.image.preprocess import PreprocessSpec

log = logging.getLogger("pretrain.quantize")


def main() -> None:
    """Quantise, print size and checksum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backbone", type=Path)
    parser.add_argument("images", type=Path, help="folder with images.npy")
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, default=300, help="images to calibrate on")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    backbone = OnnxBackbone.open(args.backbone)
    height, width = PreprocessSpec.parse(backbone.default_spec).size
    images = np.load(args.images / "images.npy", mmap_mode="r")
    rows = np.sort(np.random.default_rng(0).choice(len(images), args.n, replace=False))
    pixels = [
        np.asarray(Image.fromarray(images[row]).resize((width, height), Image.Resampling.BILINEAR)) for row in rows
    ]
    data = quantize(backbone, np.stack(pixels)).data
    args.out.write_bytes(data)
    log.info("%s: %d bytes, sha256 %s", args.out.name, len(data), hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
