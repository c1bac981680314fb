"""Training the linear head: our time, its own matrix products alone, and scikit-learn's default solver.

    python benchmarks/linear_head.py [--runs 5] [--samples 20000] [--features 1024] [--C 0.01 …] [--no-sklearn] [--rule] [--cpu]

Embeddings are simulated as real ones are: correlated, of falling spread, rectified, with class means and wrong labels.
"Products alone" repeats every product of the run with the design matrix and the covariance product, on the same shapes
and types, one after the other. Runs are paired: each measures both, and the ratio is the median of the runs' ratios.
The losses are the penalised objective in float64 at the returned weights; "excess" is against scikit-learn's lbfgs
converged to tol=1e-6. `--cpu` takes processor instead of wall time, for busy machines (with OPENBLAS_NUM_THREADS=1).
`--rule` compares the choice of C by the plain minimum and by the one-standard-error rule on fresh data.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.heads import linear
from tellapart.heads.linear import LinearHead, fit_linear
from tellapart.heads.ood import OodDetector
from tellapart.heads.selection import fit_selected, sample_losses, select_regularisation
from tellapart.heads.solver import Design, Solution, minimise
from tellapart.records import Task

Array = NDArray[Any]
CLOCK = time.process_time if "--cpu" in sys.argv else time.perf_counter


@dataclass(frozen=True, slots=True)
class Case:
    """One data set: embeddings, columns, and the same embeddings standardised in float64."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    k: int


def simulate(n: int, d: int, k: int, seed: int = 0) -> Case:
    """Embeddings float32 (n, d) of k classes; 3 % of the labels are wrong."""
    rng = np.random.default_rng(seed)
    rank = d // 2
    spread = (np.arange(1, rank + 1) ** -0.7).astype(np.float32)
    mixing = rng.standard_normal((rank, d), dtype=np.float32)
    y = rng.integers(0, k, n)
    means = 0.35 * rng.standard_normal((k, rank), dtype=np.float32)
    x = ((rng.standard_normal((n, rank), dtype=np.float32) + means[y]) * spread) @ mixing
    x += 0.3 * rng.standard_normal((n, d), dtype=np.float32)
    wrong = rng.random(n) < 0.03
    y[wrong] = rng.integers(0, k, int(wrong.sum()))
    return Case(np.maximum(x, -0.5, out=x), y.astype(np.int64), k)


def standardised(x: Array) -> NDArray[np.float64]:
    """Zero mean and unit variance, float64."""
    wide = x.astype(np.float64)
    return (wide - wide.mean(axis=0)) / wide.std(axis=0)


def penalised_loss(case: Case, weight: Array, bias: Array, C: float) -> float:
    """The objective on standardised features of weights (d, k) for standardised features."""
    z = standardised(case.x) @ weight + bias
    return C * float(sample_losses(z, case.y, task=Task.MULTICLASS).sum()) + 0.5 * float((weight**2).sum())


def on_standardised(case: Case, head: LinearHead) -> tuple[Array, Array]:
    """The head's weights as they act on standardised features."""
    mean, scale = case.x.mean(axis=0, dtype=np.float64), case.x.std(axis=0, dtype=np.float64)
    weight = head.weight.astype(np.float64)
    return weight * scale[:, None], head.bias + mean @ weight


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    start = CLOCK()
    result = call()
    return CLOCK() - start, result


def fit_counted(case: Case, C: float) -> tuple[float, LinearHead, int]:
    """Time of `fit_linear`, its head, and its products with the design matrix."""
    counts: list[int] = []

    def counting(*args: Any, **options: Any) -> Solution:
        solution = minimise(*args, **options)
        counts.append(solution.products)
        return solution

    linear.minimise = counting  # type: ignore[assignment]
    try:
        seconds, head = timed(lambda: fit_linear(case.x, case.y, task=Task.MULTICLASS, n_classes=case.k, C=C))
    finally:
        linear.minimise = minimise
    return seconds, head, counts[0]


def products_alone(matrix: NDArray[np.float32], k: int, count: int) -> float:
    """Seconds of the covariance product and of `count` products, half forward (scores), half back (gradient)."""
    weights = np.ones((k, matrix.shape[1]), np.float32)
    residual = np.ones((k, len(matrix)), np.float32)
    features = matrix[:, :-1]

    def replay() -> None:
        features.T @ features
        for i in range(count):
            _ = weights @ matrix.T if i % 2 == 0 else residual @ matrix

    return timed(replay)[0]


def compare(case: Case, C: float, runs: int, *, sklearn: bool) -> None:
    """Print one line: times, ratio, losses."""
    matrix = Design.of(case.x).matrix
    ours, alone = [], []
    for _ in range(runs):
        seconds, head, count = fit_counted(case, C)
        ours.append(seconds)
        alone.append(products_alone(matrix, case.k, count))
    ratio = float(np.median(np.array(ours) / np.array(alone)))
    line = f"k={case.k:<4} C={C:<6g} ours {np.median(ours):6.2f} s  products alone {np.median(alone):6.2f} s ({count})"
    print(f"{line}  ratio {ratio:.2f}", end="", flush=True)
    if sklearn:
        against_sklearn(case, C, head, float(np.median(ours)))
    print()


def against_sklearn(case: Case, C: float, head: LinearHead, ours: float) -> None:
    """Add scikit-learn's time at its default settings (one run) and the losses against its converged solution."""
    from sklearn.linear_model import LogisticRegression

    x = standardised(case.x)
    seconds, default = timed(lambda: LogisticRegression(C=C, max_iter=1000).fit(x, case.y))
    best = LogisticRegression(C=C, max_iter=20_000, tol=1e-6)
    best.set_params(warm_start=True)
    best.coef_, best.intercept_, best.classes_ = default.coef_.copy(), default.intercept_.copy(), default.classes_
    best.fit(x, case.y)
    optimum = penalised_loss(case, best.coef_.T, best.intercept_, C)
    own = penalised_loss(case, *on_standardised(case, head), C) / optimum - 1
    theirs = penalised_loss(case, default.coef_.T, default.intercept_, C) / optimum - 1
    iterations = int(default.n_iter_[0])
    alone = sklearn_products(x, case.k, iterations)
    print(
        f"  excess {own:+.1e} | sklearn {seconds:6.2f} s ({seconds / ours:.1f} x ours), excess {theirs:+.1e}, "
        f"its products alone {alone:.2f} s ({iterations} iterations, ratio {seconds / alone:.2f})",
        end="",
    )


def sklearn_products(x: NDArray[np.float64], k: int, iterations: int) -> float:
    """Seconds of two float64 products per iteration (its line search mostly takes one evaluation)."""
    weights, residual = np.ones((x.shape[1], k)), np.ones((len(x), k))

    def replay() -> None:
        for _ in range(iterations):
            _ = x @ weights
            _ = residual.T @ x

    return timed(replay)[0]


def whole_training(case: Case) -> None:
    """Print the time of choosing C over five folds and fitting, as `train` does it."""
    folds = np.arange(len(case.x)) % 5
    seconds, (selection, _) = timed(lambda: fit_selected(case.x, case.y, folds, task=Task.MULTICLASS, n_classes=case.k))
    unknown, _ = timed(lambda: OodDetector.fit(case.x, folds=folds))
    n, d = case.x.shape
    print(
        f"n={n} d={d} k={case.k}: choose C={selection.C:g} over 5 folds and fit {seconds:.2f} s, "
        f"OOD detector {unknown:.2f} s"
    )


def compare_rules(repetitions: int = 12) -> None:
    """Log loss on fresh data of C by the plain minimum and by the one-standard-error rule."""
    for n, d, k in ((60, 200, 3), (200, 200, 4), (800, 200, 6)):
        losses = [_rule_losses(simulate(n + 2000, d, k, seed), n) for seed in range(repetitions)]
        plain, cautious = np.mean(losses, axis=0)
        print(f"n={n} d={d} k={k}: fresh log loss, plain minimum {plain:.4f}, one standard error {cautious:.4f}")


def _rule_losses(case: Case, n: int) -> tuple[float, float]:
    x, y = case.x[:n], case.y[:n]
    selection = select_regularisation(x, y, np.arange(n) % 5, task=Task.MULTICLASS, n_classes=case.k)
    place = int(np.argmin(selection.scores))
    limit = selection.scores[place] + selection.errors[place]
    cautious = next(C for C, score in zip(selection.grid, selection.scores, strict=True) if score <= limit)
    fresh = []
    for C in (selection.C, cautious):
        head = fit_linear(x, y, task=Task.MULTICLASS, n_classes=case.k, C=C)
        fresh.append(float(sample_losses(head.logits(case.x[n:]), case.y[n:], task=Task.MULTICLASS).mean()))
    return fresh[0], fresh[1]


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=1_024)
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--C", type=float, nargs="+", default=[0.001, 0.01, 0.1])
    parser.add_argument("--no-sklearn", action="store_true")
    parser.add_argument("--rule", action="store_true")
    parser.add_argument(
        "--cpu", action="store_true", help="processor time: on a busy machine, with OPENBLAS_NUM_THREADS=1"
    )
    options = parser.parse_args()
    clock = "processor" if options.cpu else "wall"
    print(f"numpy {np.__version__}, {platform.machine()}, {clock} time, n={options.samples} d={options.features}")
    if options.rule:
        compare_rules()
        return
    for k in options.classes:
        case = simulate(options.samples, options.features, k)
        for C in options.C:
            compare(case, C, options.runs, sklearn=not options.no_sklearn)
        whole_training(case)
    whole_training(simulate(1079, 1128, 6))


if __name__ == "__main__":
    main()
