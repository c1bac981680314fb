"""What a stream decided, kept for good: each change of state and end of an episode, with the images behind it in short.

Who calls what: `workflows/watch` opens one `Journal` for the stream's folder before anything else writes there, calls
`keep_policy` once for each policy, then `decided` for each decision and `camera` for each change of a camera.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tellapart.errors import Reason, StreamError
from tellapart.files import holding, replacing
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.streams.health import CameraChange
from tellapart.streams.layout import LOCK, cameras_file, journal_file, policy_file
from tellapart.streams.lines import LineFile

MAX_LABELS = 8
"""So many of an image's confidences are kept, the highest ones, and those that it answered."""


@dataclass(frozen=True, slots=True)
class Behind:
    """An image behind a decision without its pixels: what is left of it when the pixels are gone."""

    camera: str
    number: int
    roi: Roi | None
    observation: Observation

    def to_json(self) -> dict[str, Any]:
        """In short: figures of the likeliest labels rounded to 6 digits, region and places."""
        one = self.observation
        pairs = sorted(one.confidences.items(), key=lambda pair: (-pair[1], pair[0]))
        kept = [(name, p) for place, (name, p) in enumerate(pairs) if place < MAX_LABELS or name in one.predicted]
        value: dict[str, Any] = {"id": one.id, "at": one.at_s, "camera": self.camera, "number": self.number}
        value |= {"input": one.input, "uri": one.uri, "modelId": one.model_id}
        if self.roi is not None:
            value["region"] = self.roi.to_json()
        value["confidences"] = {name: round(float(p), 6) for name, p in kept}
        value |= {"predicted": list(one.predicted), "unknown": one.unknown, "oodScore": round(float(one.ood_score), 6)}
        further = {"quality": one.quality, "view": one.view, "trigger": one.trigger}
        return value | {name: known for name, known in further.items() if known is not None}


class Journal:
    """`decisions/decisions-DAY.jsonl` by the UTC day of each decision; never deleted by anything here.

    Holds the stream's folder for itself as long as it is open; the system lets go of it however the process ends.
    """

    def __init__(self, folder: Path, *, run: str | None = None) -> None:
        """Make the folder where it is missing, and take it. `run` stands in each line: times of two runs may overlap.

        Raises:
            StreamError: `stream_in_use` while another process has it, `sink_failed` where it cannot be written.
        """
        self._folder, self._run = folder, {} if run is None else {"run": run}
        self._files: dict[Path, LineFile] = {}
        self._last: dict[tuple[str, str], dict[str, Any]] = {}
        self._held = ExitStack()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._held.enter_context(holding(folder / LOCK))
        except BlockingIOError as exc:
            raise StreamError(
                Reason.STREAM_IN_USE,
                f"another process watches with the folder {folder}: end it, or name another folder in the stream file",
            ) from exc
        except OSError as exc:
            raise _failed(folder, exc) from exc

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def keep_policy(self, identity: str, text: str) -> None:
        """Keep the text of a policy's file once for each hash, so that `why` can quote it years later.

        Raises:
            StreamError: `sink_failed`.
        """
        path = policy_file(self._folder, identity)
        if path.exists():
            return
        try:
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="")
        except OSError as exc:
            raise _failed(path, exc) from exc

    def decided(self, decision: Decision, behind: Iterable[Behind] = ()) -> None:
        """Add a change of state or the end of an episode; any other decision is left out.

        `behind` are the images of its evidence as far as they are known (`Recorder.behind`).

        Raises:
            StreamError: `sink_failed`; the line is not there, the next one is tried again.
        """
        if not (decision.changed or decision.final):
            return
        track = (decision.subject, decision.track)
        line = decision.to_json() | self._run
        line |= {"was": self._last.get(track), "images": [one.to_json() for one in behind]}
        # Whatever becomes of the line, this is what held.
        self._last[track] = {"decisionId": decision.id, "state": decision.state, "since": line["since"]}
        self._add(journal_file(self._folder, decision.at_s), line)

    def camera(self, change: CameraChange) -> None:
        """Add what became of a camera, to `decisions/cameras-DAY.jsonl`.

        Raises:
            StreamError: `sink_failed`.
        """
        self._add(cameras_file(self._folder, change.at_s), change.to_json() | self._run)

    def close(self) -> None:
        """Let go of the files and the folder; may be called twice."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._held.close()

    def _add(self, path: Path, value: dict[str, Any]) -> None:
        file = self._files.get(path)
        if file is None:
            if len(self._files) > 7:  # days go by
                self._files.pop(next(iter(self._files))).close()
            file = self._files[path] = LineFile(path)
        try:
            file.add(as_line(value))
        except OSError as exc:
            raise _failed(path, exc) from exc


def as_line(value: dict[str, Any]) -> bytes:
    """Compact JSON in UTF-8 with a line break; what is no UTF-8 in names is escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _failed(path: Path, exc: OSError) -> StreamError:
    return StreamError(Reason.SINK_FAILED, f"{path} could not be written: {exc.strerror or exc}")
