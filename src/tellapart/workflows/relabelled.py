"""Labels that changed since a model was trained: on images that judge they are refused, on those that fit told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason
from tellapart.records import LabelSchema

Labels = tuple[str, ...]


def check_labels(
    model: str | Path, dataset: Dataset, trained: Mapping[str, Sequence[Labels]], schema: LabelSchema
) -> int:
    """Number of images that fitted the model and have other labels by now. `dataset` holds images the model knows, with ids,
    each in the split it had; `trained` is what `reference.read_labels` found.

    Raises:
        DataError: `unknown_label` for a class the model does not have, `label_conflict` when images that judge changed.
    """
    now: dict[str, list[Labels]] = {}
    for image_id, labels in zip(dataset.ids, dataset.table["labels"].to_list(), strict=True):
        now.setdefault(image_id, []).append(tuple(sorted(labels)))
    _refuse_new_classes(model, now, schema)
    changed = {image_id for image_id, labels in now.items() if _differ(labels, trained[image_id])}
    splits = dict(zip(dataset.ids, dataset.splits, strict=True))
    judging = "test" if "test" in splits.values() else "val"
    judged = [image_id for image_id, split in splits.items() if split == judging]
    n_changed = len(changed.intersection(judged))
    if n_changed:
        raise DataError(
            Reason.LABEL_CONFLICT,
            f"{n_changed:,} of the {len(judged):,} held-back images have other labels than when the model {model} was "
            "trained, and the loss by int8 would be measured against these; train the model again on the labels as they "
            "are now, or name the data as it was",
        )
    return len(changed)


def _refuse_new_classes(model: str | Path, now: Mapping[str, Sequence[Labels]], schema: LabelSchema) -> None:
    known = set(schema.names)
    new = {image_id: set().union(*labels) - known for image_id, labels in now.items()}
    names = sorted(set().union(*new.values()))
    if names:
        n = sum(1 for labels in new.values() if labels)
        raise DataError(
            Reason.UNKNOWN_LABEL,
            f"{n:,} of the images that the model {model} was trained and judged with {'has' if n == 1 else 'have'} a label "
            f"by now that it does not know: {', '.join(map(repr, names))}; train the model again on the labels as they are "
            "now, or name the data as it was",
        )


def _differ(now: Sequence[Labels], before: Sequence[Labels]) -> bool:
    """Where copies of a file came or went, only what they say counts."""
    return sorted(now) != sorted(before) if len(now) == len(before) else set(now) != set(before)
