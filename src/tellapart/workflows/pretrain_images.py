"""The images of a pre-training: read once, kept as pixels in the folder of the run until it is over.

job/pixels.bin, .npy   the decoded images
job/images.json        what was asked, which images they are and which were refused; written last
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tellapart.classifier.cores import available_cores
from tellapart.data.containers import content_id, read_bytes
from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError, Reason, SettingsError, TrainingError
from tellapart.files import replacing
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.shrink import shrunk
from tellapart.image.types import DecodeLimits, RgbImage
from tellapart.records import Refusal, Sample
from tellapart.training.finetune.pixels import PixelStore, PixelWriter
from tellapart.workflows.progress import Progress

_INDEX = "images.json"
_NOT_COMPARED = ("loaders",)  # changes nothing of what is learned


@dataclass(frozen=True, slots=True)
class Collected:
    """`rows` of the data set that could be read, in the order of the pixels; `fingerprint` is a sha256 of their contents."""

    rows: tuple[int, ...]
    refusals: tuple[Refusal, ...]
    fingerprint: str

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Collected:
        """Inverse of `asdict`."""
        refusals = tuple(Refusal(**one) for one in values["refusals"])
        return cls(tuple(values["rows"]), refusals, str(values["fingerprint"]))


def collect(
    dataset: Dataset,
    spec: PreprocessSpec,
    folder: Path,
    asked: Mapping[str, Any],
    limits: DecodeLimits,
    workers: int,
    progress: Progress,
) -> Collected:
    """Read all images into `folder`, which is made anew; files that cannot be used are refused.

    `asked` are plain values: what `again` compares.

    Raises:
        TrainingError: `write_failed`.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        found = _write(dataset, spec, folder, limits, workers, progress)
        with replacing(folder / _INDEX) as temporary:
            temporary.write_text(json.dumps({"asked": _asked(dataset, asked), **asdict(found)}), encoding="utf-8")
    except OSError as exc:
        message = f"the images of the pre-training could not be kept in {folder}: {exc.strerror or exc}"
        raise TrainingError(Reason.WRITE_FAILED, message) from exc
    return found


def again(dataset: Dataset, folder: Path, asked: Mapping[str, Any]) -> Collected | None:
    """What an unfinished run collected; None where it did not come so far.

    Raises:
        SettingsError: `bad_setting` when it was another pre-training.
    """
    try:
        values = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        before, found = values["asked"], Collected.from_json(values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    now = _asked(dataset, asked)
    differing = sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))
    if differing:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the unfinished pre-training in {folder.parent} was another one: {', '.join(differing)} differ; ask for the same "
            "again, or throw it away with --restart",
        )
    return found


def kept_images(folder: Path) -> PixelStore:
    """The pixels.

    Raises:
        TrainingError: `job_damaged`.
    """
    return PixelStore(folder)


def _asked(dataset: Dataset, asked: Mapping[str, Any]) -> dict[str, Any]:
    listing = hashlib.sha256(json.dumps([[s.uri, str(s.roi)] for s in dataset.samples]).encode()).hexdigest()
    plain = {key: value for key, value in asked.items() if key not in _NOT_COMPARED}
    return json.loads(json.dumps({**plain, "images": listing}))  # type: ignore[no-any-return]


def _write(
    dataset: Dataset, spec: PreprocessSpec, folder: Path, limits: DecodeLimits, workers: int, progress: Progress
) -> Collected:
    rows: list[int] = []
    refusals: list[Refusal] = []
    ids: list[str] = []
    with PixelWriter(folder) as pixels:
        for row, outcome in enumerate(_loaded(dataset, spec, limits, workers)):
            progress("reading images", row, len(dataset))
            if isinstance(outcome, Refusal):
                refusals.append(outcome)
                continue
            identity, image = outcome
            pixels.add(image)
            rows.append(row)
            ids.append(identity)
    return Collected(tuple(rows), tuple(refusals), hashlib.sha256("".join(sorted(ids)).encode()).hexdigest())


def _loaded(
    dataset: Dataset, spec: PreprocessSpec, limits: DecodeLimits, workers: int
) -> Iterator[tuple[str, RgbImage] | Refusal]:
    """In the data set's order, decoded in threads, a few ahead."""

    def load(sample: Sample) -> tuple[str, RgbImage] | Refusal:
        try:
            data = read_bytes(sample.uri, root=dataset.root, limits=limits)
            return content_id(data), shrunk(spec.load(data, sample.roi, limits), spec)
        except ImageError as exc:
            return Refusal.of(sample.uri, exc)

    threads = workers or available_cores()
    waiting: deque[Future[tuple[str, RgbImage] | Refusal]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for sample in dataset.samples:
            waiting.append(pool.submit(load, sample))
            if len(waiting) > 4 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
