"""Settings and recipes as values. This package reads no environment; the cli does (docs/settings.md)."""

from tellapart.settings.settings import Settings

__all__ = ["Settings"]
