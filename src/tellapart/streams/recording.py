"""A recording read back: the same frames at the same instants, and what models said of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, ImageError, Reason
from tellapart.image.decode import decode
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange
from tellapart.streams.journal_run import journal_of_run
from tellapart.streams.layout import FRAMES, FRAMES_INDEX, RECORDING, RUNS, hour_of
from tellapart.streams.run_lines import RecordedRun, instant_in, lines_of, reading

EXACT_KINDS = ("file", "png")
_PREFIX = "observations-"


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one run: images that were answered, how many of these are not there, and how many not pixel for pixel."""

    n_seen: int
    n_missing: int
    n_inexact: int


class Recording:
    """What `Recorder` wrote below a stream's folder. A line that a kill tore at the end of a file is left out."""

    def __init__(self, folder: str | Path) -> None:
        """`folder` is a stream's folder, or the folder `recording` in it.

        Raises:
            DataError: `dataset_not_found` where there is no recording.
        """
        given = Path(folder)
        self.stream_folder = given if (given / RECORDING).is_dir() else given.parent
        self.folder = given / RECORDING if (given / RECORDING).is_dir() else given
        if not self.folder.is_dir():
            raise DataError(Reason.DATASET_NOT_FOUND, f"there is no recording {folder}: no such folder")
        if not (self.folder / RUNS).is_file():
            raise DataError(
                Reason.DATASET_NOT_FOUND,
                f"{folder} holds no recording: a stream's folder has one at {RECORDING}/{RUNS}",
            )

    @property
    def runs(self) -> tuple[RecordedRun, ...]:
        """In the order in which they were made.

        Raises:
            DataError: `recording_damaged`.
        """
        began: dict[str, float] = {}
        ended: dict[str, float] = {}
        path = self.folder / RUNS
        with reading(path):
            for line in lines_of(path):
                for of, key in ((began, "began"), (ended, "ended")):
                    if key in line:
                        of[str(line["run"])] = instant_in(line[key])
        following = [*list(began.values())[1:], math.inf]
        pairs = zip(began.items(), following, strict=True)
        return tuple(RecordedRun(run, at_s, ended.get(run), next_s) for (run, at_s), next_s in pairs)

    def answers(self, run: RecordedRun) -> Iterator[tuple[Frame, tuple[Seen, ...]]]:
        """Frames without their pixels and what was said of each, by time; refused images are not among them.

        Raises:
            DataError: `recording_damaged`.
        """
        for hour in self._hours(run):
            path = self.folder / f"{_PREFIX}{hour}.jsonl"
            with reading(path):
                rows = [_answer(row) for row in self._rows(path, run)]
            rows.sort(key=lambda row: (*_order(row[0]), row[1].observation.order))
            for _, same in groupby(rows, key=lambda row: _order(row[0])):
                of_frame = list(same)
                yield of_frame[0][0], tuple(seen for _, seen in of_frame)

    def observations(self) -> Iterator[Observation]:
        """Everything that models said, run after run, by time."""
        for run in self.runs:
            for _, seen in self.answers(run):
                yield from (one.observation for one in seen)

    def frames(self, run: RecordedRun | None = None) -> Iterator[Frame]:
        """Images that are there, by time; of one run or of all, run after run. One is read at a time.

        Raises:
            DataError: `recording_damaged`.
        """
        for one in self.runs if run is None else (run,):
            for hour in self._hours(one):
                for row in self._frame_rows(hour, one):
                    frame = self._frame(row, self.folder / FRAMES / hour / str(row["file"]))
                    if frame is not None:
                        yield frame

    def kept(self, run: RecordedRun) -> Kept:
        """How much of a run is there; no image is read."""
        seen: set[tuple[float, str, int]] = set()
        there: set[tuple[float, str, int]] = set()
        n_inexact = 0
        for hour in self._hours(run):
            path = self.folder / f"{_PREFIX}{hour}.jsonl"
            with reading(path):
                rows = self._rows(path, run)
                seen |= {(row["at"], row["frame"]["camera"], row["frame"]["number"]) for row in rows}
            for row in self._frame_rows(hour, run):
                if (self.folder / FRAMES / hour / row["file"]).exists():
                    there.add((row["at"], row["camera"], row["number"]))
                    n_inexact += row["kind"] not in EXACT_KINDS
        return Kept(len(seen), len(seen - there), n_inexact)

    def camera_changes(self, run: RecordedRun) -> list[CameraChange]:
        """What became of cameras during a run, as far as the journal beside the recording tells.

        Raises:
            DataError: `recording_damaged`.
        """
        changes = journal_of_run(self.stream_folder, "cameras", run, _camera_change)
        return sorted(changes, key=lambda one: one.at_s)

    def decisions(self, run: RecordedRun) -> list[Decision]:
        """Changes and ends of episodes that the journal beside the recording has of a run, in its order.

        Raises:
            DataError: `recording_damaged`.
        """
        return journal_of_run(self.stream_folder, "decisions", run, Decision.from_json)

    def _hours(self, run: RecordedRun) -> list[str]:
        of_lines = {path.stem[len(_PREFIX) :] for path in self.folder.glob(f"{_PREFIX}*.jsonl")}
        of_frames = {path.name for path in (self.folder / FRAMES).glob("*") if path.is_dir()}
        # The first image that was looked at need not be the oldest one; videos may be ahead of the end of their run.
        first = hour_of(run.began_s - 3600)
        last = hour_of(run.last_s) if math.isfinite(run.last_s) else "9"
        hours = sorted(hour for hour in of_lines | of_frames if hour >= first)
        return list(takewhile(lambda hour: hour <= last or self._mentions(hour, run), hours))

    def _mentions(self, hour: str, run: RecordedRun) -> bool:
        """Whether an hour has lines of a run, which is sooner found than read."""
        needle = f'"{run.id}"'.encode()
        files = (self.folder / f"{_PREFIX}{hour}.jsonl", self.folder / FRAMES / hour / FRAMES_INDEX)
        return any(file.exists() and needle in file.read_bytes() for file in files)

    def _rows(self, path: Path, run: RecordedRun) -> list[dict[str, Any]]:
        return [row for row in lines_of(path) if row["frame"]["run"] == run.id] if path.exists() else []

    def _frame_rows(self, hour: str, run: RecordedRun) -> list[dict[str, Any]]:
        path = self.folder / FRAMES / hour / FRAMES_INDEX
        with reading(path):
            found = [_frame_row(row) for row in lines_of(path) if row["run"] == run.id] if path.exists() else []
        # Twice the same file: the later line is about what is there.
        return sorted(
            {row["file"]: row for row in found}.values(), key=lambda row: (row["at"], row["camera"], row["number"])
        )

    def _frame(self, row: dict[str, Any], path: Path) -> Frame | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None  # gone by retention
        except OSError as exc:
            raise DataError(Reason.RECORDING_DAMAGED, f"{path} cannot be read: {exc.strerror or exc}") from exc
        try:
            image = data if row["kind"] == "file" else decode(data).pixels
        except ImageError as exc:
            raise DataError(
                Reason.RECORDING_DAMAGED, f"{path} is not the image that was recorded: {exc}; delete it to go on"
            ) from exc
        at_s, trigger = float(row["at"]), row.get("trigger")
        return Frame(str(row["camera"]), int(row["number"]), at_s, image, str(row["uri"]), trigger)


def _frame_row(row: dict[str, Any]) -> dict[str, Any]:
    """What is read of a line about an image; its file lies in the folder of its hour and nowhere else."""
    file, trigger = str(row["file"]), row.get("trigger")
    if Path(file).name != file:
        raise ValueError(f"{file!r} is no name of a file")
    texts = {name: str(row[name]) for name in ("camera", "kind", "uri")}
    values = {"at": instant_in(row["at"]), "number": int(row["number"]), "file": file, **texts}
    return values if trigger is None else {**values, "trigger": str(trigger)}


def _camera_change(row: dict[str, Any]) -> CameraChange:
    return CameraChange(row["camera"], float(row["at"]), row["state"], row["was"], row.get("message", ""))


def _answer(row: dict[str, Any]) -> tuple[Frame, Seen]:
    place = row.pop("frame")
    seen = Observation.from_json(row)
    frame = Frame(str(place["camera"]), int(place["number"]), seen.at_s, b"", seen.uri, seen.trigger)
    return frame, Seen(frame, Roi.from_json(place["region"]) if "region" in place else None, seen)


def _order(frame: Frame) -> tuple[float, str, int]:
    return frame.at_s, frame.camera, frame.number
