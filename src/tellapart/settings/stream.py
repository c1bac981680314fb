"""What a stream file says: cameras with their regions, the models that look at them, and what decides.

`docs/watch.md` explains every field. Loads pydantic: imported only where a stream file is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag

from tellapart.settings.policy import Count, Name, Seconds, Section, Share

Point = Annotated[tuple[Share, Share], Field(strict=False)]
SourceKind = Literal["auto", "folder", "video", "rtsp", "http", "mjpeg", "snapshot", "usb"]


class Motion(Section):
    """Look where something moves."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.01, description="Share of a region's pixels that must change."
    )
    fps: Annotated[float, Field(gt=0, le=240)] = Field(default=5.0, description="Images per second while it moves.")
    still_s: Seconds = Field(default=10.0, description="Seconds after which an image is taken although nothing moves.")


class Sample(Section):
    """Which images of a camera are looked at: exactly one of these."""

    fps: Annotated[float, Field(gt=0, le=240)] | None = Field(default=None, description="So many a second.")
    every: Literal[True] | None = Field(default=None, description="All of them.")
    motion: Motion | None = Field(default=None, description="Those in which something moves.")
    trigger: Name | None = Field(default=None, description="The first one after this trigger.")


class Region(Section):
    """A part of the picture, with the model that looks at it: a rectangle, a polygon, or all of the picture."""

    rect: Annotated[tuple[Share, Share, Share, Share], Field(strict=False)] | None = Field(
        default=None, description="x0, y0, x1, y1 in 0-1 of the upright picture's width and height."
    )
    polygon: Annotated[tuple[Point, ...], Field(min_length=3, strict=False)] | None = Field(
        default=None, description="Corners x, y in 0-1; what is outside is masked."
    )
    model: Name | None = Field(
        default=None, description="Which of the models looks at it; not needed where there is one."
    )
    policy: str | None = Field(default=None, description="Policy file that decides on this region alone.")
    view: Name | None = Field(
        default=None, description="Side of the piece that it shows, for policies that weigh views."
    )


class Reconnect(Section):
    """How long to wait before a lost camera is tried again: twice as long each time, with a little chance."""

    first_s: Seconds = Field(default=0.5, description="Wait after the first failure.")
    longest_s: Seconds = Field(default=30.0, description="Longest wait.")


class CameraSettings(Section):
    """One source of images."""

    source: Annotated[str, Field(min_length=1)] = Field(
        description="Folder, video file, rtsp:// or http:// address, or usb:0; ${NAME} is taken from the environment."
    )
    kind: SourceKind = Field(default="auto", description="What the source is; told from it unless named.")
    sample: Sample | None = Field(
        default=None, description="Which images are looked at; without, 2 a second, and every file of a folder."
    )
    regions: dict[Name, Region] = Field(default_factory=dict, description="Parts of the picture; none: all of it.")
    model: Name | None = Field(default=None, description="Model for regions that name none.")
    policy: str | None = Field(default=None, description="Policy file for regions that name none.")
    queue: Count = Field(default=4, description="Images that wait at most; the oldest is dropped and counted.")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="How RTSP travels.")
    pace: Literal["fast", "real"] = Field(
        default="fast", description="Video files: as fast as they are looked at without loss, or as they were recorded."
    )
    stale_after_s: Seconds = Field(default=5.0, description="No image for so long: the camera is stale.")
    frozen_after_s: Seconds | None = Field(
        default=10.0, description="Pixel for pixel the same picture for so long: frozen. Not for folders."
    )
    black_below: Annotated[float, Field(ge=0, le=255)] | None = Field(
        default=8.0, description="Black where 99 of 100 pixels are darker than this (0-255)."
    )
    settled_s: Seconds = Field(
        default=0.5, description="Folders: a file counts as written when it did not grow for so long."
    )
    existing: Literal["take", "skip"] = Field(
        default="take", description="Folders: what lies there at the start is looked at, or passed over."
    )
    reconnect: Reconnect = Field(default=Reconnect(), description="Waits before a lost camera is tried again.")


class DecisionSettings(Section):
    """A policy over several regions, models or cameras."""

    policy: str = Field(description="Policy file.")
    inputs: dict[Name, Name] = Field(
        min_length=1, description="By input of the policy: camera/region (camera alone where it has no regions)."
    )
    patience_s: Seconds = Field(default=1.0, description="How long to wait for images of the other inputs.")


class _Sink(Section):
    emit: Literal["changes", "all"] = Field(
        default="changes", description="Changes of state and ends of episodes, or the decision for every image."
    )


class JsonlSink(_Sink):
    """One JSON object a line."""

    jsonl: str = Field(description="File that lines are added to; - is the standard output.")


class CsvSink(_Sink):
    """One row a decision."""

    csv: str = Field(description="File that rows are added to.")


class EvidenceSink(_Sink):
    """The images behind each decision, with what was seen drawn on them."""

    evidence: str = Field(description="Folder; one folder a decision.")
    keep_days: Annotated[float, Field(gt=0)] | None = Field(default=None, description="Older ones are deleted.")
    keep_gb: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="The oldest are deleted above this."
    )


class CloudEventsSink(_Sink):
    """CloudEvents 1.0 in JSON, one a line."""

    cloudevents: str = Field(description="File that events are added to; - is the standard output.")
    source: str | None = Field(default=None, description="The attribute `source`; without, tellapart/NAME.")


SINKS: dict[str, type[_Sink]] = {
    "jsonl": JsonlSink,
    "csv": CsvSink,
    "evidence": EvidenceSink,
    "cloudevents": CloudEventsSink,
}


def sink_kind(value: Any) -> str | None:
    """The key that names the sink; None where there is none, or more than one."""
    keys = value if isinstance(value, dict) else type(value).model_fields
    named = [key for key in keys if key in SINKS]
    return named[0] if len(named) == 1 else None


SinkSettings = Annotated[
    Annotated[JsonlSink, Tag("jsonl")]
    | Annotated[CsvSink, Tag("csv")]
    | Annotated[EvidenceSink, Tag("evidence")]
    | Annotated[CloudEventsSink, Tag("cloudevents")],
    Discriminator(sink_kind),
]


class Record(Section):
    """What is kept of what was seen, for replays and for `why`."""

    before_s: Annotated[float, Field(ge=0)] = Field(default=5.0, description="Seconds kept before a change of state.")
    after_s: Annotated[float, Field(ge=0)] = Field(default=5.0, description="Seconds kept after it.")
    all: bool = Field(default=False, description="Keep everything that was looked at, not only around changes.")
    format: Literal["jpeg", "png"] = Field(
        default="jpeg",
        description="How pictures of video are kept; png loses nothing: a replay looks at the same pixels.",
    )
    keep_days: Annotated[float, Field(gt=0)] | None = Field(default=30.0, description="Older ones are deleted.")
    keep_gb: Annotated[float, Field(gt=0)] | None = Field(
        default=10.0, description="The oldest are deleted above this."
    )
    buffer_mb: Annotated[float, Field(gt=0)] = Field(default=512.0, description="Memory for what a change may need.")


class Trigger(Section):
    """What a machine says: it touches a file."""

    file: str = Field(description="Each time this file is written or touched, the trigger fires.")


class Stream(Section):
    """A whole stream file."""

    stream: Literal[1] = Field(description="Version of this format.")
    name: Name = Field(description="What health and events call it.")
    description: str = Field(default="", description="What it is for, in a line.")
    folder: str | None = Field(
        default=None,
        description="Where decisions, recordings and health are kept; without, NAME.watch beside the file.",
    )
    models: dict[Name, str] = Field(min_length=1, description="Model folders by name.")
    cameras: dict[Name, CameraSettings] = Field(min_length=1, description="Sources of images by name.")
    decisions: dict[Name, DecisionSettings] = Field(
        default_factory=dict, description="Policies over several inputs, by name."
    )
    triggers: dict[Name, Trigger] = Field(default_factory=dict, description="Signals of machines, by name.")
    sinks: Annotated[tuple[SinkSettings, ...], Field(strict=False)] = Field(
        default=(), description="Where decisions go besides the journal in the folder."
    )
    record: Record | None = Field(default=Record(), description="What is kept of the images; null: nothing.")

    # Values that `${NAME}` stood for, by name: `settings.stream_secrets` keeps them out of everything that is told.
    _secrets: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def secrets(self) -> dict[str, str]:
        """What `${NAME}` stood for, by name; never among the values that are written or compared."""
        return self._secrets

    def knowing(self, secrets: Mapping[str, str]) -> Stream:
        """The same stream that knows what `${NAME}` stood for."""
        copy = self.model_copy()
        copy._secrets = dict(secrets)
        return copy
