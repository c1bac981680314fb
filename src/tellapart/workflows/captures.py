"""What cameras wrote into the files, as facts of the data set: checks then see by which camera and when a label was taken."""

from __future__ import annotations

from pathlib import Path

from tellapart.data.containers import split_row
from tellapart.data.dataset import Dataset
from tellapart.data.readers.rows import parse_captured_at
from tellapart.image.capture import HEAD_BYTES, NOTHING, Capture, capture

_CAMERA = "camera"


def with_captures(dataset: Dataset) -> Dataset:
    """The data set with a metadata column `camera` and times of capture from the files' EXIF, where it has none of its own.

    JPEG files only, and none that lie in containers: those come from exports, which strip such tags.
    """
    has_camera, has_times = _CAMERA in dataset.metadata_keys, dataset.table["captured_at"].null_count() < len(dataset)
    if has_camera and has_times:
        return dataset
    seen = [_of_file(uri, dataset.root) for uri in dataset.uris]
    if not has_camera and any(one.camera for one in seen):
        dataset = dataset.with_metadata(_CAMERA, [one.camera for one in seen])
    if not has_times and any(one.taken for one in seen):
        dataset = dataset.with_captured_at([parse_captured_at(one.taken) for one in seen])
    return dataset


def _of_file(uri: str, root: Path | None) -> Capture:
    if split_row(uri) is not None:
        return NOTHING
    try:
        with (Path(uri) if root is None else root / uri).open("rb") as file:
            return capture(file.read(HEAD_BYTES))
    except OSError:
        return NOTHING
