"""The files of a recording as they are written: lines of answers by the hour, images by the hour, and when runs began.

A failed disk is counted and told, never raised: a stream goes on without its memory.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tellapart.files import replacing
from tellapart.image.encode import encode_jpeg, encode_png
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.streams.frame import Frame
from tellapart.streams.journal import as_line
from tellapart.streams.layout import FRAMES, FRAMES_INDEX, RUNS, ending_of, frame_stem, hour_of, observations_file
from tellapart.streams.lines import LineFile
from tellapart.streams.retention import Retention

JPEG_QUALITY = 92
_GATHER_S = 0.5
_GATHER_LINES = 200


class KeptFiles:
    """Written to from one thread; `counts` may be read from any."""

    idle_s = _GATHER_S

    def __init__(self, recording: Path, settings: Any, run: str) -> None:
        self._folder, self._png = recording, settings.format == "png"
        self._retention = Retention(recording, settings.keep_days, settings.keep_gb)
        self._files: OrderedDict[Path, LineFile] = OrderedDict()
        self._gathered: dict[Path, list[bytes]] = {}
        self._flushed_s = time.monotonic()
        self.run = run
        self.counts: dict[str, Any] = {
            "n_observations": 0,
            "n_frames": 0,
            "n_failed": 0,
            "n_deleted": 0,
            "n_bytes": 0,
            "message": "",
            "is_failing": False,
        }

    def begin(self, at_s: float) -> None:
        """A run begins: policies know nothing of what was before. Counts what is there already."""
        self._trying(0, lambda: self._retention.count())
        self._trying(1, lambda: self._add_lines(self._folder / RUNS, [as_line({"run": self.run, "began": at_s})]))

    def end(self, at_s: float) -> None:
        """The run was ended at an instant up to which silence counts."""
        self.flush()
        self._trying(1, lambda: self._add_lines(self._folder / RUNS, [as_line({"run": self.run, "ended": at_s})]))

    def add_answers(self, camera: str, number: int, rows: Sequence[tuple[Roi | None, Observation]]) -> None:
        """One line for each; written with the next ones after a moment."""
        place = {"run": self.run, "camera": camera, "number": number}
        for roi, seen in rows:
            where = place if roi is None else {**place, "region": roi.to_json()}
            path = observations_file(self._folder, seen.at_s)
            self._gathered.setdefault(path, []).append(as_line({**seen.to_json(), "frame": where}))
        late = time.monotonic() - self._flushed_s > _GATHER_S
        if late or sum(map(len, self._gathered.values())) >= _GATHER_LINES:
            self.flush()

    def add_frame(self, frame: Frame, uri: str) -> None:
        """The image as a file, and then its line in the list of its hour."""
        self._trying(1, lambda: self._write_frame(frame, uri))

    def tick(self, now_s: float) -> None:
        """Delete what is kept for too long, or is too much."""
        self.flush()
        self._trying(0, lambda: self._retention.apply(now_s, hour_of(now_s)))
        self._counted()

    def flush(self) -> None:
        """Write the lines that were gathered."""
        self._flushed_s = time.monotonic()
        gathered, self._gathered = self._gathered, {}
        for path, lines in gathered.items():
            if self._trying(len(lines), lambda path=path, lines=lines: self._add_lines(path, lines)):  # type: ignore[misc]
                self.counts["n_observations"] += len(lines)

    def close(self) -> None:
        """Nothing more comes."""
        self.flush()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def failed(self, n: int, message: str) -> None:
        """So much could not be kept."""
        self.counts["n_failed"] += n
        self.counts |= {"message": message, "is_failing": True}

    def _write_frame(self, frame: Frame, uri: str) -> None:
        kind, ending, data = self._encoded(frame)
        hour = self._folder / FRAMES / hour_of(frame.at_s)
        path = hour / (frame_stem(frame.camera, frame.at_s) + ending)
        hour.mkdir(parents=True, exist_ok=True)
        with replacing(path, sync=False) as temporary:
            temporary.write_bytes(data)
        line: dict[str, Any] = {"at": frame.at_s, "camera": frame.camera, "number": frame.number, "run": self.run}
        line |= {"file": path.name, "kind": kind, "uri": uri}
        if frame.trigger is not None:
            line["trigger"] = frame.trigger
        self._add_lines(hour / FRAMES_INDEX, [as_line(line)])
        self.counts["n_frames"] += 1
        self._retention.added(len(data))
        if self._retention.is_over:
            self.tick(frame.at_s)

    def _encoded(self, frame: Frame) -> tuple[str, str, bytes]:
        """(kind, ending, bytes): `file` is what the source delivered, `png` its very pixels, `jpeg` nearly so."""
        if isinstance(frame.image, bytes):
            return "file", ending_of(frame.image), frame.image
        if self._png:
            return "png", ".png", encode_png(frame.image, level=1)
        return "jpeg", ".jpg", encode_jpeg(frame.image, JPEG_QUALITY)

    def _add_lines(self, path: Path, lines: list[bytes]) -> None:
        file = self._files.pop(path, None) or LineFile(path)
        self._files[path] = file
        while len(self._files) > 6:
            self._files.popitem(last=False)[1].close()
        data = b"".join(lines)
        file.add(data)
        self._retention.added(len(data))

    def _trying(self, n: int, work: Callable[[], Any]) -> bool:
        try:
            work()
        except OSError as exc:
            self.failed(n, f"{exc.filename or self._folder} could not be written: {exc.strerror or exc}")
            return False
        finally:
            self._counted()
        if n:
            self.counts["is_failing"] = False
        return True

    def _counted(self) -> None:
        self.counts["n_deleted"], self.counts["n_bytes"] = self._retention.n_deleted, self._retention.n_bytes
