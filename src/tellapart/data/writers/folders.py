"""Class folders: `root/<class>/…`, with split folders above them when the data have splits."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from tellapart.data.containers import read_bytes, split_row
from tellapart.data.dataset import Dataset
from tellapart.data.files import IMAGE_SUFFIXES, skipped_name, suffix_of
from tellapart.data.split_names import normalise_split
from tellapart.data.writers.images import folder_free, location, plain_name, put
from tellapart.data.writers.protocol import WriteOptions, WriteReport
from tellapart.data.writers.rows import lost_fields, refuse_multilabel
from tellapart.errors import DataError, ImageError, Reason
from tellapart.image.types import DecodeLimits
from tellapart.records import Refusal, Sample


class FoldersWriter:
    """Unlabelled images lie beside the class folders. Copies; with `copy=False` symbolic links, where possible."""

    name = "folders"
    carries = frozenset({"unlabelled", "split"})

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """Files are called as before; names that would meet get a number."""
        folder_free(path, options.overwrite)
        refuse_multilabel(dataset, self.carries, self.name)
        split_level = all(sample.split is not None for sample in dataset.samples)
        refusals: list[Refusal] = []
        taken: set[str] = set()
        for sample in dataset.samples:
            try:
                folder = _folder(sample, split_level)
                target = _place(sample, dataset, path, folder, options, taken)
                taken.add(target)
            except (ImageError, DataError) as exc:
                if exc.reason is Reason.WRITE_FAILED:
                    raise
                refusals.append(Refusal.of(sample.uri, exc))
        carries = self.carries if split_level else self.carries - {"split"}
        lost = lost_fields(dataset.samples, carries)
        return WriteReport(path, len(taken), lost, tuple(refusals))


def _folder(sample: Sample, split_level: bool) -> str:
    """Class folder below the target; DataError bad_row for names that cannot be one."""
    label = (sample.labels or ("",))[0]
    unfit = "/" in label or "\\" in label or "\0" in label or skipped_name(label) or len(label.encode()) > 200
    if unfit and label:
        raise DataError(Reason.BAD_ROW, f"the label {label!r} cannot be a folder's name; rename it with a label map")
    if not split_level and normalise_split(label):
        message = f"the label {label!r} would be read as a split; rename it with a label map, or assign splits"
        raise DataError(Reason.BAD_ROW, message)
    return "/".join(step for step in (sample.split if split_level else "", label) if step)


def _place(
    sample: Sample, dataset: Dataset, path: Path, folder: str, options: WriteOptions, taken: set[str]
) -> str:  # fmt: skip
    link = not options.copy and split_row(sample.uri) is None
    data = b"" if link else read_bytes(sample.uri, root=dataset.root, limits=DecodeLimits())
    name = PurePosixPath(plain_name(sample.uri, data)).name
    if skipped_name(name) or suffix_of(name) not in IMAGE_SUFFIXES:
        name = f"image-{name}.img" if skipped_name(name) else name
    target = _free_name(f"{folder}/{name}" if folder else name, taken)
    if not link:
        put(path / target, data, options.overwrite)
        return target
    try:
        (path / target).parent.mkdir(parents=True, exist_ok=True)
        if options.overwrite:
            (path / target).unlink(missing_ok=True)
        os.symlink(location(sample.uri, dataset.root), path / target)
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path / target} could not be linked ({exc}); write copies") from exc
    return target


def _free_name(target: str, taken: set[str]) -> str:
    if target not in taken:
        return target
    stem, suffix = os.path.splitext(target)
    number = 2
    while f"{stem}-{number}{suffix}" in taken:
        number += 1
    return f"{stem}-{number}{suffix}"
