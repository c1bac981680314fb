"""The classes of a model at one moment: what answers, what it rests on, and which images judge it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Answers, Classifier
from tellapart.classifier.head_file import kinds_of
from tellapart.errors import ModelError, Reason
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.heads.linear import LinearHead
from tellapart.heads.thresholds import Thresholds, decide
from tellapart.records import LabelSchema
from tellapart.training.cross_fit import CrossFit, Remembered
from tellapart.training.dynamic import refit
from tellapart.training.linear_probe import Probe, ProbeOptions
from tellapart.workflows.classes.rows import Rows

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Answers for images by a head that has not learned from them.

    `rows` int64 (m,) are places in `Rows`, probabilities and decisions (m, k). Of each class it is the test images; of a
    class without any (`crossed`, by name) the images that teach, each answered by a head fitted without its fold. So
    every class is judged, and none on images that taught.
    """

    rows: Ints
    probabilities: NDArray[np.floating[Any]]
    decisions: Bools
    ood_scores: NDArray[np.floating[Any]] | None
    crossed: tuple[str, ...]
    n_crossed: int

    @property
    def judged_on(self) -> str:
        """Which images judge, in words."""
        n_test = len(self.rows) - self.n_crossed
        parts = [f"{n_test:,} images of the held-back split"] if n_test else []
        if self.n_crossed:
            named = ", ".join(map(repr, self.crossed[:5])) + (" …" if len(self.crossed) > 5 else "")
            parts.append(f"{self.n_crossed:,} images of {named} in held-out folds")
        return " and ".join(parts) or "nothing: no image is left that did not teach"


@dataclass(frozen=True, eq=False)
class State:
    """`classifier` answers by `statistics`; `rows` are the images it remembers."""

    classifier: Classifier
    statistics: ClassStatistics
    rows: Rows

    @property
    def schema(self) -> LabelSchema:
        """Task and labels."""
        return self.classifier.schema

    @cached_property
    def probe(self) -> Probe:
        """The head fitted on the statistics, with its cross-fit answers for the images that have a vector."""
        return fitted(self.statistics, self.rows, self.schema, options_of(self.classifier))

    @cached_property
    def crossed(self) -> tuple[NDArray[np.float32], Bools]:
        """Probabilities (m, k) for the images that have a vector, by heads fitted without their fold, and bool (m,) where
        they mean something. Of a head that is not fitted anew nothing but these heads is needed.
        """
        if "probe" in self.__dict__:
            return self.probe.probabilities, self.probe.usable
        fit = CrossFit.of(self.statistics, remembered_of(self.rows, self.schema), self.schema)
        head = cast(LinearHead, self.classifier.head)
        logits, usable = fit.held_out(fit.folds(options_of(self.classifier).seed), head)
        return head.calibration.apply(logits), usable

    @cached_property
    def answers(self) -> Answers:
        """For the images that have a vector, in their order."""
        return self.classifier.answer(self.rows.embeddings)

    @cached_property
    def held_out(self) -> HeldOut:
        """What judges this state."""
        rows, columns = self.rows, self.rows.columns(self.schema)
        at = np.flatnonzero(rows.has_vector)
        test = ~rows.teaches[at]
        tested = np.isin(np.arange(len(self.schema.labels)), columns[at[test]])
        crossed = ~test & ~tested[columns[at]]
        if crossed.any():
            crossed &= self.crossed[1]
        return self._held_out(at, test, crossed)

    def _held_out(self, at: Ints, test: Bools, crossed: Bools) -> HeldOut:
        chosen, answers = test | crossed, self.answers
        probabilities, decisions = answers.probabilities.copy(), answers.decisions.copy()
        names: tuple[str, ...] = ()
        if crossed.any():
            probabilities[crossed] = self.crossed[0][crossed]
            decisions[crossed] = decide(probabilities[crossed], self.classifier.thresholds, self.schema)
            names = tuple(sorted({self.rows.labels[row] for row in at[crossed]}))
        scores = None if crossed.any() else answers.ood_scores[chosen]
        return HeldOut(at[chosen], probabilities[chosen], decisions[chosen], scores, names, int(crossed.sum()))


def options_of(classifier: Classifier) -> ProbeOptions:
    """What was asked for when the model was trained, for the next head."""
    card = classifier.card
    weight = card.head.get("class_weight", "balanced")
    aim = Thresholds.from_json(card.thresholds).aim
    return ProbeOptions(
        aim,
        None if weight == "none" else "balanced",
        int(card.training.get("seed", 0)),
        rejection=kinds_of(card)["rejection"],
        unknown_share=float(card.head.get("unknown_share", 0.01)),
    )


def fitted(statistics: ClassStatistics, rows: Rows, schema: LabelSchema, options: ProbeOptions) -> Probe:
    """The head of some statistics.

    Raises:
        ModelError: `model_incomplete` where no vector is remembered: nothing could calibrate it.
    """
    if not rows.has_vector.any():
        raise ModelError(
            Reason.MODEL_INCOMPLETE, "the model remembers no embedding in reference.parquet; train it again"
        )
    return refit(statistics, remembered_of(rows, schema), schema, options)


def remembered_of(rows: Rows, schema: LabelSchema) -> Remembered:
    """The images that have a vector, as a head is fitted on them."""
    at = np.flatnonzero(rows.has_vector)
    return Remembered(rows.embeddings, rows.columns(schema)[at], rows.groups[at], tuple(rows.splits[at].tolist()))
