"""Decode an image Parquet file once into one uint8 array, so that training never touches a codec again."""

from __future__ import annotations

import argparse
import io
import json
import logging
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

log = logging.getLogger("pretrain.decode")


def decode_chunk(blobs: tuple[bytes, ...], size: int) -> np.ndarray:
    """Decode encoded images to `uint8 (n, size, size, 3)`; images of another size are resized (bicubic)."""
    out = np.empty((len(blobs), size, size, 3), np.uint8)
    for row, blob in enumerate(blobs):
        with Image.open(io.BytesIO(blob)) as image:
            rgb = image.convert("RGB")
            out[row] = np.asarray(
                rgb if rgb.size == (size, size) else rgb.resize((size, size), Image.Resampling.BICUBIC)
            )
    return out


def read_parquet(path: Path) -> tuple[list[bytes], np.ndarray]:
    """Return the encoded images and `int64 (n,)` labels of a Hugging Face image Parquet file."""
    table = pl.read_parquet(path)
    return table["image"].struct.field("bytes").to_list(), table["label"].to_numpy().astype(np.int64)


def decode_parquet(path: Path, size: int, workers: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Decode a whole Parquet file to `uint8 (n, size, size, 3)` and `int64 (n,)` labels, in file order."""
    blobs, labels = read_parquet(path)
    with ProcessPoolExecutor(workers) as pool:
        chunks = [tuple(blobs[i : i + 512]) for i in range(0, len(blobs), 512)]
        images = np.concatenate(list(pool.map(decode_chunk, chunks, [size] * len(chunks))))
    return images, labels


def main() -> None:
    """Write `OUT/images.npy`, `OUT/labels.npy` and `OUT/source.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parquet", type=Path, help="Parquet with columns image{bytes,path} and label")
    parser.add_argument("out", type=Path, help="folder for images.npy and labels.npy")
    parser.add_argument("--size", type=int, default=64, help="edge length in pixels (default 64)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    images, labels = decode_parquet(args.parquet, args.size)
    args.out.mkdir(parents=True, exist_ok=True)
    np.save(args.out / "images.npy", images)
    np.save(args.out / "labels.npy", labels)
    (args.out / "source.json").write_text(json.dumps({"file": args.parquet.name, "n": len(labels)}) + "\n")
    log.info("%d images, %d classes -> %s", len(labels), len(np.unique(labels)), args.out)


if __name__ == "__main__":
    main()
