"""How a training tells its parent what it is doing: lines of JSON in a file of its folder, through which errors come back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tellapart.errors import (
    BackboneError,
    DataError,
    MissingExtra,
    ModelError,
    Reason,
    SettingsError,
    SpecError,
    TellapartError,
    TrainingError,
)
from tellapart.training.finetune.job import Progress

MESSAGES = "messages.jsonl"
_KINDS = {
    kind.__name__: kind
    for kind in (TrainingError, SettingsError, BackboneError, ModelError, MissingExtra, DataError, SpecError)
}
_EVERY_S = 0.25


class Teller:
    """Writes progress, four times a second at most, and how the training ended."""

    def __init__(self, folder: Path) -> None:
        self._path, self._told_at, self._stage = folder / MESSAGES, 0.0, ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Receive progress."""
        now = time.monotonic()
        if stage == self._stage and done < total and now - self._told_at < _EVERY_S:
            return
        self._stage, self._told_at = stage, now
        self._write({"stage": stage, "done": done, "total": total})

    def failed(self, error: TellapartError) -> None:
        """Say what ended the training."""
        known = next((name for name, kind in _KINDS.items() if isinstance(error, kind)), "TrainingError")
        self._write({"error": known, "reason": error.reason.value, "message": str(error)})

    def _write(self, value: dict[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(value) + "\n")
        except OSError:
            return  # a full disk: the training says so itself, by its exit


class Listener:
    """Reads what was told since the last time."""

    def __init__(self, folder: Path) -> None:
        self._path, self._read = folder / MESSAGES, 0
        self.error: TellapartError | None = None
        self._path.unlink(missing_ok=True)

    def pass_on(self, progress: Progress) -> None:
        """Hand the latest progress to `progress` and remember an error in `error`."""
        latest: dict[str, Any] | None = None
        for value in self._news():
            if "error" in value:
                self.error = _KINDS[value["error"]](Reason(value["reason"]), value["message"])
            else:
                latest = value
        if latest is not None:
            progress(latest["stage"], latest["done"], latest["total"])

    def _news(self) -> list[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]  # the last line may still be written
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
