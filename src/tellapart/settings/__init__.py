"""Settings as values. This package reads no environment and no file; the cli does (docs/settings.md)."""

from tellapart.settings.settings import Settings

__all__ = ["Settings"]
