"""Embeddings kept between runs, so that a second training on the same images takes seconds.

One SQLite file per (preprocess hash, backbone hash), one row per (image id, region). SQLite because a process may be
killed at any moment: a row is there whole or not at all. A damaged file is set aside, a cache may always be lost.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from tellapart.classifier.pipeline import Embedded, Job, Observation

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS embeddings (key TEXT PRIMARY KEY, embedding BLOB NOT NULL, "
    "statistics BLOB NOT NULL, thumbnail BLOB NOT NULL) WITHOUT ROWID"
)
_SELECT = "SELECT embedding, statistics, thumbnail FROM embeddings WHERE key = ?"
_INSERT = "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)"
# Bumped when statistics or thumbnails change their meaning: old rows are then never found.
_FORMAT = "1"


class EmbeddingCache:
    """Read from any thread, written by the one that made it. Making it raises `OSError` where nothing can be written."""

    def __init__(self, folder: Path, *, preprocess_hash: str, backbone_sha256: str) -> None:
        name = sha256(f"{_FORMAT}|{preprocess_hash}|{backbone_sha256}".encode()).hexdigest()[:24]
        self.path = folder / f"{name}.sqlite"
        folder.mkdir(parents=True, exist_ok=True)
        self._readers = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._open_or_start_anew()

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    def get(self, image_id: str, job: Job) -> Embedded | None:
        """The stored outcome of an image and region, or None."""
        try:
            row = self._reader().execute(_SELECT, (_key(image_id, job),)).fetchone()
        except sqlite3.DatabaseError:
            return None
        if row is None:
            return None
        embedding, statistics, thumbnail = row
        side = int(len(thumbnail) ** 0.5)
        observation = Observation(
            np.frombuffer(statistics, np.float32), np.frombuffer(thumbnail, np.uint8).reshape(side, side)
        )
        roi = job.roi.name if job.roi else None
        return Embedded(job.uri, image_id, np.frombuffer(embedding, np.float32), roi, observation)

    def put(self, jobs: Sequence[tuple[Job, Embedded]]) -> None:
        """Store outcomes in one transaction; a full disk or a locked file only costs the speed-up."""
        rows = [
            (
                _key(e.id, job),
                e.embedding.tobytes(),
                e.observation.statistics.tobytes(),
                e.observation.thumbnail.tobytes(),
            )
            for job, e in jobs
            if e.observation is not None
        ]
        try:
            with self._writer:
                self._writer.executemany(_INSERT, rows)
        except sqlite3.Error:
            return

    def _open_or_start_anew(self) -> None:
        try:
            self._writer = self._create()
        except sqlite3.OperationalError as exc:  # not writable, locked for long, disk full
            raise OSError(f"the cache {self.path} cannot be used: {exc}") from exc
        except sqlite3.DatabaseError:
            self.path.replace(self.path.with_suffix(".damaged"))
            self._writer = self._create()

    def _create(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute(_SCHEMA)
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Closed by whoever leaves the context, hence not bound to the thread that opened it.
        connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
        with self._lock:
            self._opened.append(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _reader(self) -> sqlite3.Connection:
        if not hasattr(self._readers, "connection"):
            self._readers.connection = self._connect()
        connection: sqlite3.Connection = self._readers.connection
        return connection


def _key(image_id: str, job: Job) -> str:
    if job.roi is None:
        return image_id
    return f"{image_id}:{job.roi.points}"
