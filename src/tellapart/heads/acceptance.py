"""Above which confidence all answers may be accepted without a person, for an agreed precision."""

from __future__ import annotations

from dataclasses import dataclass

from tellapart.errors import Reason, SettingsError
from tellapart.heads.objectives import Doubles
from tellapart.heads.promises import CONFIDENCE, Booleans, Groups, Ranking, fewest_for, first_tested, for_precision


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Of `support` held-out answers with a confidence of `threshold` or more the share `achieved` was right.

    `why_not` is empty where that promises `precision` with 90 % confidence. Else nothing is to be accepted: `threshold`
    is infinite, and `support` and `achieved` are those of the surest answers, with which the test began and ended.
    """

    precision: float
    threshold: float
    achieved: float
    support: int
    why_not: str = ""

    @property
    def promised(self) -> bool:
        """Whether anything may be accepted."""
        return not self.why_not


def fit_acceptance(confidence: Doubles, right: Booleans, groups: Groups, precision: float) -> Acceptance:
    """The lowest confidence from which on answers are right in at least the share `precision`, on held-out answers.

    `confidence` (n,) in 0 to 1, `right` bool (n,), `groups` int64 (n,) of images that belong together: a group is as much
    evidence as one image. How a promise stands up to many thresholds being looked at is told in `promises`. It holds for
    images drawn like these; the trap: images of another kind are no such, whatever their confidence (see `ood`).

    Raises:
        SettingsError: `bad_setting` for a precision outside of 0 to 1 or arrays of different lengths.
    """
    check_precision(precision)
    if not len(confidence) == len(right) == len(groups):
        raise SettingsError(
            Reason.BAD_SETTING,
            f"a confidence, a verdict and a group are needed for each answer, "
            f"got {len(confidence)}, {len(right)} and {len(groups)}",
        )
    if not len(confidence):
        return Acceptance(precision, float("inf"), float("nan"), 0, "no answer was held out")
    ranking = Ranking.of(confidence, right, groups, groups)
    place, reached, achieved, support = for_precision(ranking, precision)
    if not reached:
        return _nothing(ranking, precision)
    # Not halfway to the next answer: of what lies between nothing is known.
    return Acceptance(precision, float(ranking.scores[ranking.ends[place]]), achieved, support)


def check_precision(precision: float) -> None:
    """Raise `SettingsError` (`bad_setting`) for what no classifier can promise."""
    if not 0 < precision < 1:
        raise SettingsError(
            Reason.BAD_SETTING, f"a precision is a share between 0 and 1, such as 0.98, got {precision:g}"
        )


def _nothing(ranking: Ranking, precision: float) -> Acceptance:
    place, fewest = first_tested(ranking, precision), fewest_for(precision)
    if place is None or ranking.n_actual_groups < fewest:
        last, n = len(ranking.ends) - 1, ranking.n_actual_groups
        why_not = (
            f"a promise of {precision:g} takes at least {fewest:,} labelled images that are not near-duplicates, all of "
            f"them told rightly; there are {n:,}"
        )
        return _refused(ranking, last, precision, why_not)
    wrong = int(ranking.answered[place] - ranking.true[place])
    why_not = (
        f"{wrong:,} of the {ranking.answered[place]:,} surest answers on held-out images {'was' if wrong == 1 else 'were'} "
        f"wrong, too many to promise {precision:g} with {CONFIDENCE * 100:.0f} % confidence"
    )
    return _refused(ranking, place, precision, why_not)


def _refused(ranking: Ranking, place: int, precision: float, why_not: str) -> Acceptance:
    answered = int(ranking.answered[place])
    return Acceptance(precision, float("inf"), float(ranking.true[place] / answered), answered, why_not)
