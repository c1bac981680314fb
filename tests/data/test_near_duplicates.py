"""What looks the same stays together, and nothing else does."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data import near_duplicates
from tellapart.data.near_duplicates import HIGHEST_THRESHOLD, LOWEST_THRESHOLD, same_object_groups
from tellapart.image.thumbnail import thumbnail
from tellapart.samples import bottles

TILES = Path(__file__).parents[3] / "shared/data/magnetic-tile"


def scene(seed: int, size: int = 96) -> Image.Image:
    """A picture of its own: coarse and fine random texture."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (n, n), np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
        )
        for n in (4, 8, 16, 32)
    ]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8)).convert("RGB")


def small(image: Image.Image) -> NDArray[np.uint8]:
    return thumbnail(np.asarray(image))


def recompressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer).convert("RGB")


VARIANTS = {
    "recompressed": recompressed,
    "resized": lambda image: image.resize((60, 60)).resize((96, 96)),
    "cropped": lambda image: image.crop((3, 2, 95, 94)),
    "brighter": lambda image: image.point(lambda value: min(255, value * 1.15)),
    "darker": lambda image: image.point(lambda value: value * 0.6),
    "turned": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "other shape": lambda image: image.resize((120, 80)),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_changed_copy_is_put_with_its_source(name: str) -> None:
    sources = [scene(seed) for seed in range(30)]
    found = same_object_groups(np.stack([small(s) for s in sources] + [small(VARIANTS[name](s)) for s in sources]))
    assert (found.groups[:30] == np.arange(30)).all(), "unrelated pictures were put together"
    assert (found.groups[30:] == np.arange(30)).mean() >= 0.95


def test_few_parts_photographed_often_are_not_torn_apart() -> None:
    photos = bottles(n_parts=12, frames_per_part=12, seed=2, mislabelled=0.0)
    pictures = np.stack([small(Image.open(io.BytesIO(photo.jpeg))) for photo in photos])
    groups = same_object_groups(pictures).groups
    parts = [photo.part for photo in photos]
    same = np.equal.outer(parts, parts)
    assert (same & np.equal.outer(groups, groups)).sum() / same.sum() >= 0.8


def test_alike_pictures_do_not_all_end_in_one_group() -> None:
    background, rng = np.asarray(scene(99)).astype(int), np.random.default_rng(0)
    noisy = [np.clip(background + rng.normal(0, 14, background.shape), 0, 255).astype(np.uint8) for _ in range(40)]
    sizes = np.bincount(same_object_groups(np.stack([small(Image.fromarray(p)) for p in noisy])).groups)
    assert sizes.max() <= 24


def test_what_looks_do_not_tell_is_marked() -> None:
    photos = bottles(n_parts=60, frames_per_part=1, height_px=192, seed=4)
    pictures = np.stack([small(Image.open(io.BytesIO(photo.jpeg))) for photo in photos])
    found = same_object_groups(pictures)
    alone = np.bincount(found.groups)[found.groups] == 1
    assert (found.undecided <= alone).all()
    assert found.undecided.sum() > 10
    assert not same_object_groups(np.stack([small(scene(seed)) for seed in range(30)])).undecided.any()


def test_frames_of_one_bottle_belong_together_despite_a_shared_background() -> None:
    photos = bottles(n_parts=40, frames_per_part=3, height_px=192, seed=5)
    pictures = np.stack([small(Image.open(io.BytesIO(photo.jpeg))) for photo in photos])
    groups = same_object_groups(pictures).groups
    parts = [photo.part for photo in photos]
    same, together = np.equal.outer(parts, parts), np.equal.outer(groups, groups)
    off_diagonal = ~np.eye(len(parts), dtype=bool)
    assert (same & together & off_diagonal).sum() / (same & off_diagonal).sum() >= 0.9
    assert (same & together & off_diagonal).sum() / (together & off_diagonal).sum() >= 0.5


def test_equal_ids_are_one_group_without_looking() -> None:
    pictures = np.stack([small(scene(seed)) for seed in (1, 2, 3)])
    assert same_object_groups(pictures, ids=["a", "b", "a"]).groups.tolist() == [0, 1, 0]


def test_the_pairs_that_justify_a_group_are_told() -> None:
    sources = [scene(seed) for seed in range(10)]
    found = same_object_groups(np.stack([small(s) for s in sources] + [small(recompressed(sources[4]))]))
    assert found.pairs.tolist() == [[4, 10]]
    assert found.similarity[0] >= found.threshold
    assert np.abs(found.offset[0]).max() < 0.02
    assert LOWEST_THRESHOLD <= found.threshold <= HIGHEST_THRESHOLD


def test_a_shift_is_found_as_offset() -> None:
    large = scene(3, 128)
    pair = [large.crop((0, 0, 112, 112)), large.crop((5, 0, 117, 112))]
    found = same_object_groups(np.stack([small(p) for p in pair] + [small(scene(seed)) for seed in range(10, 20)]))
    assert found.pairs.tolist() == [[0, 1]]
    assert found.offset[0] == pytest.approx((-5 / 112, 0), abs=0.02)


def test_groups_do_not_depend_on_the_order_of_pictures() -> None:
    sources = [scene(seed) for seed in range(20)]
    pictures = np.stack([small(s) for s in sources] + [small(VARIANTS["cropped"](s)) for s in sources])
    order = np.random.default_rng(0).permutation(len(pictures))
    plain, shuffled = same_object_groups(pictures).groups, same_object_groups(pictures[order]).groups
    np.testing.assert_array_equal(np.equal.outer(plain[order], plain[order]), np.equal.outer(shuffled, shuffled))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_pictures_are_no_error(n: int) -> None:
    pictures = np.stack([small(scene(seed)) for seed in range(3)])[:n]
    assert same_object_groups(pictures).groups.tolist() == list(range(n))


def test_even_pictures_have_nothing_to_be_compared_by() -> None:
    pictures = np.repeat(np.array([10, 128, 250], np.uint8), 64 * 64).reshape(3, 64, 64)
    assert same_object_groups(pictures).groups.tolist() == [0, 1, 2]


@pytest.mark.skipif(not TILES.exists(), reason="needs the magnetic tiles in ../shared/data")
def test_exposures_of_one_tile_are_found_by_looks() -> None:
    files = sorted(TILES.glob("*/*.jpg"))
    exposures = np.array([file.name[:4] for file in files])
    groups = same_object_groups(np.stack([small(Image.open(file).convert("RGB")) for file in files])).groups
    sizes = np.bincount(groups)
    extra = sum(n - len(set(exposures[groups == g])) for g, n in enumerate(sizes))
    assert (sizes == 1).sum() < 0.05 * len(files)
    assert (sizes == 6).sum() > 150
    assert sizes.max() <= 20
    assert extra < 0.05 * len(files)


def test_candidates_do_not_depend_on_how_many_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(0.3, 1, (200, 20)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    at_once = near_duplicates._candidates(vectors, 8)
    monkeypatch.setattr(near_duplicates, "_BLOCK_COSINES", 1)
    in_parts = near_duplicates._candidates(vectors, 8)
    assert len(at_once[0]) > 50
    assert np.array_equal(at_once, in_parts)


def test_the_nearest_are_found_in_cells_as_by_comparing_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7_000, 24)).astype(np.float32)
    vectors[6_000:] = vectors[:1_000] + rng.normal(size=(1_000, 24)).astype(np.float32) * 0.2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = near_duplicates._candidates(vectors, 4)
    monkeypatch.setattr(near_duplicates, "_MOST_COMPARED", 100)
    monkeypatch.setattr("tellapart.data.hygiene.neighbours._EXACT_IMAGES", 100)
    i, j = near_duplicates._candidates(vectors, 4)
    assert (i < j).all()
    assert (np.einsum("pd,pd->p", vectors[i], vectors[j]) > 0.599).all()
    close = np.einsum("pd,pd->p", vectors[first], vectors[second]) > 0.9
    expected = set(zip(first[close].tolist(), second[close].tolist(), strict=True))
    assert len(expected) >= 1_000
    assert len(expected - set(zip(i.tolist(), j.tolist(), strict=True))) <= 5
