"""Several classes become one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.records import Label
from tellapart.workflows.classes.change import Change, Draft, How, changed
from tellapart.workflows.classes.live import Live
from tellapart.workflows.classes.naming import check_two_left, free_name, label_named, task_of
from tellapart.workflows.progress import Progress, silent


def merge_classes(
    model: str | Path,
    names: Sequence[str],
    into: str,
    *,
    preview: bool = False,
    pictures: str | Path | None = None,
    provider: str = "cpu",
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Change:
    """Make one class, `into`, of the classes `names`; `preview`, `pictures` and the rest as in `add_classes`.

    `into` may be one of the names. The class gets an id of its own even then, for it means something else than before.

    Raises:
        SettingsError: `bad_setting` for fewer than two names.
        DataError: `unknown_label`, `label_conflict` when another class is called so, `too_few_classes`.
        ModelError: as `add_classes`.
    """
    how = How(preview, None if pictures is None else Path(pictures), None, 0, provider, limits, progress)
    return changed(model, lambda live: _draft(live, names, into), how)


def _draft(live: Live, names: Sequence[str], into: str) -> Draft:
    schema = live.classifier.schema
    merged = [label_named(schema, name, live.history) for name in dict.fromkeys(names)]
    if len(merged) < 2:
        raise SettingsError(
            Reason.BAD_SETTING,
            "merging takes at least two different classes; to call one by another name use `tellapart classes rename`",
        )
    name = free_name(schema, into, leaving=[label.name for label in merged])
    check_two_left(len(schema.labels) - len(merged) + 1, f"merging {', '.join(repr(one.name) for one in merged)}")
    whole = Label(live.history.next_label_id, name)
    labels = [whole if label == merged[0] else label for label in schema.labels if label not in merged[1:]]
    rows = live.rows.relabelled({label.name: name for label in merged})
    counts = live.rows.counts(schema)
    told = " + ".join(f"{label.name} {counts[label.name]:,}" for label in merged)
    return Draft(
        operation="merge",
        arguments={"names": [label.name for label in merged], "into": name},
        schema=task_of(labels, schema),
        statistics=live.statistics.merging([label.id for label in merged], whole.id),
        rows=rows,
        left=live.rows.table.clear(),
        mapping={label.id: (whole.id,) if label in merged else (label.id,) for label in schema.labels},
        told=(f"merged      {told} → {name}",),
    )
