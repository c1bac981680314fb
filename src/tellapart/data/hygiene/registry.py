"""All checks, in the order in which they look; the worst findings are told first whatever the order."""

from __future__ import annotations

from tellapart.data.hygiene import (
    ambiguous,
    augmentations,
    class_counts,
    confused_classes,
    enough,
    exact_duplicates,
    imbalance,
    label_errors,
    label_names,
    near_duplicates,
    outliers,
    picture_quality,
    refused,
    shortcuts,
    split_leaks,
)
from tellapart.data.hygiene.protocol import Check

_MODULES = (
    refused,
    exact_duplicates,
    near_duplicates,
    split_leaks,
    label_names,
    class_counts,
    imbalance,
    picture_quality,
    shortcuts,
    label_errors,
    enough,
    confused_classes,
    ambiguous,
    outliers,
    augmentations,
)

CHECKS: dict[str, Check] = {module.CHECK.name: module.CHECK for module in _MODULES}
"""Checks by name."""
