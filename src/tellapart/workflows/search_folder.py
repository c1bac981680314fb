"""Where a search lies beside its model, and what it leaves there for people.

parts-model.run/search/
  trials.csv  search.svg      every trial, and the score over the minutes
  taken.yaml  best.yaml       the recipe that was taken, and the one with the best score
  journal.log  search.json  answers/   the search itself: it can be gone on with, also for more trials
  images/  trials/  cache/    gone when the model is written
"""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import Reason, SettingsError
from tellapart.evaluation.searched import Searched, picture
from tellapart.files import replacing
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_file import as_yaml
from tellapart.workflows.run_folder import RunFolder

_PASSING = ("images", "trials", "cache")
_FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class SearchFolder:
    """The search within a run."""

    run: RunFolder

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.run.path / "search"

    def check(self, *, resume: bool, restart: bool) -> None:
        """See to it that an unfinished search is not lost by accident.

        Raises:
            SettingsError: `bad_setting` when an unfinished search lies there and neither word was said, or when there is
                nothing to resume.
        """
        there = (self.path / "journal.log").exists()
        if resume:
            if not there:
                message = f"there is no search in {self.path} to go on with; leave out --resume"
                raise SettingsError(Reason.BAD_SETTING, message)
            return
        finished = (self.path / _FINISHED).exists()
        if there and not restart and not finished:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"an unfinished search lies in {self.path}: go on with --resume, or throw it away with --restart",
            )
        if finished or not there:
            self.run.check(resume=False, restart=restart)

    def begin(self, *, resume: bool) -> None:
        """Clear the place for a new search; what lies there stays only to be gone on with."""
        if resume:
            (self.path / _FINISHED).unlink(missing_ok=True)
            return
        for name in ("search", "job"):
            shutil.rmtree(self.run.path / name, ignore_errors=True)

    def tell(self, searched: Searched, recipes: dict[str, Recipe]) -> None:
        """Write what was found so far; a full disk costs these files, not the search."""
        files = {"trials.csv": _csv(searched), "search.svg": picture(searched)}
        for name, text in (files | {f"{name}.yaml": as_yaml(recipe) for name, recipe in recipes.items()}).items():
            try:
                with replacing(self.path / name) as temporary:
                    temporary.write_text(text, encoding="utf-8")
            except OSError:
                return

    def taken(self) -> str:
        """The recipe that was taken last, as text; "" where there is none."""
        try:
            return (self.path / "taken.yaml").read_text(encoding="utf-8")
        except OSError:
            return ""

    def finish(self) -> None:
        """Keep what people look at, and what more trials would need."""
        for name in _PASSING:
            shutil.rmtree(self.path / name, ignore_errors=True)
        # Of a recipe that was taken before more trials led to another one.
        shutil.rmtree(self.run.job, ignore_errors=True)
        (self.path / _FINISHED).touch()


def _csv(searched: Searched) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["trial", "method", "differs", "score", "low", "high", "seconds", "network_bytes", "ended", "why", "taken"]
    )
    for one in searched.trials:
        score = ["", "", ""] if one.score is None else [one.score.value, one.score.low, one.score.high]
        row = [one.number, one.method, one.differs, *score, f"{one.seconds:.1f}", one.n_bytes, one.ended, one.why]
        writer.writerow([*row, int(one.number == searched.chosen)])
    return stream.getvalue()
