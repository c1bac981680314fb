"""Backbones that were added: canonical files beside a note of where they come from, found again by name.

<folder>/<sha256 of the name>.onnx    the network
<folder>/<sha256 of the name>.json    its entry
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.backbones.protocol import BackboneCard
from tellapart.errors import BackboneError, Reason
from tellapart.files import replacing

FILE = "file:"
"""How the names of networks begin that came from a file of the user, which is named by its path and not by this name."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One backbone in the store. `max_difference` is that of its proof, relative to the largest feature."""

    name: str
    licence: str
    source: str
    preprocess: str
    embedding_dim: int
    sha256: str
    n_bytes: int
    max_difference: float
    added_at: str


class Store:
    """A folder of added backbones. Files appear whole or not at all; a file that is not the one added is refused."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else _default_folder()

    def entries(self) -> list[Entry]:
        """All that were added by name, in its order; files are kept under names that begin with `FILE`, and left out."""
        return [entry for entry in self._all() if not entry.name.startswith(FILE)]

    def get(self, name: str) -> Entry | None:
        """The entry of a name, None where it was not added."""
        return self._read(self._entry_path(name))

    def network_path(self, entry: Entry) -> Path:
        """Where the network of an entry lies."""
        return self.folder / f"{entry.sha256[:32]}.onnx"

    def verified(self, name: str) -> Path:
        """The path of a network that was added, its bytes compared with its entry.

        Raises:
            BackboneError: `backbone_unknown` when it was not added, `checksum_mismatch` when it is another file by now.
        """
        entry = self.get(name)
        found = None if entry is None else self._found(entry)
        while entry is not None and found != entry.sha256 and (now := self.get(name)) != entry:
            entry, found = now, None if now is None else self._found(now)  # replaced by another process meanwhile
        if entry is None:
            raise BackboneError(Reason.BACKBONE_UNKNOWN, f"the backbone {name} was not added to {self.folder}")
        path = self.network_path(entry)
        if found != entry.sha256:
            raise BackboneError(
                Reason.CHECKSUM_MISMATCH,
                f"{path} is not the file that was added as {name} (sha256 {entry.sha256[:12]}…, now {str(found)[:12]}…); "
                f"delete it and {'try' if name.startswith(FILE) else 'add it'} again",
            )
        return path

    def _found(self, entry: Entry) -> str:
        """The checksum of a network as it is, or why it has none."""
        try:
            with self.network_path(entry).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            return f"unreadable ({exc.strerror})"

    def add(self, name: str, data: bytes, card: BackboneCard, max_difference: float) -> Entry:
        """Keep a canonical file under a name; an older one is replaced.

        Raises:
            BackboneError: `write_failed`.
        """
        entry = Entry(
            name=name,
            licence=card.licence,
            source=card.source,
            preprocess=card.preprocess,
            embedding_dim=card.embedding_dim,
            sha256=hashlib.sha256(data).hexdigest(),
            n_bytes=len(data),
            max_difference=max_difference,
            added_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        before = self.get(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.network_path(entry)) as temporary:
                temporary.write_bytes(data)
            with replacing(self._entry_path(name)) as temporary:
                temporary.write_text(json.dumps(asdict(entry), indent=2), encoding="utf-8")
        except OSError as exc:
            message = f"the backbone {name} could not be kept in {self.folder}: {exc.strerror or exc}"
            raise BackboneError(Reason.WRITE_FAILED, message) from exc
        if before is not None:
            self._drop_network(before)
        return entry

    def remove(self, name: str) -> bool:
        """Forget a backbone; False where there was none.

        Raises:
            BackboneError: `write_failed`.
        """
        entry = self.get(name)
        try:
            self._entry_path(name).unlink(missing_ok=True)
        except OSError as exc:
            message = f"the backbone {name} could not be removed from {self.folder}: {exc.strerror or exc}"
            raise BackboneError(Reason.WRITE_FAILED, message) from exc
        if entry is not None:
            self._drop_network(entry)
        return entry is not None

    def _drop_network(self, entry: Entry) -> None:
        """Delete a network that no entry needs any more; one that another process still has open stays on Windows."""
        if entry.sha256 not in {one.sha256 for one in self._all()}:
            with contextlib.suppress(OSError):
                self.network_path(entry).unlink(missing_ok=True)

    def _all(self) -> list[Entry]:
        found = [self._read(path) for path in self.folder.glob("*.json")]
        return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name)

    def _entry_path(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"

    def _read(self, path: Path) -> Entry | None:
        """An entry; None for one of a later version or a stranger's file: the backbone can be added again."""
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            given = {field.name: values[field.name] for field in fields(Entry)}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        kinds: dict[str, type | tuple[type, ...]] = {
            "embedding_dim": int,
            "n_bytes": int,
            "max_difference": (int, float),
        }
        if not all(isinstance(value, kinds.get(key, str)) for key, value in given.items()):
            return None
        entry = Entry(**given)
        return entry if path == self._entry_path(entry.name) and _SHA256.fullmatch(entry.sha256) else None


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tellapart" / "backbones"
