"""Write the tables of presets in docs/augmentation.md: `python tools/augmentation_reference.py`. A test checks it was run."""

from __future__ import annotations

from pathlib import Path

from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.presets import PRESETS, explain

PAGE = Path(__file__).parent.parent / "docs" / "augmentation.md"


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(text: str) -> str:
    """The page with both tables written anew; ValueError where a mark is missing."""
    return _between(_between(text, "situations", _situations()), "fields", _fields())


def _between(text: str, name: str, lines: list[str]) -> str:
    begin, end = f"<!-- {name}: written by tools/augmentation_reference.py -->\n", f"\n<!-- /{name} -->"
    start = text.index(begin) + len(begin)
    return text[:start] + "\n".join(lines) + text[text.index(end, start) :]


def _situations() -> list[str]:
    told = {name: explain(preset) for name, preset in PRESETS.items()}
    rows = [
        f"| `{name}` | {situation.removeprefix(f'{name}: ')} | {keeps.removeprefix('keeps ')} |"
        for name, (situation, keeps, _) in told.items()
    ]
    return ["| preset | use it | keeps |", "| --- | --- | --- |", *rows]


def _fields() -> list[str]:
    fields = [name for name in Augmentation.model_fields if name != "preset"]
    rows = [
        f"| `{field}` | {' | '.join(_shown(getattr(preset, field)) for preset in PRESETS.values())} |"
        for field in fields
    ]
    return [f"| field | {' | '.join(PRESETS)} |", f"| --- |{' --- |' * len(PRESETS)}", *rows]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "·"
    if isinstance(value, float):
        return f"{value:g}" if value else "·"
    return "·" if value == "none" else str(value)


if __name__ == "__main__":
    main()
