"""How fast does a policy decide, and does its memory stay as it is? No model, no images: made-up answers.

    python benchmarks/policy_engine.py                      # a million images a policy, some minutes
    python benchmarks/policy_engine.py --images 20000       # a trial

Speed is by the processor time of this process, the best of ten parts of the run: whoever else computes on the machine slows
the others. Memory is what Python holds after a tenth of the images, and at the end.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

from tellapart.decision.engine import Engine
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy

_RULES = {
    "majority, last 5": ({"last": 5}, {"majority": "defect"}),
    "3 of 5": ({"last": 5}, {"vote": "defect", "at_least": 3}),
    "weighted mean, last 10": (
        {"last": 10},
        {"mean": "defect", "weights": ["recency", "confidence"], "half_life_s": 2, "at_least": 0.6},
    ),
    "Bayes, 10 s": ({"seconds": 10}, {"bayes": "defect", "at_least": 0.9}),
    "episodes by a gap": (
        {"episode": {"opens": {"predicted": "defect"}, "closes": {"gap_s": 1.5}}},
        {"max": "defect", "at_least": 0.95},
    ),
    "an episode that nothing closes": (
        {"episode": {"opens": {}, "closes": {"trigger": "never"}}},
        {"vote": "defect", "share": 0.5},
    ),
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    n = parser.parse_args().images
    print("| policy | images a second | memory after a tenth, MB | at the end, MB |\n| --- | ---: | ---: | ---: |")
    for name, (window, condition) in _RULES.items():
        values = {
            "policy": 1,
            "name": "line",
            "states": {"ok": None, "defective": None},
            "fallback": "ok",
            "window": window,
            "rules": [{"state": "defective", "if": condition}],
        }
        early, late = memory(values, n)
        print(f"| {name} | {speed(values, n):,.0f} | {early / 1e6:.2f} | {late / 1e6:.2f} |", flush=True)


def images(begin: int, end: int) -> Iterator[Observation]:
    """Two a second; a defect is three of seven."""
    for number in range(begin, end):
        p = 0.9 if number % 7 < 3 else 0.1
        answer = ("defect",) if p > 0.5 else ("good",)
        yield Observation(number / 2, "image", f"image-{number}", {"defect": p, "good": 1 - p}, answer, model_id="m")


def speed(values: dict[str, Any], n: int) -> float:
    """Images a second."""
    policy = read_policy(values)
    engine = Engine(policy, identity(policy))
    best = float("inf")
    for part in range(10):
        recorded = list(images(part * n // 10, (part + 1) * n // 10))
        begin = time.process_time()
        for one in recorded:
            engine.step([one])
        best = min(best, (time.process_time() - begin) / len(recorded))
    return 1 / best


def memory(values: dict[str, Any], n: int) -> tuple[int, int]:
    """Bytes that Python holds after a tenth of the images, and after all."""
    policy = read_policy(values)
    engine = Engine(policy, identity(policy))
    tracemalloc.start()
    held = []
    for begin, end in ((0, n // 10), (n // 10, n)):
        for one in images(begin, end):
            engine.step([one])
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return held[0], held[1]


if __name__ == "__main__":
    main()
