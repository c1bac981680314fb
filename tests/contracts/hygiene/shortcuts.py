"""A lamp over one class, another camera, folder, format, size and day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity
from tellapart.image.quality import FIELDS
from tellapart.records import Sample

NAMES = ("bad", "good")
_START = datetime(2026, 3, 1, tzinfo=UTC)


def taken(n: int = 240) -> list[Sample]:
    """Two classes by two cameras on many days, as class folders with a folder for each camera."""
    return [
        replace(
            sample,
            uri=f"{NAMES[i % 2]}/hall {i // 2 % 2}/{i:04}.{('png', 'jpg')[i // 4 % 2]}",
            metadata={"camera": f"camera {i // 2 % 3}", "operator": "Ada", "class_id": str(i % 2), "serial": str(i)},
            captured_at=_START + timedelta(hours=i // 2 * 7),
        )
        for i, sample in enumerate(samples(n))
    ]


def of(row: int, value: str, other: str) -> str:
    """`value` for the second class (odd rows), but for one in twenty."""
    return value if row % 2 and row % 20 != 1 else other


def clean() -> Evidence:
    """Nothing but the class folder, and a column that says the same, tells the label."""
    return evidence(taken())


def changed(**parts: Any) -> Evidence:
    """`taken`, but for these fields: functions of a row."""
    chosen = [replace(s, **{name: make(i) for name, make in parts.items()}) for i, s in enumerate(taken())]
    return evidence(chosen)


def lit() -> Evidence:
    """The second class under a lamp, nearly always."""
    made = clean()
    rows = [i for i in range(len(made)) if i % 2 and i % 20 != 1]
    made.statistics[rows, FIELDS.index("brightness")] = 0.8
    return made


def planted() -> Evidence:
    """All at once."""
    made = changed(
        uri=lambda i: f"{NAMES[i % 2]}/{of(i, 'hall 1', 'hall 0')}/{i}.{of(i, 'jpg', 'png')}",
        metadata=lambda i: {"camera": of(i, "new", "old")},
        captured_at=lambda i: _START + timedelta(days=int(of(i, "30", "0")), minutes=i),
    )
    statistics = lit().statistics
    rows = [i for i in range(len(made)) if of(i, "x", "") == "x"]
    statistics[rows, FIELDS.index("width_px")] = 641
    return replace(made, statistics=statistics)


def expect(findings: Sequence[Finding]) -> None:
    """Each source is told, with the images of the class asked for that it gives away."""
    assert [finding.sentence.split(" alone")[0] for finding in findings] == [
        "the light (brightness, contrast, darkest and brightest grey)",
        "the size of the image",
        "the file format",
        "the folder (level 2)",
        "the time of capture",
        "the column 'camera'",
    ]
    assert {finding.severity for finding in findings} == {Severity.WARNING}
    assert all(finding.figures["balanced_accuracy"] > 0.9 for finding in findings)
    assert all(finding.rows and not any(row % 2 for row in finding.rows) for finding in findings)
