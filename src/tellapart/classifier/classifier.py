"""The artifact: one object that goes from bytes to calibrated answers, saved as a model folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.protocol import Backbone
from tellapart.classifier.card import ModelCard
from tellapart.classifier.enclosures import Enclosures
from tellapart.classifier.pipeline import Job, Outcome, Pipeline, Reader
from tellapart.errors import ImageError, Reason
from tellapart.heads.anomaly import AnomalyHead, AnomalyScore
from tellapart.heads.protocol import Head
from tellapart.heads.rejection import Rejection
from tellapart.heads.thresholds import Thresholds, decide
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.source import read_file
from tellapart.image.types import DecodeLimits, RgbImage
from tellapart.records import LabelSchema, Prediction, Refusal, Roi

if TYPE_CHECKING:
    from tellapart.classifier.heatmap import Heatmap
    from tellapart.evaluation.evaluation import Evaluation

ImageLike = str | Path | bytes | RgbImage | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the head makes of n embeddings.

    `probabilities` is float (n, k), `decisions` bool (n, k) after thresholds and rejection (no True: "I don't know"),
    `ood_scores` float (n,) where 1 and above is further from the training images than nearly all of them were, and
    `unknown` bool (n,) where the model therefore does not answer.
    """

    probabilities: NDArray[np.floating[Any]]
    decisions: NDArray[np.bool_]
    ood_scores: NDArray[np.floating[Any]]
    unknown: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors float32 (n, d) of the images that could be read, their uris, and the refused ones."""

    vectors: NDArray[np.float32]
    uris: tuple[str, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained model: `ta.load` opens one, `ta.train` makes one.

    Safe to use from several threads. `location` is where it was loaded from, "" for one that was never saved.
    """

    card: ModelCard
    spec: PreprocessSpec
    backbone: Backbone
    head: Head
    thresholds: Thresholds
    ood: Rejection
    limits: DecodeLimits = DecodeLimits()
    location: str = ""
    enclosures: Enclosures = Enclosures()

    @property
    def schema(self) -> LabelSchema:
        """Task and labels, in the order of every probability column."""
        return self.card.schema

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in column order."""
        return self.card.schema.names

    @overload
    # A str is a sequence of str to a type checker; here it is one path.
    def predict(  # type: ignore[overload-overlap]
        self, images: ImageLike, *, roi: Roi | None = None, embedding: bool = False
    ) -> Prediction: ...

    @overload
    def predict(
        self, images: Sequence[ImageLike], *, roi: Roi | None = None, embedding: bool = False
    ) -> list[Prediction | Refusal]: ...

    def predict(
        self, images: ImageLike | Sequence[ImageLike], *, roi: Roi | None = None, embedding: bool = False
    ) -> Prediction | list[Prediction | Refusal]:
        """Answers for images: paths, encoded bytes, or uint8 (height, width, 3) sRGB pixels.

        One image gives a `Prediction` and raises `ImageError` when it is refused; a sequence gives a list with a
        `Prediction` or a `Refusal` for each, in order, and never raises for a bad image.
        """
        outcomes = list(self.predict_jobs(_jobs(images, roi), embedding=embedding))
        if _is_many(images):
            return outcomes
        if isinstance(outcomes[0], Refusal):
            raise ImageError(Reason(outcomes[0].code), outcomes[0].message)
        return outcomes[0]

    def heatmap(self, image: ImageLike, *, label: str | None = None, roi: Roi | None = None) -> Heatmap:
        """Where in an image what speaks for a label is: the likeliest label, unless one is named. See `Heatmap`.

        Raises:
            ImageError: the image cannot be used.
            SettingsError: `bad_setting` for a model that judges an image as a whole.
        """
        from tellapart.classifier.heatmap import heatmap_of

        return heatmap_of(self, as_job(image, 0, roi).source, roi, label)

    def embed(self, images: Sequence[ImageLike], *, roi: Roi | None = None) -> Embeddings:
        """The backbone's vectors for images, float32 (n, embedding_dim); refused images are listed, not raised."""
        outcomes = [outcome for batch in self.pipeline().run(_jobs(images, roi)) for outcome in batch]
        kept = [outcome for outcome in outcomes if not isinstance(outcome, Refusal)]
        vectors = np.array([e.embedding for e in kept], np.float32).reshape(len(kept), self.backbone.embedding_dim)
        refusals = tuple(outcome for outcome in outcomes if isinstance(outcome, Refusal))
        return Embeddings(vectors, tuple(e.uri for e in kept), refusals)

    def predict_jobs(
        self, jobs: Sequence[Job | Refusal], *, read: Reader | None = None, workers: int = 0, embedding: bool = False
    ) -> Iterator[Prediction | Refusal]:
        """Stream one answer per job, in order. Memory does not depend on the number of jobs."""
        for outcomes in self.pipeline(read=read, workers=workers).run(jobs):
            yield from self._answer_outcomes(outcomes, keep_embedding=embedding)

    def pipeline(self, *, read: Reader | None = None, workers: int = 0) -> Pipeline:
        """The path from bytes to embeddings that this model was trained with."""
        return Pipeline(
            self.spec, self.backbone, read or (lambda uri: read_file(uri, self.limits)), self.limits, workers=workers
        )

    def answer(self, embeddings: NDArray[np.float32]) -> Answers:
        """Calibrated answers for embeddings float32 (n, d)."""
        scores = self.ood.score(embeddings)
        # What tells anomalies is their score: it is not computed twice.
        probabilities = (
            self.head.probabilities_of(scores)
            if isinstance(self.head, AnomalyHead) and isinstance(self.ood, AnomalyScore)
            else self.head.probabilities(embeddings)
        )
        decisions = decide(probabilities, self.thresholds, self.schema)
        unknown = (scores >= 1) & self.ood.rejects
        decisions[unknown] = False
        return Answers(probabilities, decisions, scores, unknown)

    def save(self, path: str | Path) -> Classifier:
        """Write a model folder, or one file when `path` ends in .zip; see `storage.save`."""
        from tellapart.classifier.storage import load_enclosures, save

        whole = (
            self
            if self.enclosures != Enclosures() or not self.location
            else self.enclosing(load_enclosures(self.location))
        )
        return save(whole, path)

    @property
    def evaluation(self) -> Evaluation | None:
        """How the model did on images it was not trained on, with intervals; None for a model without one."""
        from tellapart.classifier.storage import load_enclosures
        from tellapart.evaluation.evaluation import Evaluation

        data = self.enclosures.evaluation
        if not data and self.location:
            data = load_enclosures(self.location).evaluation
        return Evaluation.from_json(json.loads(data)) if data else None

    def enclosing(self, enclosures: Enclosures) -> Classifier:
        """The same classifier with other things in its folder beside it."""
        return replace(self, enclosures=enclosures)

    def with_card(self, **changes: Any) -> Classifier:
        """The same classifier with other entries in its card."""
        return replace(self, card=replace(self.card, **changes))

    def _answer_outcomes(self, outcomes: Sequence[Outcome], *, keep_embedding: bool) -> Iterator[Prediction | Refusal]:
        embedded = [e for e in outcomes if not isinstance(e, Refusal)]
        answers = self.answer(np.stack([e.embedding for e in embedded])) if embedded else None
        row = 0
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                yield outcome
            elif answers is not None:
                yield self._prediction(
                    outcome.uri, outcome.roi, answers, row, outcome.embedding if keep_embedding else None
                )
                row += 1

    def _prediction(
        self, uri: str, roi: str | None, answers: Answers, row: int, embedding: NDArray[np.float32] | None
    ) -> Prediction:
        return Prediction(
            uri=uri,
            labels=self.labels,
            probabilities=answers.probabilities[row],
            predicted=tuple(name for name, said in zip(self.labels, answers.decisions[row], strict=True) if said),
            ood_score=float(answers.ood_scores[row]),
            unknown=bool(answers.unknown[row]),
            model_id=self.card.model_id,
            roi=roi,
            embedding=embedding,
        )


def as_job(image: ImageLike, index: int, roi: Roi | None = None) -> Job:
    """The pipeline's job for anything `predict` takes; images without a name are called image-0, image-1 …"""
    if isinstance(image, (str, Path)):
        return Job(str(image), str(image), roi)
    name = f"image-{index}"
    if isinstance(image, np.ndarray):
        try:
            height, width = image.shape[:2]
            return Job(name, RgbImage(image, (width, height)), roi)
        except ValueError as exc:
            raise ImageError(
                Reason.UNSUPPORTED_FORMAT,
                f"an array must hold sRGB pixels as uint8 (height, width, 3), got {image.dtype} {image.shape}",
            ) from exc
    if not isinstance(image, (bytes, RgbImage)):
        raise ImageError(
            Reason.UNSUPPORTED_FORMAT,
            "an image is a path, the bytes of a file, or uint8 (height, width, 3) sRGB pixels, got "
            f"{type(image).__name__}; of a Pillow image give numpy.asarray(image.convert('RGB'))",
        )
    return Job(name, image, roi)


def _is_many(images: ImageLike | Sequence[ImageLike]) -> bool:
    one = (str, Path, bytes, bytearray, memoryview, RgbImage, np.ndarray)
    return hasattr(images, "__iter__") and not isinstance(images, one)


def _jobs(images: Any, roi: Roi | None) -> list[Job | Refusal]:
    many = images if _is_many(images) else [images]
    return [_job_or_refusal(image, i, roi) for i, image in enumerate(many)]


def _job_or_refusal(image: ImageLike, index: int, roi: Roi | None) -> Job | Refusal:
    try:
        return as_job(image, index, roi)
    except ImageError as error:
        return Refusal.of(f"image-{index}", error)
