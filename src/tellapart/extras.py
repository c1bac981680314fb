"""Optional libraries: asked for by the module that owns them, refused with the command that installs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from tellapart.errors import MissingExtra, Reason


def require(module: str, *, extra: str, feature: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Raises:
        MissingExtra: when the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        message = f"{feature} needs the library {module!r}, which is not installed: pip install 'tellapart[{extra}]'"
        raise MissingExtra(Reason.MISSING_EXTRA, message) from exc
