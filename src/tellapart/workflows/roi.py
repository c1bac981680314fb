"""Pictures of regions: of an image and regions that are given, or of the cameras of a stream file with theirs."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.errors import DataError, ImageError, Reason, SettingsError, StreamError
from tellapart.files import replacing
from tellapart.image.decode import decode
from tellapart.image.encode import encode_png
from tellapart.image.region_map import region_map
from tellapart.image.roi import crop
from tellapart.image.source import read_file
from tellapart.image.types import DecodeLimits, RgbImage
from tellapart.records.roi import Roi

if TYPE_CHECKING:
    from tellapart.settings.stream import Stream

WAIT_S = 10.0
_UNFIT = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class DrawnRegion:
    """A region with the pixels (width, height) that a model gets of it, before it scales them."""

    roi: Roi
    pixels: tuple[int, int]

    def told(self) -> str:
        """A line for people."""
        x0, y0, x1, y1 = self.roi.box
        kind = f"{len(self.roi.points)} corners in" if self.roi.is_polygon else "rectangle"
        name = f"{self.roi.name}: " if self.roi.name else ""
        return f"{name}{kind} {x0:g}, {y0:g} to {x1:g}, {y1:g}; {self.pixels[0]} × {self.pixels[1]} pixels"


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture that was written; `size` is that of the image (width, height), `camera` "" for an image that was given."""

    path: Path
    size: tuple[int, int]
    regions: tuple[DrawnRegion, ...]
    camera: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        regions = [one.roi.to_json() | {"pixels": list(one.pixels)} for one in self.regions]
        value: dict[str, Any] = {"path": str(self.path), "size": list(self.size), "regions": regions}
        return value if not self.camera else {"camera": self.camera} | value


def draw_regions(
    image: str | Path, rois: Sequence[Roi] = (), *, output: str | Path, limits: DecodeLimits = DecodeLimits()
) -> DrawnPicture:
    """Draw regions on an image file, as PNG to `output`; without regions the grid alone, to read coordinates off.

    Raises:
        ImageError: the image cannot be decoded, or `roi_empty` for a polygon without area.
        SettingsError: `bad_setting`, `output` is the image itself.
        DataError: `write_failed`.
    """
    _expect_another(Path(image), Path(output))
    return _drawn(decode(read_file(image, limits), limits=limits), rois, Path(output))


def draw_stream_regions(
    stream: Stream | str | Path,
    *,
    output: str | Path,
    camera: str | None = None,
    image: str | Path | None = None,
    wait_s: float = WAIT_S,
    limits: DecodeLimits = DecodeLimits(),
) -> list[DrawnPicture]:
    """Draw the regions of a stream's cameras, each on its first picture or, for one camera, on an `image`.

    `output` is a PNG file for one camera, a folder of CAMERA.png for several. `wait_s` is how long a picture may take to come.

    Raises:
        SpecError: `bad_stream`.
        SettingsError: `bad_setting` for a camera that is not there, or a file where several pictures are drawn.
        StreamError: `source_lost` when no picture came.
        ImageError, DataError: as `draw_regions`.
    """
    from tellapart.settings.stream_file import read_stream

    stream = read_stream(stream) if isinstance(stream, str | Path) else stream
    names = _chosen(stream, camera, image, Path(output))
    places = _places(names, Path(output))
    if image is not None:
        _expect_another(Path(image), places[names[0]])
        pictures = {names[0]: decode(read_file(image, limits), limits=limits)}
    else:
        pictures = _first_pictures(stream, names, wait_s, limits)
    return [_drawn(pictures[name], _rois(stream, name), places[name], name) for name in names]


def _chosen(stream: Stream, camera: str | None, image: str | Path | None, output: Path) -> list[str]:
    known = ", ".join(map(repr, stream.cameras))
    if camera is not None and camera not in stream.cameras:
        raise SettingsError(Reason.BAD_SETTING, f"the stream has no camera {camera!r}, its cameras are {known}")
    names = list(stream.cameras) if camera is None else [camera]
    if len(names) > 1 and image is not None:
        raise SettingsError(Reason.BAD_SETTING, f"an image stands for one camera: name it, there are {known}")
    if len(names) > 1 and output.suffix.lower() == ".png":
        message = (
            f"{output} is one picture, and {len(names)} cameras have one each: name a folder, or a camera of {known}"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    return names


def _places(names: Sequence[str], output: Path) -> dict[str, Path]:
    """A file for each camera; names that look alike as files get a number."""
    if len(names) == 1 and not output.is_dir():
        return {names[0]: output}
    stems = [_UNFIT.sub("_", name) for name in names]
    numbers = [stems[:at].count(stem) for at, stem in enumerate(stems)]
    return {
        name: output / (f"{stem} ({number + 1}).png" if number else f"{stem}.png")
        for name, stem, number in zip(names, stems, numbers, strict=True)
    }


def _expect_another(image: Path, output: Path) -> None:
    if output.exists() and image.exists() and output.samefile(image):
        message = f"{output} is the image itself, which would be lost: name another file to write to"
        raise SettingsError(Reason.BAD_SETTING, message)


def _rois(stream: Stream, camera: str) -> list[Roi]:
    from tellapart.workflows.watch.plan import roi_of

    whole = Roi(((0.0, 0.0), (1.0, 1.0)))
    regions = stream.cameras[camera].regions
    return [roi_of(region, name) or Roi(whole.points, name) for name, region in regions.items()]


def _first_pictures(stream: Stream, names: Sequence[str], wait_s: float, limits: DecodeLimits) -> dict[str, RgbImage]:
    """Each camera is captured by a process of its own, which ends with the first picture or with the time."""
    from tellapart.settings.stream import Sample
    from tellapart.streams.cameras import Cameras
    from tellapart.streams.clock import Clock

    every = {"sample": Sample(every=True), "black_below": None, "frozen_after_s": None}
    settings = {name: stream.cameras[name].model_copy(update=every) for name in names}
    found: dict[str, RgbImage] = {}
    messages: dict[str, str] = {}
    until = time.monotonic() + wait_s
    with Cameras(settings, Clock.started_now()) as cameras:
        while len(found) < len(names) and (left := until - time.monotonic()) > 0:
            for frame in cameras.wait(min(left, 0.5)):
                if frame.camera not in found:
                    try:
                        found[frame.camera] = _decoded(frame.image, limits)
                    except ImageError as exc:
                        messages[frame.camera] = f"{frame.uri}: {exc}"
            messages |= {one.camera: one.message for one in cameras.changes() if one.message}
            if cameras.ended:
                break
    missing = next((name for name in names if name not in found), None)
    if missing is not None:
        raise StreamError(Reason.SOURCE_LOST, _no_picture(stream, missing, messages.get(missing, ""), wait_s))
    return found


def _decoded(image: Any, limits: DecodeLimits) -> RgbImage:
    if isinstance(image, bytes):
        return decode(image, limits=limits)
    return RgbImage(image, (image.shape[1], image.shape[0]), None)


def _no_picture(stream: Stream, camera: str, message: str, wait_s: float) -> str:
    from tellapart.settings.stream_secrets import hidden

    why = f" ({message})" if message else ""
    told = f"the camera {camera!r} gave no picture within {wait_s:g} s{why}: wait longer, or give an image of it"
    return hidden(told, stream.secrets)


def _drawn(image: RgbImage, rois: Sequence[Roi], path: Path, camera: str = "") -> DrawnPicture:
    regions = tuple(DrawnRegion(roi, _size(crop(image, roi))) for roi in rois)
    sheet = encode_png(region_map(image.pixels, rois, [one.told() for one in regions]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(sheet)
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc
    return DrawnPicture(path, _size(image), regions, camera)


def _size(image: RgbImage) -> tuple[int, int]:
    height, width = image.pixels.shape[:2]
    return width, height
