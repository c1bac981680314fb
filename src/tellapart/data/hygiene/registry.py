"""All checks, in the order in which they look; the worst findings are told first whatever the order."""

from __future__ import annotations

from tellapart.data.hygiene import exact_duplicates
from tellapart.data.hygiene.protocol import Check

_MODULES = (exact_duplicates,)

CHECKS: dict[str, Check] = {module.CHECK.name: module.CHECK for module in _MODULES}
"""Checks by name."""
