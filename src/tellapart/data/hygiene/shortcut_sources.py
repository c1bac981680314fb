"""What a label might be told from without looking at what is shown: light, size, border, format, folder, time, columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.containers import split_row
from tellapart.data.hygiene.label_variants import meaning
from tellapart.data.hygiene.protocol import Evidence, Float32
from tellapart.data.split_names import normalise_split
from tellapart.image.quality import FIELDS

# Columns with more values name images or parts, and values with fewer images tell nothing.
_MOST_VALUES, _FEWEST_IMAGES = 20, 20
_LEVELS = np.array([0.01, 0.03, *np.arange(1, 16) / 16, 0.97, 0.99])
# The border is a ring one sixteenth of the image wide, in blocks as long as it is wide.
_BLOCKS = 16
_GREYS_EVERY_PX = 4
_KNOWN_TIMES = 0.9
_LABEL_WORDS = ("label", "class", "category", "target")


@dataclass(frozen=True, slots=True)
class Source:
    """Features float32 (n, d) of one kind: `name` as the subject of a sentence, and what to do when they tell a label.

    `of_pixels`: measured on what the image shows.
    """

    name: str
    remedy: str
    features: Float32
    of_pixels: bool = False


def sources(evidence: Evidence) -> Iterator[Source]:
    """All there are in this data; those that are the same for every image are left out."""
    for source in (_light(evidence), _size(evidence), _border(evidence), *_facts(evidence)):
        if source.features.shape[1]:
            yield source


def _light(evidence: Evidence) -> Source:
    facts = _statistics(evidence)
    greys = np.sort(evidence.thumbnails[:, ::_GREYS_EVERY_PX, ::_GREYS_EVERY_PX].reshape(len(evidence), -1), axis=1)
    spread = greys.shape[1] // 50
    darkest, brightest = greys[:, spread], greys[:, -1 - spread]
    values: list[NDArray[Any]] = [facts["brightness"], facts["contrast"], darkest, brightest]
    return Source(
        "the light (brightness, contrast, darkest and brightest grey)",
        "photograph all classes in the same light, or each in many, unless their looks differ so by nature",
        _joined([in_bins(one) for one in values]),
        of_pixels=True,
    )


def _size(evidence: Evidence) -> Source:
    facts = _statistics(evidence)
    width, height = np.maximum(facts["width_px"], 1), np.maximum(facts["height_px"], 1)
    return Source(
        "the size of the image",
        "cut and export all classes alike, unless their sizes differ by nature",
        _joined([in_bins(one) for one in (width, height, width * height, width / height)]),
    )


def _border(evidence: Evidence) -> Source:
    ring = _ring(evidence.thumbnails)
    return Source(
        "the border of the image",
        "photograph all classes before the same backgrounds, or cut closer, unless what lies around belongs to them",
        _joined([ring, in_bins(ring.mean(axis=1)), in_bins(ring.std(axis=1))]),
        of_pixels=True,
    )


def _facts(evidence: Evidence) -> Iterator[Source]:
    """What is known of the files and was never on the image."""
    remedy = "take images of every class under each of its values: else a model may learn what differs between those"
    dataset = evidence.dataset
    if (formats := _formats(dataset.uris)) is not None:
        same = "export all classes in one format and quality: traces of compression can be learned"
        yield Source("the file format", same, in_values(formats))
    for level, values in _folders(evidence):
        yield Source(f"the folder (level {level})", remedy, in_values(values))
    yield Source(
        "the time of capture",
        "take images of every class in each session, not one class after the other",
        _times(evidence),
    )
    for key in dataset.metadata_keys:
        column = [value or "" for value in dataset.metadata(key)]
        features = in_values(column)
        if features.shape[1] and key != "folder" and not _names_label(evidence, key, column):
            yield Source(f"the column {key!r}", remedy, features)


def in_bins(values: NDArray[Any]) -> Float32:
    """0/1 (n, d): by quantiles, and a bin of its own for each value that many images share; no column for a constant."""
    edges = np.unique(np.quantile(values, _LEVELS))
    places = np.searchsorted(edges, values, "left") + np.searchsorted(edges, values, "right")
    return _one_hot(places)


def in_values(values: Sequence[str]) -> Float32:
    """0/1 (n, d): a column for each value that enough images have; none where there are too many values or one alone."""
    counts = Counter(values)
    kept = {value: i for i, (value, n) in enumerate(sorted(counts.items())) if n >= _FEWEST_IMAGES}
    if not kept or len(counts) < 2 or len(kept) > _MOST_VALUES:
        return np.zeros((len(values), 0), np.float32)
    return _one_hot(np.array([kept.get(value, -1) for value in values]))


def _one_hot(codes: NDArray[np.int64]) -> Float32:
    kinds, places = np.unique(codes, return_inverse=True)
    if len(kinds) < 2:
        return np.zeros((len(codes), 0), np.float32)
    return np.eye(len(kinds), dtype=np.float32)[places.reshape(-1)]


def _joined(parts: Sequence[Float32]) -> Float32:
    return np.concatenate(parts, axis=1)


def _statistics(evidence: Evidence) -> dict[str, Float32]:
    return dict(zip(FIELDS, evidence.statistics.T, strict=True))


def _ring(thumbnails: NDArray[np.uint8]) -> Float32:
    """Mean grey (n, 64), 0–1, of blocks along the four sides."""
    n, side = thumbnails.shape[:2]
    step = max(1, side // _BLOCKS)
    rows = [thumbnails[:, :step], thumbnails[:, -step:]]
    columns = [thumbnails[:, :, :step].swapaxes(1, 2), thumbnails[:, :, -step:].swapaxes(1, 2)]
    blocks = [
        part[:, :, : side // step * step].reshape(n, step, side // step, step).mean(axis=(1, 3), dtype=np.float32)
        for part in (*rows, *columns)
    ]
    return _joined(blocks) / np.float32(255)


def _formats(uris: Sequence[str]) -> list[str] | None:
    """Suffixes; None where images are no files of their own."""
    if any(map(split_row, uris)):
        return None
    suffixes = [PurePosixPath(uri).suffix.lower() for uri in uris]
    return [".jpg" if suffix in (".jpeg", ".jpe") else suffix for suffix in suffixes]


def _folders(evidence: Evidence) -> Iterator[tuple[int, list[str]]]:
    """Folder levels of the paths, from 1 at the root, but for those that name the label or the split."""
    uris = evidence.dataset.uris
    if any(map(split_row, uris)):
        return
    paths = [uri.split("/")[:-1] for uri in uris]
    levels = [[path[i] if i < len(path) else "" for path in paths] for i in range(max(map(len, paths), default=0))]
    by_name = [_names_label(evidence, "", level) for level in levels]
    for i, level in enumerate(levels):
        is_label = by_name[i] or (not any(by_name) and _decides(evidence, level))
        if not is_label and not all(normalise_split(value) for value in set(level)):
            yield i + 1, level


def _names_label(evidence: Evidence, key: str, values: Sequence[str]) -> bool:
    """Whether a column is the label in other words: by its name, or because values are names of labels."""
    named = {meaning(name) for name in evidence.schema.names}
    by_name = any(word in key.casefold() for word in _LABEL_WORDS)
    return by_name or any(meaning(value) in named for value in set(values))


def _decides(evidence: Evidence, values: Sequence[str]) -> bool:
    """Whether there are several folders and each holds one label only: class folders that a label map renamed."""
    pairs = set(zip(values, (row.tobytes() for row in evidence.labels), strict=True))
    return len(pairs) == len({value for value, _ in pairs}) > 2


def _times(evidence: Evidence) -> Float32:
    """Bins of the moment and of the hour; none where too many are unknown."""
    moments = evidence.dataset.table["captured_at"]
    known = moments.is_not_null().to_numpy()
    if known.mean() < _KNOWN_TIMES:
        return np.zeros((len(evidence), 0), np.float32)
    seconds = moments.dt.epoch("s").fill_null(0).to_numpy().astype(np.float64)
    return _joined([in_bins(seconds), in_bins(seconds // 3600 % 24)])
