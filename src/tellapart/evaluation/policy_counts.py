"""What is counted of some episodes of a track, and the matrix of what was taken for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tellapart.evaluation.curves import Confusion
from tellapart.evaluation.episode_figures import Counting, Resampling
from tellapart.evaluation.episodes import EpisodeOutcome, RunOutcome
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.scored import Floats

MERGED, NOTHING, NO_EPISODE = "merged", "nothing", "no episode"


@dataclass(frozen=True, slots=True)
class Among:
    """The figures of some true and decided episodes."""

    episodes: Callable[[EpisodeOutcome], bool]
    runs: Callable[[RunOutcome], bool]

    def by_unit(self, counting: Counting, hours: Floats) -> dict[str, tuple[Floats, Floats]]:
        """Counts above and below the line."""
        right = counting.runs(lambda r: self.runs(r) and r.was == "found")
        false = counting.runs(lambda r: self.runs(r) and r.was == "false")
        hits = counting.episodes(lambda e: self.episodes(e) and e.how == "found")
        return {
            "recall": (hits, counting.episodes(self.episodes)),
            "precision": (right, right + false),
            "false_alarms_per_hour": (false, hours),
        }

    def figures(self, counting: Counting, drawn: Resampling, hours: Floats) -> dict[str, Estimate]:
        """By name."""
        counted = self.by_unit(counting, hours)
        found = {name: drawn.share(*counted[name]) for name in ("recall", "precision")}
        found["false_alarms_per_hour"] = drawn.rate(*counted["false_alarms_per_hour"])
        seconds, frames, units = counting.delays(self.episodes)
        for name, values in (("delay_s", seconds), ("delay_frames", frames)):
            found[f"{name}_median"] = drawn.quantile(values, units, 0.5)
            found[f"{name}_p90"] = drawn.quantile(values, units, 0.9)
        return found

    def counts(self, counting: Counting) -> dict[str, int]:
        """How many of each kind."""
        true = [e for one in counting.outcomes for e in one.episodes if self.episodes(e)]
        how = Counter(e.how for e in true)
        was = Counter(r.was for one in counting.outcomes for r in one.runs if self.runs(r))
        return {
            "n_true": len(true),
            "n_found": how["found"],
            "n_merged": how["merged"],
            "n_missed": how["missed"],
            "n_early": sum(e.early for e in true),
            "n_late": sum(e.late for e in true),
            "n_unseen": sum(not e.n_images for e in true),
            "n_decided": was.total(),
            "n_right": was["found"],
            "n_repeated": was["repeated"],
            "n_false": was["false"],
            "n_asked": was["asked"],
            "n_rest": was["rest"],
        }


def confusion_of(counting: Counting) -> Confusion:
    """True episodes by what they were and what was given; the last row holds what was decided besides, where nothing was."""
    cells: Counter[tuple[str, str]] = Counter()
    for one in counting.outcomes:
        for e in one.episodes:
            given = (
                MERGED if e.how == "merged" else e.answer or (counting.terms.rest if counting.terms.at_end else NOTHING)
            )
            cells[e.state, given] += 1
        for r in one.runs:
            if r.besides:
                cells[NO_EPISODE, r.run.state] += 1
    states = counting.terms.states
    rows = [name for name in (*states, NO_EPISODE) if any(row == name for row, _ in cells)]
    columns = [name for name in (*states, MERGED, NOTHING) if any(column == name for _, column in cells)]
    columns = [name for name in (*states, MERGED, NOTHING) if name in columns or name in rows]
    return Confusion(tuple(rows), tuple(columns), tuple(tuple(cells[row, one] for one in columns) for row in rows))
