"""What the default split puts together: groups on the magnetic tiles, planted near-duplicates and time on CIFAR-10.

    python benchmarks/near_duplicates.py --tiles DATA/magnetic-tile --cifar DATA/cifar10-train.parquet --picture groups.png

The names of the tiles' files begin with their exposure (exp1 … exp6). No product code reads them; here they serve as a
check: a tile is taken once per exposure, so two pictures of one exposure in a group are, as a rule, an error.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.near_duplicates import NearDuplicates, same_object_groups
from tellapart.image.thumbnail import thumbnail
from tellapart.samples import bottles

PLANTED = ("resized", "recompressed", "cropped to 95 %", "15 % brighter", "turned by 2°")


def main() -> None:
    """Print figures, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if options.tiles:
        tiles(options.tiles, options.picture)
    if options.cifar:
        cifar(options.cifar)
    frames()


def tiles(folder: Path, picture: Path | None) -> None:
    """Sizes of the groups, and how many pictures share a group with one of their own exposure."""
    files = sorted(folder.glob("*/*.jpg"))
    found, seconds = timed(thumbnails([file.read_bytes() for file in files]))
    sizes = np.bincount(found.groups)
    exposures = np.array([file.name[:4] for file in files])
    extra = sum(n - len(set(exposures[found.groups == g])) for g, n in enumerate(sizes))
    alone = int((sizes == 1).sum())
    print(f"tiles: {len(files)} pictures, {len(sizes)} groups in {seconds:.2f} s, threshold {found.threshold:.2f}")
    print(f"  groups by size: {dict(enumerate(np.bincount(sizes)[1:].tolist(), 1))}")
    print(
        f"  {1 - alone / len(files):.1%} of the pictures found a partner; {extra} share a group with their own exposure"
    )
    if picture:
        contact_sheet(files, found.groups).save(picture)
        print(f"  ten groups: {picture}")


def cifar(parquet: Path) -> None:
    """Planted near-duplicates found again, groups of two classes (errors), and time by number of pictures."""
    import polars as pl

    table = pl.read_parquet(parquet)
    data, labels = table["image"].struct.field("bytes").to_list(), table["label"].to_numpy()
    small = thumbnails(data)
    for n in (5_000, 10_000, 20_000):
        found, seconds = timed(small[:n])
        sizes = np.bincount(found.groups)
        mixed = sum(len(set(labels[:n][found.groups == g])) > 1 for g in np.flatnonzero(sizes > 1))
        print(f"CIFAR-10: {n} pictures in {seconds:.1f} s, {(sizes > 1).sum()} groups, {mixed} of them of two classes")
    rng = np.random.default_rng(0)
    chosen = rng.choice(5_000, 300, replace=False)
    copies = [plant(Image.open(io.BytesIO(data[i])), PLANTED[k % len(PLANTED)]) for k, i in enumerate(chosen)]
    before = same_object_groups(small[:5_000]).groups
    found, _ = timed(np.concatenate([small[:5_000], np.stack([thumbnail(np.asarray(copy)) for copy in copies])]))
    hit = np.array([found.groups[5_000 + k] == found.groups[i] for k, i in enumerate(chosen)])
    for k, kind in enumerate(PLANTED):
        print(f"  planted, {kind}: recall {hit[k :: len(PLANTED)].mean():.3f}")
    # A copy put with anything but its source (or what was with the source already) is wrong.
    wrong = sum(
        any(j < 5_000 and before[j] != before[i] for j in np.flatnonzero(found.groups == found.groups[5_000 + k]))
        for k, i in enumerate(chosen)
    )
    print(f"  planted, all: recall {hit.mean():.3f}, precision {hit.sum() / max(1, hit.sum() + wrong):.3f}")


def frames() -> None:
    """Generated bottles: frames of one bottle against other bottles before the same background."""
    photos = bottles()
    found, _ = timed(thumbnails([photo.jpeg for photo in photos]))
    parts = [photo.part for photo in photos]
    others = ~np.eye(len(parts), dtype=bool)
    same, together = np.equal.outer(parts, parts) & others, np.equal.outer(found.groups, found.groups) & others
    print(f"bottles: {len(parts)} photos of {len(set(parts))} bottles, threshold {found.threshold:.2f}")
    recall, precision = (same & together).sum() / same.sum(), (same & together).sum() / together.sum()
    print(f"  pairs of frames of one bottle: recall {recall:.3f}, precision {precision:.3f}")


def plant(image: Image.Image, kind: str) -> Image.Image:
    """A near-duplicate of a 32-pixel picture."""
    image = image.convert("RGB")
    if kind == "resized":
        return image.resize((24, 24), Image.Resampling.BILINEAR).resize((32, 32), Image.Resampling.BILINEAR)
    if kind == "recompressed":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=60)
        return Image.open(buffer).convert("RGB")
    if kind == "cropped to 95 %":
        return image.crop((1, 1, 32, 31)).resize((32, 32), Image.Resampling.BILINEAR)
    if kind == "15 % brighter":
        return image.point(lambda value: min(255, value * 1.15))
    return image.rotate(2, Image.Resampling.BILINEAR)


def thumbnails(files: list[bytes]) -> NDArray[np.uint8]:
    """Thumbnails of encoded pictures."""
    return np.stack([thumbnail(np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))) for data in files])


def timed(small: NDArray[np.uint8]) -> tuple[NearDuplicates, float]:
    """Groups and seconds."""
    start = time.perf_counter()
    return same_object_groups(small), time.perf_counter() - start


def contact_sheet(files: list[Path], groups: NDArray[np.int64], rows: int = 10, side: int = 120) -> Image.Image:
    """Ten random groups of four or more pictures, a row each."""
    sizes = np.bincount(groups)
    chosen = np.random.default_rng(1).permutation(np.flatnonzero(sizes >= 4))[:rows]
    sheet = Image.new("RGB", (8 * side, rows * side), "white")
    for y, group in enumerate(chosen):
        for x, i in enumerate(np.flatnonzero(groups == group)[:8]):
            with Image.open(files[i]) as image:
                small = image.convert("RGB")
            small.thumbnail((side - 4, side - 4))
            sheet.paste(small, (x * side, y * side))
    return sheet


if __name__ == "__main__":
    main()
