"""docs/augmentation.md has the presets as the code has them, and every field and preset is there."""

from __future__ import annotations

import runpy
from pathlib import Path

from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.presets import PRESETS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/augmentation.md"
TOOL = runpy.run_path(str(ROOT / "tools/augmentation_reference.py"))


def test_the_tables_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert TOOL["page"](text) == text, "run: python tools/augmentation_reference.py"


def test_every_preset_and_field_has_a_row() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = [*PRESETS, *(name for name in Augmentation.model_fields if name != "preset")]
    assert [name for name in names if f"\n| `{name}` |" not in text] == []
