"""`health.json` in the stream's folder: what a monitor reads, whole at any moment."""

from __future__ import annotations

import json
from pathlib import Path

from tellapart.files import replacing
from tellapart.workflows.watch.health import StreamHealth

NAME = "health.json"
EVERY_S = 1.0
AT_MOST_EVERY_S = 0.2


class HealthFile:
    """Written every second, and soon after every change."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._written_s = float("-inf")
        self._has_changed = False

    def changed(self) -> None:
        """Something is different from what the file says."""
        self._has_changed = True

    def is_due(self, real_s: float) -> bool:
        """Whether it should be written now; `real_s` of a clock that does not jump."""
        return real_s - self._written_s >= (AT_MOST_EVERY_S if self._has_changed else EVERY_S)

    def write(self, health: StreamHealth, real_s: float) -> None:
        """Take the place of the one before.

        Raises:
            OSError: as any writing does.
        """
        self._written_s, self._has_changed = real_s, False
        # A key a line: indenting all of it would take json's slow path, ten times as long.
        lines = (
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in health.to_json().items()
        )
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        with replacing(self.path, sync=False) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
