"""Several frames of several cameras, answered together: decoded once each, one batch for each model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.pipeline import Job
from tellapart.errors import ImageError, Reason, SpecError
from tellapart.image.judging import quality
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.roi import crop
from tellapart.image.types import RgbImage
from tellapart.records.observation import Observation
from tellapart.records.prediction import Prediction
from tellapart.records.sample import Refusal
from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame, observation_id
from tellapart.workflows.watch.analyst import Answered
from tellapart.workflows.watch.plan import Look


@dataclass(frozen=True, slots=True)
class _Asked:
    """A look at a frame: what the model gets, or why there is nothing to give it."""

    frame: Frame
    look: Look
    job: Job | Refusal
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class _Failure:
    sentence: str


_Outcome = Prediction | Refusal | _Failure


class Looking:
    """Callable from several threads; whatever the images are and whatever the models do is in the answers."""

    def __init__(self, looks: Mapping[str, tuple[Look, ...]], models: Mapping[str, Classifier]) -> None:
        self._looks, self._models = looks, models

    def __call__(self, frames: Sequence[Frame]) -> list[Answered]:
        """One answer for each frame, in their order."""
        asked = [one for frame in frames for one in self._asked(frame)]
        outcomes: dict[int, _Outcome] = {}
        for name in {one.look.model for one in asked}:
            numbers = [number for number, one in enumerate(asked) if one.look.model == name]
            found = _answers(self._models[name], [asked[number].job for number in numbers])
            outcomes |= dict(zip(numbers, found, strict=True))
        rows = iter(enumerate(asked))
        return [
            self._answered(
                frame, [(one, outcomes[n]) for n, one in _next(rows, len(self._looks.get(frame.camera, ())))]
            )
            for frame in frames
        ]

    def _asked(self, frame: Frame) -> list[_Asked]:
        looks = self._looks.get(frame.camera, ())
        uri = frame.uri or observation_id(frame.camera, "", frame.at_s)
        if isinstance(frame.image, bytes) and len(looks) == 1 and not looks[0].quality:
            return [_Asked(frame, looks[0], Job(uri, frame.image, looks[0].roi))]
        decoded: dict[PreprocessSpec, RgbImage | Refusal] = {}
        asked = []
        for look in looks:
            spec = replace(self._models[look.model].spec, roi=None)
            if spec not in decoded:
                decoded[spec] = self._decoded(frame, uri, spec, look)
            asked.append(self._of(frame, uri, look, decoded[spec]))
        return asked

    def _decoded(self, frame: Frame, uri: str, spec: PreprocessSpec, look: Look) -> RgbImage | Refusal:
        """All of the picture, in its own size."""
        try:
            if isinstance(frame.image, bytes):
                return spec.load_whole(frame.image, limits=self._models[look.model].limits)
            height, width = np.shape(frame.image)[:2]
            return RgbImage(frame.image, (width, height))
        except ImageError as error:
            return Refusal.of(uri, error)
        except ValueError as error:
            return Refusal(uri, Reason.UNSUPPORTED_FORMAT.value, f"the camera delivered what is no picture: {error}")

    def _of(self, frame: Frame, uri: str, look: Look, image: RgbImage | Refusal) -> _Asked:
        if isinstance(image, Refusal):
            return _Asked(frame, look, image)
        judged = None
        if look.quality:
            try:
                judged = quality(crop(image, look.roi) if look.roi else image)
            except (ImageError, SpecError) as error:
                return _Asked(frame, look, Refusal.of(uri, error))
        return _Asked(frame, look, Job(uri, image, look.roi), judged)

    def _answered(self, frame: Frame, outcomes: Sequence[tuple[_Asked, _Outcome]]) -> Answered:
        seen, refused, failed = [], [], []
        for one, outcome in outcomes:
            if isinstance(outcome, Prediction):
                seen.append(Seen(frame, one.look.roi, _observation(one, outcome)))
            elif isinstance(outcome, Refusal):
                refused.append(outcome.sentence)
            else:
                failed.append((one.look.model, outcome.sentence))
        return Answered(frame, tuple(seen), tuple(dict.fromkeys(refused)), tuple(failed))


def _answers(model: Classifier, jobs: Sequence[Job | Refusal]) -> list[_Outcome]:
    """An outcome for each job. A model that fails on a batch is asked for each image: one must not spoil the others."""
    try:
        return list(model.predict_jobs(jobs, workers=1))
    except Exception as error:  # noqa: BLE001  a stream goes on whatever a model does
        if len(jobs) > 1:
            return [one for job in jobs for one in _answers(model, [job])]
        return [_Failure(f"{type(error).__name__}: {error}")]


def _observation(one: _Asked, prediction: Prediction) -> Observation:
    frame, look = one.frame, one.look
    return Observation.of(
        prediction,
        at_s=frame.at_s,
        input=look.name,
        id=observation_id(frame.camera, look.region, frame.at_s),
        quality=one.quality,
        view=look.view,
        trigger=frame.trigger,
    )


def _next(rows: Iterable[tuple[int, _Asked]], n: int) -> list[tuple[int, _Asked]]:
    return [row for _, row in zip(range(n), rows, strict=False)]
