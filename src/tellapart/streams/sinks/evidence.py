"""A folder with the images behind each decision: as they came, and with what was seen drawn on them."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from tellapart.errors import ImageError, Reason, StreamError
from tellapart.image.decode import decode
from tellapart.image.encode import encode_jpeg, encode_png
from tellapart.image.overlay import overlay
from tellapart.records.decision import Decision
from tellapart.streams.event import Event, Seen
from tellapart.streams.layout import ending_of, file_instant, instant
from tellapart.streams.sinks import wanted
from tellapart.streams.sinks.old_folders import OldFolders

MAX_IMAGES = 32
DECISION_FILE = "decision.json"
_NEW, _LEFT_S = ".new-", 600.0


class EvidenceFolder:
    """`TIME_ID/` with `decision.json` and for each image `01-CAMERA.EXT` and `01-CAMERA.overlay.jpg`, oldest first.

    A folder appears whole. Of more than 32 images the last ones are there; `decision.json` names all of them.
    """

    def __init__(self, folder: Path, emit: str, keep_days: float | None, keep_gb: float | None) -> None:
        self._folder, self._emit = folder, emit
        self._old = OldFolders(folder, DECISION_FILE, keep_days, keep_gb)
        self._is_swept = False
        self.name = f"evidence {folder}"

    def emit(self, event: Event) -> None:
        """Write the folder of a decision, and delete what is kept for too long.

        Raises:
            StreamError: `sink_failed`; nothing of the folder is there.
        """
        if event.decision is None or not wanted(event, self._emit):
            return
        self._sweep()
        try:
            self._write(event.stream, event.decision, event.evidence()[-MAX_IMAGES:])
        except OSError as exc:
            raise StreamError(
                Reason.SINK_FAILED, f"{exc.filename or self._folder} could not be written: {exc.strerror or exc}"
            ) from exc

    def close(self) -> None:
        """Nothing is open."""

    def _sweep(self) -> None:
        """What a kill left unfinished goes; another process may write here as well, so only what has been there for long."""
        if not self._is_swept:
            self._is_swept = True
            for left in self._folder.glob(f"{_NEW}*"):
                with suppress(OSError):
                    if time.time() - left.stat().st_mtime > _LEFT_S:
                        shutil.rmtree(left, ignore_errors=True)

    def _write(self, stream: str, decision: Decision, seen: tuple[Seen, ...]) -> None:
        place = self._folder / f"{file_instant(decision.at_s)}_{decision.id}"
        new = self._folder / f"{_NEW}{os.getpid():x}-{decision.id}"
        try:
            new.mkdir(parents=True, exist_ok=True)
            images = [_write_image(new, number, one, decision) for number, one in enumerate(seen, 1)]
            value = {"stream": stream, "decision": decision.to_json(), "images": images}
            text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
            (new / DECISION_FILE).write_text(text, encoding="utf-8", errors="backslashreplace")
            if place.exists():  # the same decision again: a replay
                shutil.rmtree(place)
            new.rename(place)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        self._old.wrote(place, decision.at_s)


def _write_image(folder: Path, number: int, one: Seen, decision: Decision) -> dict[str, object]:
    """Returns what `decision.json` says about it."""
    stem = f"{number:02d}-{_safe(one.frame.camera)}"
    image = one.frame.image
    if isinstance(image, bytes):
        ending, data = ending_of(image), image
    else:
        ending, data = ".png", encode_png(image, level=1)
    original = folder / (stem + ending)
    original.write_bytes(data)
    value: dict[str, object] = {"file": original.name, "camera": one.frame.camera, **one.observation.to_json()}
    if one.roi is not None:
        value["region"] = one.roi.to_json()
    with suppress(ImageError):  # it was looked at, and may still be refused here: cut off by a camera, say
        pixels = decode(image).pixels if isinstance(image, bytes) else image
        drawn = folder / f"{stem}.overlay.jpg"
        drawn.write_bytes(encode_jpeg(overlay(pixels, one.roi, captions(one, decision)), quality=85))
        value["overlay"] = drawn.name
    return value


def captions(one: Seen, decision: Decision) -> list[str]:
    """Three lines: what the model said, what was decided, and when and where."""
    seen = one.observation
    pairs = sorted(seen.confidences.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    said = ", ".join(f"{name} {p:.1%}" for name, p in pairs)
    answer = (
        "unlike anything known" if seen.unknown else "no answer" if not seen.predicted else ", ".join(seen.predicted)
    )
    where = f"{one.frame.camera}/{one.roi.name}" if one.roi and one.roi.name else one.frame.camera
    return [f"{answer}  ({said})", f"{decision.state} by {decision.rule}", f"{where}  {instant(seen.at_s)}"]


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:60] or "camera"
