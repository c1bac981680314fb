"""What is left of the images behind a decision."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tellapart.records.roi import Roi
from tellapart.streams.layout import ENDINGS, FRAMES, FRAMES_INDEX, RECORDING, frame_stem, hour_of, observations_file

Fate = Literal["kept", "deleted", "not kept"]


@dataclass(frozen=True, slots=True)
class Behind:
    """An image of the evidence. `told` is what the journal says of it; `fate` "deleted" means by retention."""

    told: Mapping[str, Any]
    file: Path | None
    fate: Fate

    @property
    def at_s(self) -> float:
        """Time of capture."""
        return float(self.told["at"])

    @property
    def confidences(self) -> dict[str, float]:
        """By label, the highest ones."""
        return {str(name): float(p) for name, p in self.told["confidences"].items()}

    @property
    def roi(self) -> Roi | None:
        """The region that was looked at."""
        return Roi.from_json(self.told["region"]) if "region" in self.told else None

    @property
    def where(self) -> str:
        """camera/region."""
        name = self.told.get("region", {}).get("name")
        return f"{self.told['camera']}/{name}" if name else str(self.told["camera"])

    @property
    def answer(self) -> str:
        """What the model said."""
        if self.told.get("unknown"):
            return "unknown"
        return ", ".join(self.told["predicted"]) or "no answer"

    def to_json(self) -> dict[str, Any]:
        """The journal's words, and where the image is."""
        return {**self.told, "file": None if self.file is None else str(self.file), "fate": self.fate}


def behind(folder: Path, decision: Mapping[str, Any]) -> tuple[Behind, ...]:
    """The images of a journal's entry, oldest first."""
    recording = folder / RECORDING
    images = sorted(decision.get("images", ()), key=lambda one: (one["at"], one["id"]))
    return tuple(Behind(one, *_found(recording, str(one["camera"]), float(one["at"]), one["uri"])) for one in images)


def _found(recording: Path, camera: str, at_s: float, uri: str) -> tuple[Path | None, Fate]:
    hour, stem = recording / FRAMES / hour_of(at_s), frame_stem(camera, at_s)
    kept = _beginning(hour, stem)
    if kept:
        return kept[0], "kept"
    source = Path(uri)
    if source.is_absolute() and os.path.isfile(source):  # whatever is no path is no file
        return source, "kept"
    if not recording.is_dir():
        return None, "not kept"
    if not observations_file(recording, at_s).exists() or _is_listed(hour / FRAMES_INDEX, stem):
        return None, "deleted"
    return None, "not kept"


def _beginning(hour: Path, stem: str) -> list[Path]:
    return [path for ending in ENDINGS if (path := hour / f"{stem}{ending}").is_file()]


def _is_listed(index: Path, stem: str) -> bool:
    try:
        return f'"file":"{stem}.'.encode() in index.read_bytes()
    except OSError:
        return False
