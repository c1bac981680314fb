"""Several images of one piece, one decision: views of a part, photos of a parcel."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from tellapart.decision.engine import Engine
from tellapart.errors import Reason, SettingsError, SpecError
from tellapart.records import Prediction, Refusal, Roi
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy
from tellapart.workflows.predict import predict
from tellapart.workflows.progress import Progress, silent

if TYPE_CHECKING:
    from tellapart.image.types import DecodeLimits

ItemBy = Literal["call", "folder", "stem"]
_PREFIX = re.compile(r"(.+?)[_.\- ]")


@dataclass(frozen=True, slots=True)
class ItemDecision:
    """One piece: a decision for each track of the policy, none where no image of it was answered.

    `observations` are what they rest on, `refusals` images that could not be answered.
    """

    name: str
    decisions: tuple[Decision, ...]
    observations: tuple[Observation, ...]
    refusals: tuple[Refusal, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; images without a time, which they do not have."""
        images = [one.to_json() for one in self.observations]
        return {
            "item": self.name,
            "decisions": [{k: v for k, v in one.to_json().items() if k not in _OF_TIME} for one in self.decisions],
            "images": [{k: v for k, v in one.items() if k != "at"} for one in images],
            "refused": [one.to_json() for one in self.refusals],
        }


_OF_TIME = ("at", "since", "changed")


def decide_items(
    model: str | Path,
    paths: Sequence[str | Path],
    *,
    policy: str | Path | Mapping[str, Any],
    by: ItemBy = "call",
    views: Mapping[str, str] | None = None,
    rois: Sequence[Roi] = (),
    workers: int = 0,
    provider: str = "cpu",
    limits: DecodeLimits | None = None,
    progress: Progress = silent,
) -> list[ItemDecision]:
    """Answer images and decide on each piece by all of its images at once, in the order of the pieces' first images.

    `by` tells what one piece is: all images of the "call", those of a "folder", or files of a folder whose names begin alike
    ("stem": up to the first _ - . or space, such as p17_top.jpg and p17_side.jpg). `views` are patterns for file names by the
    name of a view. A file that is named twice counts once. Regions are inputs of the policy by their names; where it has
    one input, all images are that.

    Raises:
        SpecError: `bad_policy` for a policy that cannot be read, whose window is not `item`, or that lacks an input.
        SettingsError: `bad_setting` for another `by`.
        ModelError: the model cannot be loaded. A bad image is a refusal of its item.
    """
    if by not in get_args(ItemBy):
        raise SettingsError(Reason.BAD_SETTING, f"a piece is the images of a call, folder or stem, got {by!r}")
    judging = _Judging.of(policy, views or {}, rois, limits)
    answering = predict(model, paths, rois=rois, workers=workers, provider=provider, limits=limits, progress=progress)
    pieces: dict[str, list[Prediction | Refusal]] = {}
    for outcome in _each_once(answering.outcomes):
        pieces.setdefault(_name(outcome.uri, by), []).append(outcome)
    return [judging.decided(name, outcomes) for name, outcomes in pieces.items()]


def _each_once(outcomes: Iterable[Prediction | Refusal]) -> Iterator[Prediction | Refusal]:
    """Without those of a file that was named before, by itself and with its folder: an image has one vote."""
    seen: set[tuple[str, str | None]] = set()
    for one in outcomes:
        key = os.path.realpath(one.uri), one.roi if isinstance(one, Prediction) else None
        if key not in seen:
            seen.add(key)
            yield one


def _name(uri: str, by: str) -> str:
    path = Path(uri)
    if by == "call":
        return "item"
    if by == "folder":
        return str(path.parent)
    found = _PREFIX.match(path.name)
    return str(path.parent / (found[1] if found else path.stem))


@dataclass(frozen=True, slots=True)
class _Judging:
    policy: Any
    views: Mapping[str, str]
    rois: Mapping[str, Roi]
    weighs: bool
    limits: DecodeLimits | None

    @classmethod
    def of(
        cls,
        source: str | Path | Mapping[str, Any],
        views: Mapping[str, str],
        rois: Sequence[Roi],
        limits: DecodeLimits | None,
    ) -> _Judging:
        from tellapart.workflows.watch.plan import asks_for_quality

        policy = read_policy(source)
        other = [name for name, track in policy.tracks.items() if track.window.item is None]
        if other:
            message = (
                f"the policy {identity(policy)} decides {other[0]!r} over time: for several images of one piece "
                "write window: {item: true}"
            )
            raise SpecError(Reason.BAD_POLICY, message)
        _expect_inputs(policy, [roi.name for roi in rois])
        return cls(policy, views, {roi.name: roi for roi in rois}, asks_for_quality(policy), limits)

    def decided(self, name: str, outcomes: Iterable[Prediction | Refusal]) -> ItemDecision:
        """All images of a piece are of one instant; their order in it is that of their names."""
        outcomes = list(outcomes)
        seen = [self._observation(one) for one in outcomes if isinstance(one, Prediction)]
        refusals = tuple(one for one in outcomes if isinstance(one, Refusal))
        decisions = Engine(self.policy, identity(self.policy), name).step(seen) if seen else []
        return ItemDecision(name, tuple(decisions), tuple(seen), refusals)

    def _observation(self, one: Prediction) -> Observation:
        only = next(iter(self.policy.inputs)) if len(self.policy.inputs) == 1 else one.roi or ""
        file = Path(one.uri).name
        view = next((name for name, pattern in self.views.items() if fnmatch(file, pattern)), None)
        identifier = f"{one.uri} [{one.roi}]" if one.roi else one.uri
        quality = self._quality(one) if self.weighs else None
        return Observation.of(one, at_s=0.0, input=only, id=identifier, view=view, quality=quality)

    def _quality(self, one: Prediction) -> float:
        from tellapart.image.decode import decode
        from tellapart.image.judging import quality
        from tellapart.image.roi import crop
        from tellapart.image.source import read_file
        from tellapart.image.types import DecodeLimits

        limits = self.limits or DecodeLimits()
        image = decode(read_file(one.uri, limits), limits=limits)
        roi = self.rois.get(one.roi or "")
        return quality(crop(image, roi) if roi is not None else image)


def _expect_inputs(policy: Any, regions: Sequence[str]) -> None:
    """Where a policy hears several inputs, regions of these names must be there, and no other."""
    inputs = list(policy.inputs)
    if len(inputs) > 1 and sorted(inputs) != sorted(regions):
        raise SpecError(
            Reason.BAD_POLICY,
            f"the policy {identity(policy)} has the inputs {', '.join(map(repr, inputs))}, and the regions are "
            f"{', '.join(map(repr, regions)) or 'none'}: name a region for each input",
        )
