"""What a dynamic head tells about itself: to its card, and to people."""

from __future__ import annotations

from typing import Any

from tellapart.heads.class_statistics import ClassStatistics
from tellapart.records import LabelSchema

FEW = 5
"""Images of a class below which its place is little more than a guess."""
_NAMED = 5


def facts_of(statistics: ClassStatistics, schema: LabelSchema, shrinkage: float) -> dict[str, Any]:
    """For the card: `images` is the number of images in the statistics by label."""
    return {
        "fitted_by": "dynamic",
        "shrinkage": round(shrinkage, 6),
        "images": counts_of(statistics, schema),
    }


def counts_of(statistics: ClassStatistics, schema: LabelSchema) -> dict[str, int]:
    """Images in the statistics by label name."""
    by_id = dict(zip(statistics.ids, statistics.counts.tolist(), strict=True))
    return {label.name: int(by_id.get(label.id, 0)) for label in schema.labels}


def notes_of(
    statistics: ClassStatistics, schema: LabelSchema, shrinkage: float, *, calibrated: bool
) -> tuple[str, ...]:
    """For people."""
    counts = counts_of(statistics, schema)
    least, most = min(counts.values()), max(counts.values())
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    told = [
        f"dynamic     linear discriminant analysis of {len(counts):,} classes of {each} images, shrinkage {shrinkage:.2g}"
    ]
    if few := [name for name, count in counts.items() if count < FEW]:
        more = f" and {len(few) - _NAMED:,} more" if len(few) > _NAMED else ""
        named = ", ".join(map(repr, few[:_NAMED])) + more
        told.append(f"warning     fewer than {FEW} images of {named}: add some before you rely on their answers")
    if not calibrated:
        told.append(
            "warning     nothing has calibrated the confidence: no class keeps an image when one is left out, so how often "
            "the answers are right is not known; add a second image of each class"
        )
    return tuple(told)
