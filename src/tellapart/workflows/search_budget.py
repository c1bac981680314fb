"""How long a search may take, and for which methods there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tellapart.errors import Reason, SettingsError
from tellapart.settings.recipe import Recipe
from tellapart.workflows.methods import METHODS


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to search: at most so many trials, and no new one after so many minutes of trials; None is no limit.

    A training that is under way when the minutes are over ends after its epoch.

    Raises:
        SettingsError: `bad_setting`.
    """

    trials: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise SettingsError(Reason.BAD_SETTING, f"a search makes one trial or more, got {self.trials}")
        if self.minutes is not None and not self.minutes > 0:
            raise SettingsError(Reason.BAD_SETTING, f"a search takes more than 0 minutes, got {self.minutes:g}")

    def left(self, rows: list[dict[str, Any]]) -> bool:
        """Whether there is something left for another trial."""
        over = self.trials is not None and len(rows) >= self.trials
        return not over and (self.seconds_left(rows) is None or (self.seconds_left(rows) or 0) > 0)

    def seconds_left(self, rows: list[dict[str, Any]]) -> float | None:
        """Of the minutes, None without that limit."""
        return None if self.minutes is None else 60 * self.minutes - sum(row.get("seconds", 0.0) for row in rows)

    def told(self, rows: list[dict[str, Any]]) -> str:
        """`trial 4 of 20, about 3 min left`."""
        limits = []
        if self.trials is not None and rows:
            mean = sum(row.get("seconds", 0.0) for row in rows) / len(rows)
            limits.append(mean * (self.trials - len(rows)))
        seconds = self.seconds_left(rows)
        limits += [] if seconds is None else [seconds]
        number = f"trial {len(rows) + 1}" + (f" of {self.trials}" if self.trials is not None else "")
        return number if not limits else f"{number}, about {-(-max(0.0, min(limits)) // 60):.0f} min left"


def check_searchable(recipe: Recipe) -> None:
    """Raise `SettingsError` (`bad_setting`) for a method that holds no images back, or makes its own network of them."""
    method = METHODS[recipe.method]
    if method.all_teach or method.refine is not None:
        message = f"a search tries the methods 'probe', 'finetune' and 'hog', not {recipe.method!r}: leave out --search"
        raise SettingsError(Reason.BAD_SETTING, message)
