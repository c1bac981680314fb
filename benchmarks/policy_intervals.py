"""How often do the 95 % intervals over episodes contain the truth, and how long does judging take?

Draws many recordings from a known line: parts of 8 s with 6 to 12 s between them, found with a delay, missed now and then,
with false alarms. What is true of the line comes from a recording so long that chance does not matter.

Usage: python benchmarks/policy_intervals.py [--draws 400]
"""

from __future__ import annotations

import argparse
import platform
import random
import time

import numpy as np

from tellapart.evaluation.episode_matching import judge_sequence
from tellapart.evaluation.episodes import Run, SequenceOutcome, Terms, cost_matrix
from tellapart.evaluation.policy_evaluation import TrackEvaluation, evaluate_tracks
from tellapart.records.episode import TrueEpisode

FIGURES = ("recall", "precision", "false_alarms_per_hour", "flicker_per_hour", "cost", "time_cost", "agreement",
           "delay_s_median", "delay_s_p90")  # fmt: skip
TERMS = Terms(("rest", "bad"), "rest", cost_matrix(("rest", "bad"), {}))
PART_S, FOUND, FALSE = 8, 0.9, 0.1


def sequence(rng: random.Random, n: int, mood: float) -> SequenceOutcome:
    """`n` parts; `mood` is how much the share that is found differs from one sequence to the next."""
    share = FOUND + (mood if rng.random() < 0.5 else -mood)
    now_s, truth, runs = 0, [], [Run("rest", 0, 0)]
    for _ in range(n):
        if rng.random() < FALSE:
            runs += [Run("bad", now_s + 3, now_s + 4), Run("rest", now_s + 4, 0)]
        now_s += rng.randint(6, 12)
        truth.append(TrueEpisode(now_s, now_s + PART_S, "bad"))
        if rng.random() < share:
            begin_s = now_s + min(int(rng.expovariate(0.7)), PART_S - 1)
            runs += [Run("bad", begin_s, now_s + PART_S), Run("rest", now_s + PART_S, 0)]
        now_s += PART_S
    now_s += 5
    ends = [*(one.begin_s for one in runs[1:]), now_s]
    whole = [Run(one.state, one.begin_s, end) for one, end in zip(runs, ends, strict=True)]
    return judge_sequence(whole, truth, TERMS, seen_s=np.arange(now_s, dtype=float), end_s=float(now_s))


def judged(sequences: list[SequenceOutcome], seed: int = 0, n_resamples: int = 1000) -> TrackEvaluation:
    """All figures."""
    return evaluate_tracks({"state": (TERMS, sequences)}, seed=seed, n_resamples=n_resamples)[0]


def covered(n_sequences: int, n_parts: int, mood: float, draws: int) -> dict[str, float]:
    """Share of intervals that hold what is true."""
    rng = random.Random(n_sequences)
    long_one = judged([sequence(rng, 50, mood) for _ in range(2000)], n_resamples=0).figures
    hits = dict.fromkeys(FIGURES, 0)
    for seed in range(draws):
        found = judged([sequence(rng, n_parts, mood) for _ in range(n_sequences)], seed, 400).figures
        for name in FIGURES:
            true, one = long_one[name].value, found[name]
            inside = one.low is not None and one.high is not None and true is not None and one.low <= true <= one.high
            hits[name] += inside
    return {name: n / draws for name, n in hits.items()}


def main() -> None:
    """Print a table and a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400)
    draws = parser.parse_args().draws
    print(f"{'sequences':>9} {'parts':>5} {'differ':>6}  " + "  ".join(f"{name:>21}" for name in FIGURES))
    for n_sequences, n_parts, mood in ((1, 60, 0.0), (4, 20, 0.0), (10, 10, 0.0), (10, 10, 0.1), (30, 10, 0.1)):
        found = covered(n_sequences, n_parts, mood, draws)
        cells = "  ".join(f"{found[name]:21.3f}" for name in FIGURES)
        print(f"{n_sequences:>9} {n_parts:>5} {mood:>6}  {cells}", flush=True)
    rng = random.Random(0)
    started = time.process_time()
    judged([sequence(rng, 590, 0.0)], n_resamples=0)
    middle = time.process_time()
    judged([sequence(rng, 590, 0.0)])
    print(
        f"10,000 images judged in {middle - started:.3f} s, with intervals in {time.process_time() - middle:.3f} s "
        f"({platform.machine()}, Python {platform.python_version()})"
    )


if __name__ == "__main__":
    main()
