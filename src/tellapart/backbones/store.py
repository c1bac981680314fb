"""Backbones that were added: canonical files beside a note of where they come from, found again by name.

<folder>/<sha256 of the name>.onnx    the network
<folder>/<sha256 of the name>.json    its entry
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.backbones.protocol import BackboneCard
from tellapart.errors import BackboneError, Reason
from tellapart.files import replacing


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

    def path(self, name: str) -> Path:
        """Where the network of a name lies, or would."""
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.onnx"

    def entries(self) -> list[Entry]:
        """All that can be used, by name."""
        found = [self._read(path) for path in sorted(self.folder.glob("*.json"))]
        return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name)

    def get(self, name: str) -> Entry | None:
        """The entry of a name, None where it was not added."""
        return self._read(self.path(name).with_suffix(".json"))

    def verified(self, name: str) -> Path:
        """The path of a network that was added, its bytes compared with its entry.

        Raises:
            BackboneError: `backbone_unknown` when it was not added, `checksum_mismatch` when it is another file by now.
        """
        entry, path = self.get(name), self.path(name)
        if entry is None:
            raise BackboneError(Reason.BACKBONE_UNKNOWN, f"the backbone {name} was not added to {self.folder}")
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            found = f"unreadable ({exc.strerror})"
        if found != entry.sha256:
            raise BackboneError(
                Reason.CHECKSUM_MISMATCH,
                f"{path} is not the file that was added as {name} (sha256 {entry.sha256[:12]}…, now {found[:12]}…); "
                f"`tellapart backbones remove {name}` and add it again",
            )
        return path

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
        path = self.path(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)  # an entry never describes another network
            with replacing(path) as temporary:
                temporary.write_bytes(data)
            with replacing(path.with_suffix(".json")) as temporary:
                temporary.write_text(json.dumps(asdict(entry), indent=2), encoding="utf-8")
        except OSError as exc:
            message = f"the backbone {name} could not be kept in {self.folder}: {exc.strerror or exc}"
            raise BackboneError(Reason.WRITE_FAILED, message) from exc
        return entry

    def remove(self, name: str) -> bool:
        """Forget a backbone; False where there was none."""
        path = self.path(name)
        known = path.with_suffix(".json").exists()
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return known

    def _read(self, path: Path) -> Entry | None:
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            entry = Entry(**{field.name: values[field.name] for field in fields(Entry)})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # an entry of a later version, or a stranger's file: the backbone can be added again
        return entry if path == self.path(entry.name).with_suffix(".json") else None


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tellapart" / "backbones"
