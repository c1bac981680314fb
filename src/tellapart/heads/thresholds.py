"""Thresholds: from calibrated probabilities to an answer, or to "I don't know", for a stated aim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.aims import Aim, CostTable
from tellapart.heads.objectives import Doubles
from tellapart.heads.promises import Choice, Groups, Ranking, for_precision, for_recall
from tellapart.records import LabelSchema, Task

# How much the best-F1 thresholds of a multiclass task follow the classes' shares, and the shares of answers withheld.
_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_WITHHELD = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How probabilities become answers. Everything is in the label order of the schema.

    `values` float64 (k,): the lowest probability at which a label is answered; for a binary task only the positive
    label's counts, for `least_cost` none does (`costs` decides by the expected cost). `reached` tells per label whether
    the aim is reached on held-out data with 90 % confidence; `achieved` is the precision, recall, F1 or mean cost seen
    there (NaN where there was nothing to see), `support` the number of samples behind it.
    """

    aim: Aim
    values: tuple[float, ...]
    reached: tuple[bool, ...]
    achieved: tuple[float, ...]
    support: tuple[int, ...]

    @classmethod
    def plain(cls, schema: LabelSchema) -> Thresholds:
        """The likeliest label (0.5 for binary and multi-label), no aim."""
        k = len(schema.labels)
        value = 0.0 if schema.task is Task.MULTICLASS else 0.5
        return cls(Aim("argmax"), (value,) * k, (True,) * k, (float("nan"),) * k, (0,) * k)

    def to_json(self) -> dict[str, Any]:
        """JSON without NaN."""
        achieved = [None if a != a else a for a in self.achieved]
        return {
            "aim": self.aim.to_json(),
            "values": list(self.values),
            "reached": list(self.reached),
            "achieved": achieved,
            "support": list(self.support),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Thresholds:
        """Inverse of `to_json`.

        Raises:
            ModelError: `model_damaged`.
        """
        try:
            achieved = tuple(float("nan") if a is None else float(a) for a in value["achieved"])
            aim, support = Aim.from_json(value["aim"]), tuple(int(n) for n in value["support"])
            values, reached = tuple(float(v) for v in value["values"]), tuple(bool(r) for r in value["reached"])
        except (KeyError, TypeError, ValueError) as exc:
            raise ModelError(Reason.MODEL_DAMAGED, f"the thresholds of this model cannot be read: {exc!r}") from exc
        return cls(aim, values, reached, achieved, support)


def fit_thresholds(
    probabilities: NDArray[Any],
    targets: NDArray[np.integer[Any]],
    *,
    schema: LabelSchema,
    aim: Aim,
    groups: Groups | None = None,
) -> Thresholds:
    """Choose thresholds on held-out, calibrated probabilities (n, k).

    `targets` int (n,) columns, or 0/1 (n, k) for multilabel. `precision>=p`: a low threshold (many answers) whose
    precision is at least p with 90 % confidence; `recall>=r`: the highest threshold whose recall is at least r with
    90 % confidence, by the binomial test (Clopper & Pearson 1934; see `promises`). Where no threshold does it, the
    safest one is taken and `reached` says so. `groups` int64 (n,) names images that belong together (near-duplicates,
    frames of a video): such a group is as much evidence as one image. The trap: without it every image counts as
    independent, and near-duplicates make the promises false.

    In a multiclass task such a threshold can only withhold answers, so it can raise a class's precision, never its
    recall. `best_f1` there also decides between classes (see `decide`): thresholds fall with the classes' shares as far
    as the macro-F1 gains by it.

    Raises:
        SettingsError: `bad_setting` for shapes that do not fit.
    """
    groups = np.arange(len(targets), dtype=np.int64) if groups is None else groups
    _check(probabilities, targets, groups, schema)
    if aim.kind == "argmax" or len(targets) == 0:
        plain = Thresholds.plain(schema)
        return plain if aim.kind == "argmax" else _unreached(plain, aim)
    if aim.kind == "least_cost":
        return _least_cost(probabilities, targets, schema, aim)
    if aim.kind == "best_f1" and schema.task is Task.MULTICLASS:
        return _best_f1(np.asarray(probabilities, np.float64), targets, aim)
    results = [
        _choose(_one_label(probabilities, targets, groups, schema, column), aim, schema.task)
        for column in _columns(schema)
    ]
    if schema.task is Task.BINARY:
        results *= 2
        value = results[0][0]
        positive = schema.index(schema.positive or "")
        values = tuple(value if column == positive else 1 - value for column in range(2))
    else:
        values = tuple(result[0] for result in results)
    return Thresholds(
        aim, values, tuple(r[1] for r in results), tuple(r[2] for r in results), tuple(r[3] for r in results)
    )


def decide(probabilities: NDArray[Any], thresholds: Thresholds, schema: LabelSchema) -> NDArray[np.bool_]:
    """Answers as booleans (n, k); a row without any is "I don't know" (for multilabel: nothing is present).

    Multiclass answers are the likeliest class where it reaches its threshold; for `best_f1` the class that is the most
    times its threshold, because the likeliest is too seldom a rare one.
    """
    if thresholds.aim.kind == "least_cost":
        return _decide_by_cost(probabilities, thresholds.aim.table, schema)
    if schema.task is Task.MULTILABEL:
        return np.asarray(probabilities >= np.asarray(thresholds.values, probabilities.dtype))
    answers = np.zeros(probabilities.shape, bool)
    if schema.task is Task.BINARY:
        positive = schema.index(schema.positive or "")
        answers[:, positive] = probabilities[:, positive] >= thresholds.values[positive]
        answers[:, 1 - positive] = ~answers[:, positive]
        return answers
    values, rows = np.asarray(thresholds.values, probabilities.dtype), np.arange(len(probabilities))
    rival = probabilities / np.maximum(values, 1e-6) if thresholds.aim.kind == "best_f1" else probabilities
    best = rival.argmax(axis=1)
    answers[rows, best] = probabilities[rows, best] >= values[best]
    return answers


def apply_thresholds(probabilities: NDArray[Any], thresholds: Thresholds, schema: LabelSchema) -> list[tuple[str, ...]]:
    """Names answered for each row of probabilities (n, k): one, several for multilabel, or () for "I don't know"."""
    names = schema.names
    return [
        tuple(name for name, yes in zip(names, row, strict=True) if yes)
        for row in decide(probabilities, thresholds, schema).tolist()
    ]


def _check(probabilities: NDArray[Any], targets: NDArray[np.integer[Any]], groups: Groups, schema: LabelSchema) -> None:
    n, k = len(targets), len(schema.labels)
    if probabilities.shape != (n, k) or (schema.task is Task.MULTILABEL) != (targets.ndim == 2):
        raise SettingsError(
            Reason.BAD_SETTING,
            f"thresholds need probabilities ({n}, {k}) for {n} targets and {k} labels, got {probabilities.shape} "
            f"and targets {targets.shape}",
        )
    if groups.shape != (n,):
        raise SettingsError(
            Reason.BAD_SETTING, f"thresholds need one group for each of the {n} targets, got groups {groups.shape}"
        )


def _columns(schema: LabelSchema) -> tuple[int, ...]:
    return (schema.index(schema.positive or ""),) if schema.task is Task.BINARY else tuple(range(len(schema.labels)))


def _one_label(
    probabilities: NDArray[Any], targets: NDArray[np.integer[Any]], groups: Groups, schema: LabelSchema, column: int
) -> Ranking:
    actual = targets[:, column] == 1 if schema.task is Task.MULTILABEL else targets == column
    scores = probabilities[:, column].astype(np.float64)
    candidates = np.ones(len(scores), bool)
    if schema.task is Task.MULTICLASS:
        candidates = probabilities.argmax(axis=1) == column
    return Ranking.of(scores[candidates], actual[candidates], groups[candidates], groups[actual])


def _choose(ranking: Ranking, aim: Aim, task: Task) -> tuple[float, bool, float, int]:
    """Threshold, whether the aim is reached, the value achieved, and the samples behind it."""
    if len(ranking.actual_groups) == 0 or len(ranking.scores) == 0:
        return 0.0 if task is Task.MULTICLASS else 0.5, False, float("nan"), 0
    if aim.kind == "precision":
        place, reached, achieved, support = for_precision(ranking, aim.value)
    elif aim.kind == "recall":
        place, reached, achieved, support = for_recall(ranking, aim.value)
    else:
        place, reached, achieved, support = _for_f1(ranking)
    return ranking.threshold(place), reached, achieved, support


def _for_f1(ranking: Ranking) -> Choice:
    n_actual = len(ranking.actual_groups)
    f1 = 2 * ranking.true / (ranking.answered + n_actual)
    place = int(np.argmax(f1))
    return place, True, float(f1[place]), n_actual


_Counts = NDArray[np.integer[Any]]


def _best_f1(probabilities: Doubles, targets: NDArray[np.integer[Any]], aim: Aim) -> Thresholds:
    """Thresholds `level · share ** power` of the best macro-F1: two numbers to choose, so few examples do."""
    n, k = probabilities.shape
    counts = np.bincount(targets, minlength=k)
    best, chosen, achieved = -1.0, np.zeros(k), np.zeros(k)
    for power in _POWERS:
        scale = ((counts + 1) / (n + k)) ** power
        rival = probabilities / scale
        answer, height = rival.argmax(axis=1), rival.max(axis=1)
        # Below the first level nothing is withheld: probabilities sum to 1.
        for level in (0.999 / scale.sum(), *np.quantile(height, _WITHHELD)):
            said = height >= level
            f1 = _f1(answer[said], targets[said], counts)
            value = float(f1[counts > 0].mean())
            if value > best + 1e-9:
                best, chosen, achieved = value, np.minimum(level * scale, 1.0), f1
    achieved[counts == 0] = np.nan
    return Thresholds(aim, tuple(chosen.tolist()), (True,) * k, tuple(achieved.tolist()), tuple(counts.tolist()))


def _f1(answers: _Counts, actual: _Counts, counts: _Counts) -> Doubles:
    """F1 of each class (k,) from the answers given, what those images are, and how many images a class has in all."""
    hits = np.bincount(answers[answers == actual], minlength=len(counts))
    sizes = np.bincount(answers, minlength=len(counts)) + counts
    return np.asarray(2 * hits / np.maximum(sizes, 1), np.float64)


def _unreached(plain: Thresholds, aim: Aim) -> Thresholds:
    return Thresholds(aim, plain.values, (False,) * len(plain.values), plain.achieved, plain.support)


def _least_cost(
    probabilities: NDArray[Any], targets: NDArray[np.integer[Any]], schema: LabelSchema, aim: Aim
) -> Thresholds:
    """Expected cost under calibrated probabilities needs no search (Elkan 2001); held-out data says what it costs."""
    table, plain = aim.table, Thresholds.plain(schema)
    costs, unknown = table.matrix(schema), table.unknown
    if schema.task is Task.MULTILABEL:
        answers = _decide_by_cost(probabilities, table, schema).astype(np.int64)
        achieved = costs[targets, answers].mean(axis=0)
        base = costs[targets, (probabilities >= 0.5).astype(np.int64)].mean(axis=0)
        value = _cost_threshold(costs)
        reached = tuple((achieved <= base + 1e-12).tolist())
        k = len(plain.values)
        return Thresholds(aim, (value,) * k, reached, tuple(achieved.tolist()), (len(targets),) * k)
    answers_ = _decide_by_cost(probabilities, table, schema)
    priced = np.where(answers_.any(axis=1), costs[targets, answers_.argmax(axis=1)], unknown or 0.0)
    base_cost = costs[targets, probabilities.argmax(axis=1)].mean()
    actual = [priced[targets == column] for column in range(len(plain.values))]
    achieved_ = tuple(float(part.mean()) if part.size else float("nan") for part in actual)
    better = bool(priced.mean() <= base_cost + 1e-12)
    return Thresholds(aim, plain.values, (better,) * len(actual), achieved_, tuple(len(part) for part in actual))


def _cost_threshold(costs: Doubles) -> float:
    """Probability of presence from which answering "present" is cheaper; rows actual, columns predicted."""
    false_alarm, miss = costs[0, 1] - costs[0, 0], costs[1, 0] - costs[1, 1]
    return float(false_alarm / (false_alarm + miss)) if false_alarm + miss > 0 else 0.5


def _decide_by_cost(probabilities: NDArray[Any], table: CostTable, schema: LabelSchema) -> NDArray[np.bool_]:
    costs = table.matrix(schema)
    if schema.task is Task.MULTILABEL:
        return np.asarray(probabilities >= _cost_threshold(costs))
    expected = probabilities.astype(np.float64) @ costs
    answers = np.zeros(probabilities.shape, bool)
    rows, best = np.arange(len(expected)), expected.argmin(axis=1)
    answers[rows, best] = True if table.unknown is None else expected[rows, best] <= table.unknown
    return answers
