"""Where a stream's folder keeps what, and how times become names: UTC throughout, so that names sort by time."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from tellapart.errors import ImageError
from tellapart.image.sniff import sniff

DECISIONS, POLICIES, RECORDING, FRAMES, RUNS = "decisions", "policies", "recording", "frames", "runs.jsonl"
LOCK = ".in-use"
FRAMES_INDEX = "frames.jsonl"
_ENDINGS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WebP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
    "TIFF": ".tif",
    "AVIF": ".avif",
}
_NO_IMAGE = ".bin"
ENDINGS = (*_ENDINGS.values(), _NO_IMAGE)
"""All that names of images end with."""


def new_run() -> str:
    """Names a run of `watch`: the journal and the recording say it with each line."""
    return f"{time.time_ns() // 1_000_000:x}-{os.getpid():x}"


def day_of(at_s: float) -> str:
    """`2026-11-22`."""
    return _utc(at_s).strftime("%Y-%m-%d")


def hour_of(at_s: float) -> str:
    """`2026-11-22-08`."""
    return _utc(at_s).strftime("%Y-%m-%d-%H")


def instant(at_s: float) -> str:
    """RFC 3339 with microseconds: `2026-11-22T08:21:35.250000Z`."""
    return _utc(at_s).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def file_instant(at_s: float) -> str:
    """Sorts by time, and suits any file system: `2026-11-22T08-21-35.250Z`."""
    now = _utc(at_s)
    return now.strftime("%Y-%m-%dT%H-%M-%S.") + f"{now.microsecond // 1000:03d}Z"


def journal_file(folder: Path, at_s: float) -> Path:
    """Of the day of an instant, in a stream's folder."""
    return folder / DECISIONS / f"decisions-{day_of(at_s)}.jsonl"


def cameras_file(folder: Path, at_s: float) -> Path:
    """What became of cameras on the day of an instant."""
    return folder / DECISIONS / f"cameras-{day_of(at_s)}.jsonl"


def policy_file(folder: Path, identity: str) -> Path:
    """Of the policy that a decision names `name@hash`."""
    return folder / POLICIES / f"{identity.rpartition('@')[2]}.yaml"


def observations_file(recording: Path, at_s: float) -> Path:
    """Of the hour of an instant, in the folder `recording`."""
    return recording / f"observations-{hour_of(at_s)}.jsonl"


def frame_stem(camera: str, at_s: float) -> str:
    """Name of an image without its ending: time first, so that names sort by it; names of cameras may hold anything."""
    name = quote(camera, safe=" ()+,=@")
    if len(name) > 120:
        name = sha256(camera.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{at_s:017.6f}_{name}"


def ending_of(data: bytes) -> str:
    """What the name of an image file ends with, told by its bytes: `.bin` where these are no image."""
    try:
        return _ENDINGS[sniff(data)]
    except ImageError:
        return _NO_IMAGE


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
