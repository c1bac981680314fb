"""What is said of held-out pieces: luck in choosing is no gain, and a gain is told as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from tellapart.evaluation.episodes import EpisodeOutcome, Run, RunOutcome, SequenceOutcome, Terms, cost_matrix
from tellapart.evaluation.paired_rates import paired_rate
from tellapart.workflows.policy_tune_aim import Aim, Tally, aim_of
from tellapart.workflows.policy_tune_held_out import HeldOut, judged, validate
from tellapart.workflows.policy_tune_knobs import Knob
from tellapart.workflows.policy_tune_pieces import Piece, Pieces
from tellapart.workflows.policy_tune_search import Choice

TERMS = Terms(("ok", "bad"), "ok", cost_matrix(("ok", "bad"), {}))


def _outcome(n_false: int = 0, found: Sequence[bool] = (), delay_s: float = 1.0) -> SequenceOutcome:
    """An hour with false alarms, and with an episode for each of `found`."""
    runs = tuple(RunOutcome(Run("bad", 100.0 + i, 100.5 + i), "false", True, "ok") for i in range(n_false))
    episodes = tuple(
        EpisodeOutcome(2000.0 + 10 * i, 2005.0 + 10 * i, "bad", "found" if one else "missed", "bad" if one else "ok")
        if not one
        else EpisodeOutcome(2000.0 + 10 * i, 2005.0 + 10 * i, "bad", "found", "bad", 0, delay_s)
        for i, one in enumerate(found)
    )
    return SequenceOutcome("", 0.0, 3600.0, episodes, runs, (), np.array([0.0]), np.array([True]), np.empty((0, 2)))


@dataclass
class Noise:
    """A track of which every policy raises as much at random: nothing is better than anything else."""

    seed: int
    n: int = 10
    knobs: tuple[Knob, ...] = (Knob(("x",), 0, tuple(range(60))),)
    terms: Terms = TERMS
    pieces: Pieces = field(init=False)

    def __post_init__(self) -> None:
        fold = tuple(i % 5 for i in range(self.n))
        self.pieces = Pieces(tuple(Piece(str(i), (), (), 3600.0) for i in range(self.n)), fold, "")

    def outcome(self, choice: Choice, number: int) -> SequenceOutcome:
        generator = np.random.default_rng([self.seed, int(choice[0]), number])
        return _outcome(int(generator.poisson(6)), (generator.random(4) < 0.7).tolist())


def _validated(seed: int, aim: Aim) -> HeldOut:
    noise = Noise(seed)

    tallies = {(x, i): Tally.of(noise.outcome((x,), i), TERMS) for x in noise.knobs[0].choices for i in range(noise.n)}

    def find(numbers: Sequence[int], _: str) -> Choice:
        def key(x: float) -> tuple[float, ...]:
            return aim.key(Tally.together(tallies[x, i] for i in numbers))

        return (min(noise.knobs[0].choices, key=key),)

    return validate(noise, aim, find)  # type: ignore[arg-type]


@pytest.mark.parametrize("aim", [aim_of(), aim_of(false_alarms=20.0), aim_of(recall=0.5)])
def test_the_best_of_many_that_are_alike_is_claimed_no_gain(aim: Aim) -> None:
    found = [_validated(seed, aim) for seed in range(12)]
    assert sum(one.chosen[0] != (0,) for one in found) >= 10  # luck made another one look better
    assert sum(one.pays for one in found) <= 1
    values = [one.difference.value or 0.0 for one in found]
    assert abs(float(np.mean(values))) < 3 * float(np.std(values)) / np.sqrt(len(values))


@pytest.mark.slow
def test_a_gain_is_claimed_by_chance_in_few_cases() -> None:
    found = [_validated(seed, aim_of()) for seed in range(100)]
    assert sum(one.pays for one in found) <= 4


def _judged(before: SequenceOutcome, after: SequenceOutcome, aim: Aim, n: int = 10) -> HeldOut:
    return judged((before,) * n, (after,) * n, (), aim, TERMS, n_folds=5)


def test_a_gain_is_told() -> None:
    found = _judged(_outcome(5, [True]), _outcome(1, [True]), aim_of())
    assert found.pays
    assert found.why == "tuning pays: -4 cost per hour on what was held out (-6.86 to -1.14)"


def test_what_passes_a_limit_that_was_kept_does_not_pay() -> None:
    found = _judged(_outcome(1, [False, True]), _outcome(4, [True, True]), aim_of(false_alarms=2.0))
    assert found.measure == "missed share"
    assert not found.pays
    assert found.why.endswith("but there it passes the limit of false alarms")


def test_what_passes_a_limit_less_than_before_pays() -> None:
    found = _judged(_outcome(9, [True]), _outcome(4, [True]), aim_of(false_alarms=2.0))
    assert found.measure == "false alarms per hour"
    assert found.pays


def test_finding_nothing_at_all_is_not_taken_for_a_gain() -> None:
    found = _judged(_outcome(9, [True]), _outcome(0, [False]), aim_of())
    assert not found.pays
    assert found.why.endswith(
        "but there it finds nothing any more: raising nothing is cheapest, say in `costs` what a miss costs"
    )


def test_what_gets_worse_is_called_so() -> None:
    found = _judged(_outcome(1), _outcome(3), aim_of())
    assert found.why == "tuning does not pay: +2 cost per hour on what was held out (+0.569 to +3.43), it is worse"


def test_delays_are_compared_where_both_find() -> None:
    found = _judged(_outcome(0, [True, True], 5.0), _outcome(0, [True, False], 3.0), Aim("least-delay"), 1)
    assert not found.pays
    assert found.why.endswith("too little differs there to tell")


def test_nothing_differs() -> None:
    found = _judged(_outcome(1), _outcome(1), aim_of())
    assert found.why == "tuning does not pay: +0 cost per hour on what was held out, nothing differs there"


def test_a_paired_rate_by_hand() -> None:
    before, after, of = np.array([4.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0])
    found = paired_rate(before, after, of)
    # differences -3, 0, -1 over 4 hours; residuals -2, 2, 0; two differ: t with one degree of freedom
    spread = np.sqrt(3 / 2 * (2**2 + 2**2)) / 4
    assert found.value == -1.0
    assert found.low == pytest.approx(-1.0 - 12.706 * spread, rel=1e-3)
    assert found.n == 2


def test_what_was_chosen_by_cross_validation_is_less_sure() -> None:
    values = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0])
    plain, folded = paired_rate(*values), paired_rate(*values, n_folds=2)
    assert plain.high is not None
    assert folded.high is not None
    assert folded.value == plain.value
    assert folded.high + 0.75 == pytest.approx((plain.high + 0.75) * np.sqrt(3))


@pytest.mark.parametrize(("n_units", "proven"), [(2, False), (3, False), (5, False), (6, True), (20, True)])
def test_units_that_agree_to_the_letter_are_still_few(n_units: int, proven: bool) -> None:
    """All of n misses found: by chance with 2 · ½ⁿ, which is below 5 % from six on."""
    found = paired_rate(np.ones(n_units), np.zeros(n_units), np.ones(n_units))
    assert found.value == -1.0
    assert found.low is not None
    assert found.high is not None
    assert found.low < -1.0 < found.high
    assert (found.high < 0) is proven
    plenty = paired_rate(np.ones(n_units + 90), np.zeros(n_units + 90), np.ones(n_units + 90))
    assert plenty.high is not None
    assert plenty.high < min(found.high, -0.9)


def test_a_single_lucky_unit_tells_nothing() -> None:
    found = paired_rate(np.array([4.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0]), np.ones(3))
    assert found.value == pytest.approx(-4 / 3)
    assert found.low is None
