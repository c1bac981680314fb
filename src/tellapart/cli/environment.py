"""The one place that reads TELLAPART_… environment variables (docs/settings.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.image.types import DecodeLimits

if TYPE_CHECKING:
    from tellapart.backbones.store import Store
    from tellapart.settings import Settings

PREFIX = "TELLAPART_"


def decode_limits() -> DecodeLimits:
    """Ceilings for decoding; without variables the defaults, without loading pydantic (a third of the start-up)."""
    if not _variables():
        return DecodeLimits()
    settings = _settings()
    return DecodeLimits(settings.max_bytes, settings.max_pixels, settings.max_frames)


def cache_dir() -> Path:
    """Where embeddings are kept between runs."""
    configured = _settings().cache_dir if _variables() else None
    if configured is not None:
        return Path(configured)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tellapart"


def store() -> Store:
    """Where added backbones are kept."""
    from tellapart.backbones.store import Store

    return Store(cache_dir() / "backbones")


def workers(asked: int | None) -> int:
    """Number of worker threads: the option, else the setting, else 0 for one per core."""
    if asked is not None:
        return asked
    return (_settings().workers or 0) if _variables() else 0


def provider() -> str:
    """Where ONNX networks run."""
    return _settings().provider if _variables() else "cpu"


def _variables() -> dict[str, str]:
    return {name[len(PREFIX) :].lower(): value for name, value in os.environ.items() if name.startswith(PREFIX)}


def _settings() -> Settings:
    from tellapart.settings import Settings

    return Settings.from_mapping(_variables())
