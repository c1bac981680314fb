"""Would a stream run? Everything is looked at that can be known without starting it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tellapart.classifier.classifier import Classifier
from tellapart.errors import Reason, SettingsError, SpecError, TellapartError
from tellapart.records.labels import LabelSchema
from tellapart.settings.policy import Input
from tellapart.settings.policy_file import identity
from tellapart.settings.policy_meaning import contradictions
from tellapart.settings.stream import CameraSettings, Stream, sink_kind
from tellapart.settings.stream_file import read_stream
from tellapart.settings.stream_paths import STDOUT, is_file
from tellapart.settings.stream_secrets import hidden
from tellapart.streams.sources.address import kind_of
from tellapart.workflows.watch.plan import Plan, Ruling, plan_of
from tellapart.workflows.watch.watch import load_models


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """What would run. `notes` are things that work and may not be meant."""

    plan: Plan
    models: Mapping[str, str]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        stream = self.plan.stream
        return {
            "stream": stream.name,
            "folder": stream.folder,
            "models": dict(self.models),
            "cameras": {name: _source(one, stream) for name, one in stream.cameras.items()},
            "regions": [
                {"input": look.name, "model": look.model, "region": look.roi.to_json() if look.roi else None}
                for looks in self.plan.looks.values()
                for look in looks
            ],
            "decisions": [
                {"subject": one.subject, "policy": identity(one.policy), "inputs": dict(one.inputs)}
                for one in self.plan.rulings
            ],
            "sinks": [_sink(one) for one in stream.sinks],
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        stream = self.plan.stream
        lines = [f"stream    {stream.name}, kept in {stream.folder}"]
        lines += [f"model     {name}: {model_id}" for name, model_id in self.models.items()]
        for name, camera in stream.cameras.items():
            lines.append(f"camera    {name}: {_source(camera, stream)}, {_sampled(camera)}")
            lines += [
                f"  region  {look.region or 'all of the picture'}: model {look.model}" for look in self.plan.looks[name]
            ]
        for ruling in self.plan.rulings:
            heard = ", ".join(ruling.inputs.values())
            about = "" if heard == ruling.subject else f" on {heard}"
            lines.append(f"decision  {ruling.subject}: {identity(ruling.policy)}{about}")
        lines += [f"sink      {_sink(one)}" for one in stream.sinks]
        return [*lines, *(f"note      {one}" for one in self.notes)]


def check_stream(stream: Stream | str | Path, *, provider: str = "cpu") -> StreamCheck:
    """Read everything a stream names: models load, policies fit the models' labels, files are where they should be.

    No camera is asked and nothing is written.

    Raises:
        SpecError: `bad_stream`, with everything that keeps it from running.
    """
    if not isinstance(stream, Stream):
        stream = read_stream(stream)
    faults: list[str] = []
    models: dict[str, Classifier] = {}
    for name, path in stream.models.items():
        try:
            models |= load_models(stream.model_copy(update={"models": {name: path}}), provider=provider)
        except TellapartError as error:
            faults.append(f"model {name}: {error}")
    faults += [f"camera {name}: {fault}" for name, one in stream.cameras.items() for fault in _missing(one)]
    faults += [f"sink {_sink(one)}: {fault}" for one in stream.sinks for fault in _unwritable(_place(one))]
    faults += [f"folder {stream.folder}: {fault}" for fault in _unwritable(f"{stream.folder}/health.json")]
    if len(models) < len(stream.models):
        raise _failed(stream, faults)
    labels = {name: one.schema for name, one in models.items()}
    plan = plan_of(stream, labels)
    for ruling in plan.rulings:
        faults += [f"policy {ruling.policy.name} of {ruling.subject}: {one}" for one in _unfit(ruling, plan, labels)]
    if faults:
        raise _failed(stream, faults)
    return StreamCheck(plan, {name: one.card.model_id for name, one in models.items()}, tuple(_notes(plan)))


def _failed(stream: Stream, faults: list[str]) -> SpecError:
    told = f"the stream {stream.name} would not run: {'; '.join(faults)}"
    return SpecError(Reason.BAD_STREAM, hidden(told, stream.secrets))


def _missing(camera: CameraSettings) -> Iterator[str]:
    path = Path(camera.source)
    if is_file(camera):
        if not path.exists():
            yield f"there is no file or folder {camera.source}"
        elif path.is_dir() and camera.kind == "video":
            yield f"{camera.source} is a folder, not a video"
        elif path.is_file() and camera.kind == "folder":
            yield f"{camera.source} is a file, not a folder"
        elif not os.access(path, os.R_OK):
            yield f"{camera.source} cannot be read: permission denied"
    try:
        kind = kind_of(camera.source, camera.kind)
    except SettingsError as error:
        yield str(error)
        return
    if kind != "folder" and find_spec("cv2") is None:
        yield "it needs the library 'cv2', which is not installed: pip install 'tellapart[watch]'"


def _unwritable(place: str) -> Iterator[str]:
    """Whether a file could be made: its folder, or the nearest one that is there, can be written."""
    if place == STDOUT:
        return
    path = Path(place)
    if path.is_dir():
        return
    folder = next((one for one in path.parents if one.exists()), Path("/"))
    if not folder.is_dir():
        yield f"{folder} is a file, not a folder"
    elif not os.access(folder, os.W_OK):
        yield f"{folder} cannot be written: permission denied"


def _unfit(ruling: Ruling, plan: Plan, labels: Mapping[str, LabelSchema]) -> Iterator[str]:
    """Labels that a policy names and its models do not have."""
    models = {look.name: look.model for looks in plan.looks.values() for look in looks}
    inputs = {name: Input(labels=labels[models[look]].names) for name, look in ruling.inputs.items()}
    for name, declared in ruling.policy.inputs.items():
        for label in declared.labels:
            if label not in inputs[name].labels:
                yield f"inputs.{name} declares the label {label!r}, which the model {models[ruling.inputs[name]]} has not"
    yield from contradictions(ruling.policy.model_copy(update={"inputs": inputs}))


def _notes(plan: Plan) -> Iterator[str]:
    stream = plan.stream
    looked = {look.model for looks in plan.looks.values() for look in looks}
    for name in stream.models:
        if name not in looked:
            yield f"no region is looked at by the model {name}"
    sampled = {one.sample.trigger for one in stream.cameras.values() if one.sample is not None}
    for name in stream.triggers:
        if name not in sampled:
            yield f"no camera waits for the trigger {name}"
    answers = [one.subject for one in plan.rulings if not one.file]
    if answers:
        yield f"without a policy: every change of the model's answer is a decision, for {', '.join(answers)}"


def _source(camera: CameraSettings, stream: Stream) -> str:
    return hidden(camera.source, stream.secrets)


def _sampled(camera: CameraSettings) -> str:
    sample = camera.sample
    if sample is None:
        return "every file" if Path(camera.source).is_dir() else "2 images a second"
    if sample.fps is not None:
        return f"{sample.fps:g} images a second"
    if sample.motion is not None:
        return f"where {sample.motion.share:.1%} of the pixels move"
    return f"with the trigger {sample.trigger}" if sample.trigger is not None else "every image"


def _place(sink: Any) -> str:
    return str(getattr(sink, sink_kind(sink) or ""))


def _sink(sink: Any) -> str:
    return f"{sink_kind(sink)} {_place(sink)}"
