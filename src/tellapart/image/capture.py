"""With what and when a photo was taken, as its camera wrote it into the file."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass

from PIL import ExifTags, Image

# The segment may be as long as its 16-bit length says, and lies at the start of the file, behind at most a JFIF header.
HEAD_BYTES = 66_000
_LATEST_START = 256
_MARK = b"\xff\xe1"
_EXIF = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Capture:
    """`camera`: maker and model; `taken`: local time as `YYYY:MM:DD HH:MM:SS`, unchecked. None where not written."""

    camera: str | None = None
    taken: str | None = None


NOTHING = Capture()


def capture(head: bytes) -> Capture:
    """What the first `HEAD_BYTES` bytes of a JPEG file say; nothing for other formats and damaged blocks, never an error."""
    found = head.find(_EXIF, 0, _LATEST_START)
    if found < 4 or not head.startswith(b"\xff\xd8") or head[found - 4 : found - 2] != _MARK:
        return NOTHING
    (length,) = struct.unpack_from(">H", head, found - 2)
    try:
        return _read(head[found : found + length - 2])
    # Whatever a damaged block makes Pillow raise: the tags are a hint, not a reason to refuse the image.
    except Exception:  # noqa: BLE001
        return NOTHING


def _read(block: bytes) -> Capture:
    exif = Image.Exif()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exif.load(block)
        maker, model = (_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
        taken = _text(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal))
    # Most makers begin the model with their name already.
    named = model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()
    return Capture(named or None, taken or None)


def _text(value: object) -> str:
    return value.replace("\0", " ").strip() if isinstance(value, str) else ""
