"""The same stream with other policies: what would have been decided?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tellapart.errors import Reason, SpecError
from tellapart.settings.stream import CameraSettings, DecisionSettings, Region, Stream


def with_policies_of(stream: Stream, folder: Path) -> Stream:
    """Policy files of a folder take the place of those of the same name; the others stay.

    Raises:
        SpecError: `bad_stream` where the folder holds no file that the stream names.
    """
    named = {Path(path).name for path in policies_of(stream)}
    there = {name for name in named if (folder / name).is_file()}
    if not there:
        names = ", ".join(sorted(named)) or "none"
        raise SpecError(
            Reason.BAD_STREAM, f"the folder {folder} holds none of the policy files that the stream names: {names}"
        )

    def other(one: Any) -> Any:
        path = one.policy
        return one if path is None or Path(path).name not in there else _with(one, str(folder / Path(path).name))

    cameras = {
        name: other(one.model_copy(update={"regions": {region: other(of) for region, of in one.regions.items()}}))
        for name, one in stream.cameras.items()
    }
    decisions = {name: other(one) for name, one in stream.decisions.items()}
    return stream.model_copy(update={"cameras": cameras, "decisions": decisions})


def policies_of(stream: Stream) -> list[str]:
    """Every policy file that a stream names."""
    places: list[CameraSettings | Region | DecisionSettings] = [*stream.cameras.values(), *stream.decisions.values()]
    places += [region for camera in stream.cameras.values() for region in camera.regions.values()]
    return [one.policy for one in places if one.policy is not None]


def _with(one: Any, path: str) -> Any:
    return one.model_copy(update={"policy": path})
