"""What is wrong with the values of a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tellapart.settings.faults import FileFormat
from tellapart.settings.given import Given
from tellapart.settings.policy import Policy

# A policy of one track is written flat: its file has no tracks.
_FORMAT = FileFormat(Policy, "a policy", "a condition", unwritten=("tracks", "state"))


def faults_of(error: ValidationError, values: Mapping[str, Any], given: Given) -> list[str]:
    """One sentence for each field at fault, with its line where it was written."""
    return _FORMAT.faults_of(error, values, given)
