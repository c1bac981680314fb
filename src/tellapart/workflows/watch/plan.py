"""What a stream file comes to: which model looks at which part of which camera, and what decides on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tellapart.classifier.storage import read_card
from tellapart.decision.engine import Engine
from tellapart.decision.sorter import Sorter
from tellapart.records.labels import LabelSchema
from tellapart.records.roi import Roi
from tellapart.settings.policy import Policy
from tellapart.settings.policy_file import identity, read_policy
from tellapart.settings.stream import CameraSettings, Region, Stream
from tellapart.settings.stream_paths import is_file
from tellapart.workflows.watch.default_policy import default_policy
from tellapart.workflows.watch.seat import Seat

PATIENCE_S = 1.0
"""How long a policy of one region waits before it takes silence for silence."""


@dataclass(frozen=True, slots=True)
class Look:
    """One part of one camera's pictures, and the model that looks at it."""

    camera: str
    region: str
    roi: Roi | None
    model: str
    view: str | None = None
    quality: bool = False

    @property
    def name(self) -> str:
        """camera/region, or the camera alone."""
        return f"{self.camera}/{self.region}" if self.region else self.camera


@dataclass(frozen=True, slots=True)
class Ruling:
    """A policy, what it decides about, and which look each of its inputs is."""

    subject: str
    policy: Policy
    inputs: Mapping[str, str]
    patience_s: float
    file: str = ""

    def seat(self, cameras: Mapping[str, CameraSettings]) -> Seat:
        """It at work. `cameras` tells which are files: these may lie there for long before they are looked at."""
        engine = Engine(self.policy, identity(self.policy), self.subject)
        heard = dict.fromkeys(name.partition("/")[0] for name in self.inputs.values())
        backlogs = tuple(name for name in heard if is_file(cameras[name]))
        return Seat(self.subject, engine, Sorter(tuple(self.inputs), self.patience_s), dict(self.inputs), backlogs)


@dataclass(frozen=True, slots=True)
class Plan:
    """`looks` by camera, `rulings` in the order of the file."""

    stream: Stream
    looks: Mapping[str, tuple[Look, ...]]
    rulings: tuple[Ruling, ...]

    def regions(self) -> dict[str, tuple[Roi, ...]]:
        """The parts that matter, by camera; () where all of the picture does."""
        return {
            camera: () if any(look.roi is None for look in looks) else tuple(look.roi for look in looks if look.roi)
            for camera, looks in self.looks.items()
        }

    def seats(self) -> list[Seat]:
        """Everything that decides, with an empty memory."""
        return [ruling.seat(self.stream.cameras) for ruling in self.rulings]


def plan_of(stream: Stream, labels: Mapping[str, LabelSchema] | None = None) -> Plan:
    """What would run. `labels` are those of the models by name; without, they are read from the models' folders.

    Raises:
        SpecError: `bad_policy` for a policy that cannot be read.
        ModelError: a model cannot be read.
    """
    known = {name: read_card(path).schema for name, path in stream.models.items()} if labels is None else labels
    looks = {name: tuple(_looks(name, camera, stream)) for name, camera in stream.cameras.items()}
    rulings = (*_of_regions(stream, looks, known), *_of_several(stream))
    judged = {look for ruling in rulings if asks_for_quality(ruling.policy) for look in ruling.inputs.values()}
    return Plan(
        stream, {camera: tuple(_judged(look, judged) for look in found) for camera, found in looks.items()}, rulings
    )


def roi_of(region: Region, name: str) -> Roi | None:
    """The part of the picture that a region is; None for all of it."""
    if region.rect is not None:
        x0, y0, x1, y1 = region.rect
        return Roi(((x0, y0), (x1, y1)), name)
    return Roi(region.polygon, name) if region.polygon is not None else None


def _looks(name: str, camera: CameraSettings, stream: Stream) -> list[Look]:
    default = camera.model or next(iter(stream.models))
    if not camera.regions:
        return [Look(name, "", None, default)]
    return [
        Look(name, region, roi_of(one, region), one.model or default, one.view)
        for region, one in camera.regions.items()
    ]


def _of_regions(
    stream: Stream, looks: Mapping[str, tuple[Look, ...]], labels: Mapping[str, LabelSchema]
) -> list[Ruling]:
    heard = {look for decision in stream.decisions.values() for look in decision.inputs.values()}
    rulings = []
    for camera, found in looks.items():
        settings = stream.cameras[camera]
        patience_s = PATIENCE_S + (settings.settled_s if is_file(settings) else 0.0)
        for look in found:
            file = (settings.regions[look.region].policy if look.region else None) or settings.policy
            if file is None and look.name in heard:
                continue  # what decides on several regions speaks for this one
            policy = default_policy(labels[look.model]) if file is None else read_policy(file)
            inputs = {next(iter(policy.inputs)): look.name}
            rulings.append(Ruling(look.name, policy, inputs, patience_s, file or ""))
    return rulings


def _of_several(stream: Stream) -> list[Ruling]:
    return [
        Ruling(name, read_policy(one.policy), dict(one.inputs), one.patience_s, one.policy)
        for name, one in stream.decisions.items()
    ]


def _judged(look: Look, names: set[str]) -> Look:
    return Look(look.camera, look.region, look.roi, look.model, look.view, look.name in names)


def asks_for_quality(policy: Policy) -> bool:
    """Whether any condition weighs images by their quality."""
    rules = [rule for track in policy.tracks.values() for rule in track.rules]
    conditions = [one for rule in rules for one in (rule.when, rule.until) if one is not None]
    return any("quality" in getattr(leaf, "weights", ()) for one in conditions for leaf in one.leaves())
