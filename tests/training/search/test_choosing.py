"""The best of many is the best by luck as well: what cannot be told from it and is cheaper is taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.records import Label, LabelSchema, Task
from tellapart.training.search.choosing import Candidate, Judges, choose

N = 200
SCHEMA = LabelSchema(Task.MULTICLASS, (Label(0, "a"), Label(1, "b"), Label(2, "c")))
TRUTH = np.arange(N) % 3
JUDGES = Judges(TRUTH, SCHEMA, [str(row) for row in range(N)], "f1_macro")


def answers(n_wrong: int) -> NDArray[np.float32]:
    """Probabilities of which the first `n_wrong` are wrong."""
    given = np.where(np.arange(N) < n_wrong, (TRUTH + 1) % 3, TRUTH)
    return np.eye(3, dtype=np.float32)[given] * 0.7 + 0.1


def candidate(number: int, n_wrong: int, *, trained: bool = True, n_bytes: int = 7, size_px: int = 64) -> Candidate:
    return Candidate(number, 1 - n_wrong / N, answers(n_wrong), trained, n_bytes, size_px)


def test_a_clear_winner_is_taken() -> None:
    choice = choose([candidate(0, 60, trained=False), candidate(1, 55), candidate(2, 5)], JUDGES)
    assert (choice.taken, choice.best) == (2, 2)
    assert choice.why == ("Trial 2 was taken: it scored best, 0.975; 2 of the 2 others are worse by more than chance.")


def test_what_is_cheaper_and_cannot_be_told_from_the_best_is_taken() -> None:
    choice = choose([candidate(0, 12, trained=False), candidate(1, 10), candidate(2, 60)], JUDGES)
    assert (choice.taken, choice.best) == (0, 1)
    assert choice.why == (
        "Trial 0 was taken: 0.940 cannot be told from the 0.950 of trial 1, the best, on 200 validation images "
        "(difference -0.010, -0.025 to +0.000), and it is cheaper."
    )


def test_of_equal_costs_the_best_is_taken() -> None:
    assert choose([candidate(0, 12), candidate(1, 10), candidate(2, 11)], JUDGES).taken == 1


def test_a_small_network_and_small_images_are_cheap() -> None:
    small = choose([candidate(0, 10, n_bytes=9), candidate(1, 11, n_bytes=8), candidate(2, 11, size_px=32)], JUDGES)
    assert small.taken == 2


def test_a_single_trial_is_taken() -> None:
    assert choose([candidate(4, 3)], JUDGES).why == "Trial 4 was taken: it scored best, 0.985."
