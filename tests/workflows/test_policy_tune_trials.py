"""Which values go together, and that a policy runs over a piece once."""

from __future__ import annotations

from typing import Any

import pytest
from tests.workflows.tuning import plain, recorded

from tellapart.evaluation.episodes import SequenceOutcome
from tellapart.settings.policy_file import read_policy
from tellapart.workflows.policy_evaluate import terms_of
from tellapart.workflows.policy_tune_knobs import knobs_of
from tellapart.workflows.policy_tune_pieces import pieces_of
from tellapart.workflows.policy_tune_trials import Trials

HIGH, LOW = {"mean": "defect", "at_least": 0.6}, {"mean": "defect", "below": 0.4}


def _trials(**track: Any) -> Trials:
    values = plain(**track)
    images, truth = recorded(2, n_images=100, n_episodes=3)
    knobs = knobs_of(values, "state", images.values())
    pieces = pieces_of(images, truth, gap_s=1.0)
    return Trials(values, "state", knobs, pieces, terms_of(read_policy(values).tracks["state"], truth))


def _made(trials: Trials, **numbers: float) -> bool:
    """Whether there is a policy with these values, by the last parts of their names, the others as given."""
    choice = tuple(
        numbers.get(knob.name.removeprefix("rules[0].").replace(".", "_").replace("[", "").replace("]", ""), knob.given)
        for knob in trials.knobs
    )
    return trials.policy(choice) is not None


@pytest.mark.parametrize(
    ("begins", "ends", "numbers", "possible"),
    [
        (HIGH, LOW, {"if_at_least": 0.5}, True),
        (HIGH, LOW, {"if_at_least": 0.3}, False),
        (HIGH, LOW, {"until_below": 0.6}, True),
        (HIGH, LOW, {"until_below": 0.7}, False),
        (LOW, HIGH, {"until_at_least": 0.3}, False),
        ({"all_of": [HIGH, {"max": "defect", "at_least": 0.7}]}, LOW, {"until_below": 0.65}, False),
        ({"all_of": [HIGH, {"max": "defect", "at_least": 0.7}]}, LOW, {"until_below": 0.5}, True),
        (HIGH, {"max": "defect", "below": 0.4}, {"until_below": 0.7}, True),  # about something else
    ],
)
def test_a_rule_does_not_end_before_it_begins(
    begins: dict[str, Any], ends: dict[str, Any], numbers: dict[str, float], possible: bool
) -> None:
    trials = _trials(window={"last": 3}, rules=[{"state": "bad", "if": begins, "until": ends}])
    assert _made(trials, **numbers) is possible


def test_votes_fit_into_the_window() -> None:
    trials = _trials(window={"last": 3}, rules=[{"state": "bad", "if": {"vote": "defect", "at_least": 3, "of": 2}}])
    assert _made(trials)
    assert not _made(trials, if_at_least=4)
    assert not _made(trials, if_of=4)
    assert _made(trials, if_at_least=4, window_last=5)


def test_bounds_that_exclude_each_other_are_no_policy() -> None:
    condition = {"confidence": "defect", "at_least": 0.3, "below": 0.7}
    trials = _trials(rules=[{"state": "bad", "if": condition}])
    assert not _made(trials, if_at_least=0.7)
    choice = tuple(0.7 if knob.name.endswith("at_least") else knob.given for knob in trials.knobs)
    assert trials.tally(choice, [0]) is None
    with pytest.raises(ValueError, match="contradicts itself"):
        trials.outcome(choice, 0)


def test_a_policy_runs_over_a_piece_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = _trials(rules=[{"state": "bad", "if": {"confidence": "defect", "at_least": 0.5}}])
    ran: list[int] = []
    outcome = Trials.outcome

    def counted(self: Trials, choice: tuple[float, ...], number: int) -> SequenceOutcome:
        ran.append(number)
        return outcome(self, choice, number)

    monkeypatch.setattr(Trials, "outcome", counted)
    first, again = trials.tally((0.5,), [0, 1]), trials.tally((0.5,), [1, 0])
    assert first is not None
    assert again is not None
    assert first.n_false == again.n_false
    assert ran == [0, 1]
