"""What an earlier model at the same place remembers: which image was in which split, so that none ever moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.classifier.folder import is_model
from tellapart.classifier.storage import read_card, read_reference
from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.workflows.reference import read_splits

GROUPED, RANDOM = "grouped", "random"


@dataclass(frozen=True, slots=True)
class Memory:
    """Image id → split of an earlier training, also of images that are gone meanwhile, and what to tell about it."""

    splits: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def remember(model: Path | None, *, how: str) -> Memory:
    """The splits of the model at `model`; empty when there is none, or one whose split leaks.

    Raises:
        SettingsError: `bad_setting` when a random split would replace a model that keeps a split worth keeping.
    """
    if model is None or not is_model(model):
        return Memory()
    try:
        grouped = read_card(model).training.get("split") == GROUPED
        splits = read_splits(read_reference(model)) if grouped else {}
    except ModelError as error:
        # A damaged earlier model is about to be replaced: it must not keep its successor from being made.
        warning = (
            f"the splits of the model that is replaced cannot be read, images may have moved between them: {error}"
        )
        return Memory(warnings=(warning,))
    if splits and how == RANDOM:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"a random split would make {model} forget which images it never trained on; "
            "name another output for the comparison",
        )
    return Memory(splits)
