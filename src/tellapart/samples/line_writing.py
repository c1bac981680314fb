"""A filmed line as files: a folder of pictures for each sequence, their labels, and the truth by episodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Unpack

from tellapart.samples.line import LineVideo, LineVideoOptions
from tellapart.samples.line_frames import LineFrame, Progress, iter_line
from tellapart.samples.line_plan import LineSequence, plan
from tellapart.samples.line_video import VideoFiles
from tellapart.samples.writing import new_folder, write_csv

LABEL_COLUMNS = ("file_name", "label", "group", "split")
FRAME_COLUMNS = ("file_name", "sequence", "at", "part", "kind", "shows")
EPISODE_COLUMNS = ("sequence", "start", "end", "state", "part", "kind")


def write_line(
    folder: str | Path,
    *,
    videos: bool = False,
    progress: Progress | None = None,
    **options: Unpack[LineVideoOptions],
) -> None:
    """Film a line into a new folder, which appears when it is complete.

    `folder/seq_001/000000.jpg` and so on are the pictures, picture `n` taken `n / fps` seconds after the beginning.
    `metadata.csv` labels them (`LABEL_COLUMNS`) and is what `train` reads: each sequence is a group, and the last third of
    them is for testing. `truth.csv` holds the parts (`EPISODE_COLUMNS`): from when to when each was in the picture (seconds,
    end exclusive) and its state. `frames.csv` holds what only the generator knows (`FRAME_COLUMNS`), with `shows`: whether
    the part's fault can be seen in that picture. `videos` adds `videos/seq_001.avi` and so on (Motion JPEG).

    Raises:
        SettingsError: an option has a value it cannot have.
        MissingExtra: videos are wanted and OpenCV is not installed.
        DataError: output_exists, when the folder is there and not empty; write_failed.
    """
    line = LineVideo(**options)
    sequences = plan(line)
    with ExitStack() as stack:
        filmed = stack.enter_context(VideoFiles(line.fps)) if videos else None
        partial = stack.enter_context(new_folder(Path(folder), "the line"))
        frames = iter_line(line, sequences, progress)
        known = [_kept(frame, partial, filmed) for frame in frames]
        write_csv(partial / "metadata.csv", LABEL_COLUMNS, (label for label, _ in known))
        write_csv(partial / "frames.csv", FRAME_COLUMNS, (facts for _, facts in known))
        write_csv(partial / "truth.csv", EPISODE_COLUMNS, _episodes(line, sequences))


def _kept(frame: LineFrame, folder: Path, filmed: VideoFiles | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write a picture; its rows in the two tables."""
    place = f"{frame.sequence}/{frame.name}"
    (folder / frame.sequence).mkdir(exist_ok=True)
    (folder / place).write_bytes(frame.jpeg)
    if filmed is not None:
        filmed.add(folder / "videos" / f"{frame.sequence}.avi", frame.pixels)
    shows = {None: "", True: "yes", False: "no"}[frame.shows]
    label = (place, frame.label, frame.sequence, frame.split)
    return label, (place, frame.sequence, _seconds(frame.at_s), frame.part, frame.kind, shows)


def _episodes(line: LineVideo, sequences: Iterable[LineSequence]) -> Iterator[tuple[str, ...]]:
    for sequence in sequences:
        for one in sequence.passages:
            name = f"{sequence.name}/{one.name}"
            times = (_seconds(one.start_s), _seconds(one.end_s))
            yield (sequence.name, *times, line.label(one.kind), name, one.kind)


def _seconds(value: Any) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
