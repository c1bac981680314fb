"""From what people write in a label cell to label names, and from label names to a task."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tellapart.errors import DataError, Reason
from tellapart.records import LabelSchema, Task

Labels = tuple[str, ...] | None
SEPARATOR = "|"


def parse_labels(value: object) -> Labels:
    """Label names of one cell: text (`a`, `a|b`, `["a", "b"]`), a number, a list, `{"choices": …}` or nothing.

    None and blank text mean unlabelled, an empty list means "nothing present". Names are stripped, repeats dropped.

    Raises:
        DataError: bad_row, when a list holds something that is no name.
    """
    if isinstance(value, str):
        return _from_text(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dict) and "choices" in value:
        return parse_labels(value["choices"])
    if isinstance(value, list | tuple):
        return _unique(_name(item) for item in value)
    return (_name(value),)


def format_labels(labels: Labels) -> str:
    """Text that `parse_labels` reads back to the same labels."""
    if labels is None:
        return ""
    text = SEPARATOR.join(labels)
    return text if labels and _from_text(text) == labels else json.dumps(labels, ensure_ascii=False)


def _from_text(text: str) -> Labels:
    text = text.strip()
    if not text:
        return None
    if text[0] in "[{":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list) or (isinstance(value, dict) and "choices" in value):
            return parse_labels(value)
    return _unique(text.split(SEPARATOR)) or None


def _name(item: object) -> str:
    if isinstance(item, bool) or not isinstance(item, str | int | float):
        raise DataError(Reason.BAD_ROW, f"a label is a name or a number, got {item!r:.80}")
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in map(str.strip, names) if name))


def is_multilabel(labels: Iterable[Labels]) -> bool:
    """True when any labelled image has not exactly one label."""
    return any(names is not None and len(names) != 1 for names in labels)


def infer_schema(
    labels: Sequence[Labels], *, task: Task | None = None, positive: str | None = None
) -> LabelSchema | None:
    """Schema of a data set: two labels give binary, otherwise multiclass, any image without exactly one: multilabel.

    `task` and `positive` override. None when nothing is labelled.

    Raises:
        DataError: unknown_label or bad_setting, when the override does not fit the labels.
    """
    names = sorted({name for entry in labels if entry is not None for name in entry})
    if not names:
        return None
    if task is None:
        exclusive = Task.BINARY if len(names) == 2 else Task.MULTICLASS
        task = Task.MULTILABEL if is_multilabel(labels) else exclusive
    if task is Task.BINARY and len(names) != 2:
        remedy = "merge some with a label map" if len(names) > 2 else "label some images with another"
        message = f"a binary task has two labels, this data has {len(names)}: {_listed(names)}; {remedy}"
        raise DataError(Reason.BAD_SETTING, message)
    if positive is not None and positive not in names:
        message = f"positive label {positive!r} is not in the data, which has {_listed(names)}"
        raise DataError(Reason.UNKNOWN_LABEL, message)
    return LabelSchema.from_names(names, task=task, positive=positive if task is Task.BINARY else None)


def similar_names(names: Iterable[str]) -> list[str]:
    """One warning per set of names that differ only in case, spaces, hyphens or underscores."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        alike[re.sub(r"[\s_-]+", " ", name).casefold()].append(name)
    return [
        f"labels {_listed(group)} differ only in case or spacing and are kept apart; "
        f"if they mean the same, merge them with a label map: rename: {{{group[1]!r}: {group[0]!r}}}"
        for group in alike.values()
        if len(group) > 1
    ]


def _listed(names: Sequence[str], limit: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
