"""From bytes to embeddings with every core busy: each worker decodes and infers batches of its own.

One session with a single thread is called from all workers at once (ONNX Runtime's `run` is thread-safe and releases
the GIL, as does Pillow's decoder), so weights exist once, nothing is copied between processes, and memory does not
depend on how many images there are. Two such workers beat one session with two threads by far on a full queue; a
single image is better served by `threads=n` in the session (design.md, section 8).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.protocol import Backbone
from tellapart.classifier.cores import available_cores
from tellapart.errors import BackboneError, ImageError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.roi import crop
from tellapart.image.types import DecodeLimits, RgbImage
from tellapart.records import Refusal, Roi

BATCH = 8


@dataclass(frozen=True, slots=True)
class Job:
    """One image to embed: `source` is a file's uri for `Reader`, its bytes, or pixels already decoded."""

    uri: str
    source: str | bytes | RgbImage
    roi: Roi | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """Facts taken from the decoded image in the same pass: image statistics float32 (m,) and grey thumbnail."""

    statistics: NDArray[np.float32]
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Embedded:
    """What came of a job: `id` is the sha256 of the bytes ("" for pixels), `roi` the region's name."""

    uri: str
    id: str
    embedding: NDArray[np.float32]
    roi: str | None = None
    observation: Observation | None = None


Reader = Callable[[str], bytes]
Observer = Callable[[RgbImage], Observation]
Lookup = Callable[[str, Job], Embedded | None]
Outcome = Embedded | Refusal


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The single path from bytes to embeddings. `read` fetches the bytes of a uri and raises `ImageError`.

    `known(id, job)` may answer from a cache, then the image is neither decoded nor run.
    """

    spec: PreprocessSpec
    backbone: Backbone
    read: Reader
    limits: DecodeLimits = DecodeLimits()
    workers: int = 0
    observe: Observer | None = None
    known: Lookup | None = None

    def run(self, jobs: Sequence[Job | Refusal]) -> Iterator[list[Outcome]]:
        """Yield one outcome per job, in the order of the jobs, a few at a time; a refused image never stops the run.

        What was refused before it came to be a job may stand among them, and comes out as it is.
        """
        workers = min(self.workers or available_cores(), max(1, len(jobs)))
        if workers == 1:
            for start in range(0, len(jobs), BATCH):
                yield self._embed(jobs[start : start + BATCH])
            return
        yield from _Crew(self, jobs, workers).outcomes()

    def _embed(self, jobs: Sequence[Job | Refusal]) -> list[Outcome]:
        prepared = [self._prepare(job) for job in jobs]
        waiting = [item for item in prepared if isinstance(item, _Prepared)]
        answers = iter(self._features(np.stack([item.pixels for item in waiting])) if waiting else ())
        return [item.outcome(next(answers)) if isinstance(item, _Prepared) else item for item in prepared]

    def _features(self, batch: NDArray[np.uint8]) -> list[NDArray[np.float32] | BackboneError]:
        """An embedding for each image, or why the network failed on it; raises when it fails on everything."""
        try:
            return list(self.backbone.run(batch).embedding)
        except BackboneError:
            self.backbone.run(np.zeros_like(batch[:1]))  # a network that cannot run at all is no fault of an image
        return [self._alone(pixels) for pixels in batch]

    def _alone(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32] | BackboneError:
        try:
            return np.asarray(self.backbone.run(pixels[None]).embedding[0])
        except BackboneError as error:
            return error

    def _prepare(self, job: Job | Refusal) -> _Prepared | Outcome:
        if isinstance(job, Refusal):
            return job
        try:
            if isinstance(job.source, RgbImage):
                return self._from_image(job, "", self._region(job.source, job.roi))
            data = self.read(job.source) if isinstance(job.source, str) else job.source
            identity = sha256(data).hexdigest()
            found = self.known(identity, job) if self.known else None
            return found or self._from_bytes(job, identity, data)
        except ImageError as error:
            return Refusal.of(job.uri, error)

    def _region(self, image: RgbImage, roi: Roi | None) -> RgbImage:
        """As `PreprocessSpec.load` cuts it out of a file."""
        roi = roi or self.spec.roi
        return crop(image, roi, background=self.spec.background) if roi else image

    def _from_bytes(self, job: Job, identity: str, data: bytes) -> _Prepared:
        if self.observe is None:
            return _Prepared(job, identity, self.spec.apply(data, job.roi, self.limits), None)
        return self._from_image(job, identity, self.spec.load(data, job.roi, self.limits))

    def _from_image(self, job: Job, identity: str, image: RgbImage) -> _Prepared:
        return _Prepared(job, identity, self.spec.transform(image), self.observe(image) if self.observe else None)


@dataclass(frozen=True, slots=True)
class _Prepared:
    job: Job
    id: str
    pixels: NDArray[np.uint8]
    observation: Observation | None

    def outcome(self, embedding: NDArray[np.float32] | BackboneError) -> Outcome:
        if isinstance(embedding, BackboneError):
            return Refusal.of(self.job.uri, embedding)
        roi = self.job.roi.name if self.job.roi else None
        # A row of the batch's array would keep the whole batch alive, hence the copy.
        return Embedded(self.job.uri, self.id, embedding.copy(), roi, self.observation)


class _Crew:
    """Worker threads over one list of jobs; outcomes come back in order, at most `_AHEAD` batches early."""

    _AHEAD = 4

    def __init__(self, pipeline: Pipeline, jobs: Sequence[Job | Refusal], workers: int) -> None:
        self._pipeline, self._jobs, self._workers = pipeline, jobs, workers
        self._changed = threading.Condition()
        self._next_job = self._next_batch = self._next_out = 0
        self._done: dict[int, list[Outcome]] = {}
        self._failure: BaseException | None = None
        self._stopped = False

    def outcomes(self) -> Iterator[list[Outcome]]:
        threads: list[threading.Thread] = []
        n_out = 0
        try:
            # Inside: where the system gives no further thread, those that run already must be told to stop.
            for _ in range(self._workers):
                thread = threading.Thread(target=self._work, daemon=True)
                thread.start()
                threads.append(thread)
            while n_out < len(self._jobs):
                batch = self._take()
                n_out += len(batch)
                yield batch
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            for thread in threads:
                thread.join()

    def _take(self) -> list[Outcome]:
        with self._changed:
            self._changed.wait_for(lambda: self._next_out in self._done or self._failure)
            if self._failure:
                raise self._failure
            batch = self._done.pop(self._next_out)
            self._next_out += 1
            self._changed.notify_all()
            return batch

    def _claim(self) -> tuple[int, Sequence[Job | Refusal]] | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or self._next_batch < self._next_out + self._AHEAD * self._workers
            )
            left = len(self._jobs) - self._next_job
            if self._stopped or left <= 0:
                return None
            # Smaller batches towards the end, so that no worker idles while another has a full one.
            size = min(BATCH, max(1, left // (2 * self._workers)))
            start, number = self._next_job, self._next_batch
            self._next_job, self._next_batch = start + size, number + 1
            return number, self._jobs[start : start + size]

    def _work(self) -> None:
        try:
            while (claim := self._claim()) is not None:
                number, jobs = claim
                outcomes = self._pipeline._embed(jobs)
                with self._changed:
                    self._done[number] = outcomes
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  handed to the caller's thread, which raises it
            with self._changed:
                self._failure = error
                self._changed.notify_all()
