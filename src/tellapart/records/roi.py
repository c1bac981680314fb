"""Regions of interest: named rectangles and polygons in relative coordinates of the upright image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tellapart.errors import Reason, SpecError


@dataclass(frozen=True, slots=True)
class Roi:
    """A region: `points` are (x, y) pairs in 0–1 of the upright image's width and height.

    Two points are the top-left and bottom-right corner of a rectangle, three or more a polygon (outside it is masked).
    """

    points: tuple[tuple[float, float], ...]
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise SpecError(Reason.BAD_ROI, f"a region needs two corners or at least three points, got {self.points}")
        for x, y in self.points:
            if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
                raise SpecError(
                    Reason.BAD_ROI,
                    f"region coordinates are relative to the upright image and lie in 0–1, got ({x}, {y})",
                )
        x0, y0, x1, y1 = self.box
        if x0 >= x1 or y0 >= y1:
            corners = ": x0, y0 are the upper left corner of a rectangle and x1, y1 the lower right one"
            how = corners if len(self.points) == 2 else ""
            raise SpecError(Reason.BAD_ROI, f"region {self.name!r} has no area{how}, got {self.points}")

    @property
    def is_polygon(self) -> bool:
        """True when pixels outside the shape are masked, False for a plain rectangle."""
        return len(self.points) > 2

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Enclosing (x0, y0, x1, y1) in 0–1; for a rectangle the points are taken as given, top-left first."""
        xs, ys = zip(*self.points, strict=True)
        if len(self.points) == 2:
            return xs[0], ys[0], xs[1], ys[1]
        return min(xs), min(ys), max(xs), max(ys)

    def to_json(self) -> dict[str, Any]:
        """`{"name": …, "points": [[x, y], …]}`."""
        return {"name": self.name, "points": [list(p) for p in self.points]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Roi:
        """Inverse of `to_json`."""
        try:
            points = tuple((float(x), float(y)) for x, y in value["points"])
            return cls(points, str(value.get("name", "")))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise SpecError(
                Reason.BAD_ROI, f'a region is written {{"name": "left", "points": [[x, y], …]}}, got {value!r}'
            ) from exc
