"""CIFAR-10 with faults planted in it, and the truth about each: what `benchmarks/hygiene.py` judges the checks by.

    python benchmarks/planted.py --cifar DATA/cifar10-train.parquet --output FOLDER [--images 20000] [--seed 0]

Writes FOLDER/train.parquet (image, label) and FOLDER/truth.csv, one line per row of it. In this order:

- A shortcut: nine in ten images of one class, chosen by the seed, are brightened.
- Copies of images, each of another one: 1.5 % exact and 1.5 % near-duplicates (300 of each for 20,000 images; resized,
  recompressed, cropped to 95 %, brighter or darker, turned, in equal parts). One in five has another label than its source.
- Labels: of the images that are no copies and have none, 5 % of all get any other label, 5 % that of a similar class.

The rows are shuffled. The same images and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from tellapart.data.readers.parquet import class_names

FLIPPED, COPIED, ELSEWHERE, BRIGHTENED = 0.05, 0.015, 0.2, 0.9
_PAIRS = (("airplane", "ship"), ("automobile", "truck"), ("cat", "dog"), ("deer", "horse"))
SIMILAR: Mapping[str, str] = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
"""Classes that people confuse, and with which."""


@dataclass(frozen=True)
class Row:
    """An image as it is planted. `label` is what the data say, `truth` what is on it.

    `fault` is "" or one of any_label, similar_label, exact, or a key of `NEAR`; `source` the number of the image in the
    clean data that it is (a copy of).
    """

    data: bytes
    label: str
    truth: str
    source: int
    fault: str = ""
    bright: bool = False

    @property
    def is_copy(self) -> bool:
        """Whether the same picture is there once more."""
        return self.fault == "exact" or self.fault in NEAR


def main() -> None:
    """Write the data and the truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = plant(read_clean(options.cifar, options.images), options.seed)
    write(rows, options.output)
    print(f"{options.output}: {len(rows):,} images; {in_words(rows)}")


def read_clean(parquet: Path, n: int) -> list[Row]:
    """The first n images in equal parts by class, none of them at fault."""
    table = pl.read_parquet(parquet)
    names = class_names(parquet)["label"]
    table = table.with_row_index("row").filter(pl.int_range(pl.len()).over("label") < n // len(names))
    wanted = table.select("row", pl.col("image").struct.field("bytes"), "label").iter_rows()
    return [Row(data, names[label], names[label], row) for row, data, label in wanted]


def plant(clean: Sequence[Row], seed: int) -> list[Row]:
    """All faults, in shuffled order."""
    rng = np.random.default_rng(seed)
    rows = _brightened(clean, rng)
    order = rng.permutation(len(rows))
    n_copies, n_flipped = round(COPIED * len(rows)), round(FLIPPED * len(rows))
    sources, others = order[: 2 * n_copies], order[2 * n_copies :]
    names = sorted({row.truth for row in rows})
    copies = _copies([rows[i] for i in sources], names, rng)
    similar = [i for i in others if rows[i].truth in SIMILAR][:n_flipped]
    for i in similar:
        rows[i] = replace(rows[i], label=SIMILAR[rows[i].truth], fault="similar_label")
    for i in [i for i in others if not rows[i].fault][:n_flipped]:
        rows[i] = replace(rows[i], label=_another(rows[i].truth, names, rng), fault="any_label")
    planted = [*rows, *copies]
    return [planted[i] for i in rng.permutation(len(planted))]


def _brightened(clean: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """One class under a brighter lamp, most of the time."""
    chosen = rng.choice(sorted({row.truth for row in clean}))
    lit = rng.random(len(clean)) < BRIGHTENED
    return [
        replace(row, data=_edited(row.data, _under_a_lamp), bright=True) if row.truth == chosen and on else row
        for row, on in zip(clean, lit, strict=True)
    ]


def _copies(sources: Sequence[Row], names: Sequence[str], rng: np.random.Generator) -> list[Row]:
    """Half exact and half near-duplicates, some under another label."""
    kinds, half = list(NEAR), len(sources) // 2
    copies = []
    for i, row in enumerate(sources):
        kind = "exact" if i < half else kinds[i % len(kinds)]
        data = row.data if kind == "exact" else _edited(row.data, lambda image, k=kind: NEAR[k](image, rng))  # type: ignore[misc]
        # By the number and not by chance, so that every kind has as many.
        elsewhere = (i // len(kinds)) % round(1 / ELSEWHERE) == 0
        copies.append(
            replace(row, data=data, fault=kind, label=_another(row.truth, names, rng) if elsewhere else row.label)
        )
    return copies


def _another(label: str, names: Sequence[str], rng: np.random.Generator) -> str:
    return str(rng.choice([name for name in names if name != label]))


def _under_a_lamp(image: Image.Image) -> Image.Image:
    return image.point(lambda value: 255 - 0.6 * (255 - value))


def _resized(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = int(rng.choice([24, 28, 40, 48, 64]))
    return image.resize((side, side), Image.Resampling.BILINEAR)


def _recompressed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return Image.open(io.BytesIO(_jpeg(image, int(rng.integers(50, 81))))).convert("RGB")


def _cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    (width, height), (x, y) = image.size, rng.random(2)
    left, top = 0.05 * width * x, 0.05 * height * y
    box = (left, top, left + 0.95 * width, top + 0.95 * height)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=box)


def _exposed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    factor = rng.uniform(1.1, 1.2) if rng.random() < 0.5 else rng.uniform(0.8, 0.9)
    return image.point(lambda value: min(255, value * factor))


def _turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.rotate(rng.choice([-1, 1]) * rng.uniform(1, 3), Image.Resampling.BILINEAR)


NEAR: Mapping[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "resized": _resized,
    "recompressed": _recompressed,
    "cropped": _cropped,
    "exposed": _exposed,
    "turned": _turned,
}
"""What makes a near-duplicate of an image."""


def _edited(data: bytes, edit: Callable[[Image.Image], Image.Image]) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return _jpeg(edit(image.convert("RGB")), 95)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write(rows: Sequence[Row], folder: Path) -> Path:
    """`train.parquet` with images and labels, `truth.csv` with all the rest; returns the former."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": row.data, "path": f"{i:05}.jpg"} for i, row in enumerate(rows)]
    table = pl.DataFrame({"image": images, "label": [row.label for row in rows]})
    table.write_parquet(folder / "train.parquet")
    columns = [field.name for field in fields(Row) if field.name != "data"]
    with open(folder / "truth.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, ["row", *columns], extrasaction="ignore")
        out.writeheader()
        out.writerows({"row": i, **asdict(row)} for i, row in enumerate(rows))
    return folder / "train.parquet"


def in_words(rows: Sequence[Row]) -> str:
    """`1,000 any_label, 300 exact, …, 1,800 bright truck`."""
    kinds = ["any_label", "similar_label", "exact", *NEAR]
    counts = [f"{sum(row.fault == kind for row in rows):,} {kind}" for kind in kinds]
    elsewhere = sum(row.is_copy and row.label != row.truth for row in rows)
    bright = [row.truth for row in rows if row.bright]
    return ", ".join(
        [*counts, f"{elsewhere:,} of the copies under another label", f"{len(bright):,} bright {bright[0]}"]
    )


if __name__ == "__main__":
    main()
