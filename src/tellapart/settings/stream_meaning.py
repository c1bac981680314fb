"""What a stream file says that cannot be meant: names that nothing declares, and choices that exclude one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tellapart.errors import SpecError
from tellapart.settings.faults import Step, meant
from tellapart.settings.policy import Policy
from tellapart.settings.policy_file import read_policy
from tellapart.settings.stream import CameraSettings, Region, Sample, Stream

Path = tuple[Step, ...]
Fault = tuple[Path, str]
Told = Callable[[Path], str]
_IN_NAMES = "/\\\0"


def contradictions(stream: Stream, told: Told) -> Iterator[Fault]:
    """The place of each fault, and a sentence about it that names the place."""
    policies: dict[str, Policy | str] = {}
    for path, sentence in (*_names(stream), *_cameras(stream, policies), *_decisions(stream, policies)):
        yield path, f"{told(path)} {sentence}"


def input_names(stream: Stream) -> list[str]:
    """What decisions may hear: camera/region, or the camera alone where it has no regions."""
    return [
        f"{name}/{region}" if region else name
        for name, camera in stream.cameras.items()
        for region in camera.regions or [""]
    ]


def _names(stream: Stream) -> Iterator[Fault]:
    """Names become parts of others, and of file names."""
    named: list[tuple[Path, str]] = [(("name",), stream.name)]
    named += [(("cameras", name), name) for name in stream.cameras]
    named += [(("cameras", camera, "regions", n), n) for camera, one in stream.cameras.items() for n in one.regions]
    named += [(("decisions", name), name) for name in stream.decisions]
    for path, name in named:
        if name.startswith(".") or name != name.strip() or any(c in _IN_NAMES or not c.isprintable() for c in name):
            yield path, "is part of other names and of files: it may not begin with a dot, nor hold / or \\"
    for name in stream.decisions:
        if name in input_names(stream):
            yield ("decisions", name), "is called like a camera: decisions are told apart by their names"


def _cameras(stream: Stream, policies: dict[str, Policy | str]) -> Iterator[Fault]:
    for name, camera in stream.cameras.items():
        path: Path = ("cameras", name)
        if camera.sample is not None:
            yield from _sample(camera.sample, stream, (*path, "sample"))
        yield from _model(camera.model, stream, (*path, "model"))
        yield from _alone(camera.policy, policies, (*path, "policy"))
        if not camera.regions and camera.model is None and len(stream.models) > 1:
            yield path, f"must name its model: there are {', '.join(stream.models)}"
        for region_name, region in camera.regions.items():
            yield from _region(region, camera, stream, policies, (*path, "regions", region_name))


def _region(
    region: Region, camera: CameraSettings, stream: Stream, policies: dict[str, Policy | str], path: Path
) -> Iterator[Fault]:
    if region.rect is not None and region.polygon is not None:
        yield path, "is a rect or a polygon, not both"
    if not _has_area(region):
        yield path, "has no area: x0, y0 are the upper left corner of a rect and x1, y1 the lower right one"
    yield from _model(region.model, stream, (*path, "model"))
    yield from _alone(region.policy, policies, (*path, "policy"))
    if region.model is None and camera.model is None and len(stream.models) > 1:
        yield path, f"must name its model: there are {', '.join(stream.models)}"


def _has_area(region: Region) -> bool:
    if region.rect is not None:
        x0, y0, x1, y1 = region.rect
        return x0 < x1 and y0 < y1
    points = region.polygon or ((0.0, 0.0), (1.0, 1.0))
    return len({x for x, _ in points}) > 1 and len({y for _, y in points}) > 1


def _sample(sample: Sample, stream: Stream, path: Path) -> Iterator[Fault]:
    named = [name for name in type(sample).model_fields if getattr(sample, name) is not None]
    if len(named) != 1:
        yield path, f"names one of fps, every, motion and trigger, got {' and '.join(named) or 'none'}"
    if sample.trigger is not None and sample.trigger not in stream.triggers:
        known = meant(sample.trigger, stream.triggers)
        yield (*path, "trigger"), f"names the trigger {sample.trigger!r}, which is not declared{known}"


def _model(model: str | None, stream: Stream, path: Path) -> Iterator[Fault]:
    if model is not None and model not in stream.models:
        yield path, f"names the model {model!r}, which is not declared{meant(model, stream.models)}"


def _alone(file: str | None, policies: dict[str, Policy | str], path: Path) -> Iterator[Fault]:
    """A policy of one region hears one input."""
    if file is None:
        return
    policy = _read(file, policies)
    if isinstance(policy, str):
        yield path, f"cannot be used: {policy}"
    elif len(policy.inputs) > 1:
        names = ", ".join(policy.inputs)
        yield path, f"names a policy of several inputs ({names}): say in `decisions` which regions these are"


def _decisions(stream: Stream, policies: dict[str, Policy | str]) -> Iterator[Fault]:
    known = input_names(stream)
    for name, decision in stream.decisions.items():
        path: Path = ("decisions", name)
        for of_policy, region in decision.inputs.items():
            if region not in known:
                yield (*path, "inputs", of_policy), f"names {region!r}, which no camera shows{meant(region, known)}"
        policy = _read(decision.policy, policies)
        if isinstance(policy, str):
            yield (*path, "policy"), f"cannot be used: {policy}"
            continue
        for of_policy in decision.inputs:
            if of_policy not in policy.inputs:
                yield (*path, "inputs", of_policy), f"is no input of the policy{meant(of_policy, policy.inputs)}"
        for of_policy in policy.inputs:
            if of_policy not in decision.inputs:
                yield (*path, "inputs"), f"lacks {of_policy!r}, which the policy hears"


def _read(file: str, policies: dict[str, Policy | str]) -> Policy | str:
    """Each file once: the policy, or what is wrong with it."""
    if file not in policies:
        try:
            policies[file] = read_policy(file)
        except SpecError as error:
            policies[file] = str(error)
    return policies[file]
