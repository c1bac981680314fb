"""A model's network opened in a thread, while the caller imports and reads everything else.

For a single image the time until the answer is start-up: building the session takes 65 ms without the interpreter lock,
importing the rest of the path about as long with it. Together they take as long as one of them.
"""

from __future__ import annotations

import threading
from pathlib import Path

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.errors import TellapartError


class BackboneAhead:
    """Starts at once; `result` waits. Nothing is decided here: `load` checks the checksum, and opens what failed again."""

    def __init__(self, model: str | Path, *, threads: int, provider: str) -> None:
        self._path = Path(model) / "backbone.onnx"
        self._threads, self._provider = threads, provider
        self._opened: OnnxBackbone | None = None
        self._thread = threading.Thread(target=self._open, daemon=True)
        self._thread.start()

    def result(self) -> OnnxBackbone | None:
        """The backbone, or None when there is none to open so simply (a zip, a missing or damaged file)."""
        self._thread.join()
        return self._opened

    def _open(self) -> None:
        if not self._path.is_file():
            return
        try:
            self._opened = OnnxBackbone.open(self._path, threads=self._threads, provider=self._provider)
        except TellapartError:
            return  # `load` meets the same and says it
