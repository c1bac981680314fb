"""Which metric to trust for this data, and why, in sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.evaluation.scored import Scored
from tellapart.evaluation.wording import percent

# A class is over- or under-represented when its share differs from an equal share by more than this factor.
_UNEVEN = 1.5
# Above this ratio one kind of mistake is called costly.
_COSTLY = 2.0


@dataclass(frozen=True, slots=True)
class Advice:
    """The metric to trust (`headline`), others worth a look (`also`), and the reasons as sentences."""

    headline: str
    also: tuple[str, ...]
    balanced: bool
    sentences: tuple[str, ...]


def advise(scored: Scored, *, ranks: bool = False) -> Advice:
    """Choose the metric to trust; `ranks`: the threshold was set for a rate of false alarms, not to be right most often.

    Costs decide first (false alarms dear: precision; misses dear: recall), then balance: accuracy, F1 and ROC-AUC where
    the classes are about equally frequent, F1 and average precision where they are not.
    """
    if not scored.exclusive:
        return _multilabel(scored)
    counts = scored.targets.sum(axis=0)
    present = counts[counts > 0]
    shares = present / present.sum()
    balanced = bool(shares.max() <= _UNEVEN / len(shares) + 1e-9 and shares.min() >= 1 / (_UNEVEN * len(shares)) - 1e-9)
    largest = scored.schema.names[int(np.argmax(counts))]
    fact = (
        f"The classes are about equally frequent (the largest, {largest}, has {percent(shares.max())} of the images)."
        if balanced
        else f"The classes are uneven: {largest} alone has {percent(shares.max())} of the images, so always answering "
        f"{largest} would already reach an accuracy of {shares.max():.2f}."
    )
    chosen = _by_rank(scored) if ranks else _by_cost(scored, balanced) or _by_balance(scored, balanced)
    return Advice(chosen.headline, chosen.also, balanced, (fact, *chosen.sentences, *_warnings(scored)))


def _by_rank(scored: Scored) -> Advice:
    positive = "the positive class" if scored.positive is None else scored.schema.names[scored.positive]
    if (scored.targets.sum(axis=0) == 0).any():
        why = (
            f"Images of one class alone judge, so nothing is known of how many of {positive} are found: accuracy is the "
            "share of these images that got the right answer. Add some of the other class to a test split."
        )
        return Advice("accuracy", (), False, (why,))
    why = (
        "The threshold stands where good images raise as few alarms as was asked for, so trust ROC-AUC of "
        f"{positive}: how often such an image ranks above a good one, whatever the threshold. Recall is what is found at "
        "this rate of false alarms; more is found where more of them may be borne."
    )
    return Advice("roc_auc", ("average_precision", "recall", "precision"), False, (why,))


def _by_balance(scored: Scored, balanced: bool) -> Advice:
    binary = scored.positive is not None
    if balanced:
        also = ("f1", "roc_auc") if binary else ("f1_macro", "roc_auc_macro")
        return Advice("accuracy", also, True, ("Accuracy says what you would think it says; trust it first.",))
    if binary:
        why = (
            f"Trust F1 of {scored.schema.positive}: it only looks at how many of them are found and how many alarms "
            "are true. To choose a threshold look at average precision and the precision-recall curve; ROC-AUC looks "
            "better than it is when one class is rare."
        )
        return Advice("f1", ("average_precision", "balanced_accuracy"), False, (why,))
    why = (
        "Trust macro F1: every class counts the same, however rare it is. Average precision says the same without "
        "a threshold."
    )
    return Advice("f1_macro", ("average_precision_macro", "balanced_accuracy"), False, (why,))


def _by_cost(scored: Scored, balanced: bool) -> Advice | None:
    if scored.costs is None:
        return None
    if scored.positive is None:
        why = (
            "You gave a cost table, so the mean cost per image is the number that counts; accuracy is shown beside it."
        )
        headline = "accuracy" if balanced else "f1_macro"
        return Advice(headline, ("mean_cost",), balanced, (why,))
    yes, no = scored.positive, 1 - scored.positive
    false_alarm = scored.costs[no, yes] - scored.costs[no, no]
    miss = scored.costs[yes, no] - scored.costs[yes, yes]
    if false_alarm > _COSTLY * miss:
        why = f"A false alarm costs {_times(false_alarm, miss)} a miss, so trust precision of {scored.schema.positive}."
        return Advice("precision", ("mean_cost", "recall"), balanced, (why,))
    if miss > _COSTLY * false_alarm:
        why = f"A miss costs {_times(miss, false_alarm)} a false alarm, so trust recall of {scored.schema.positive}."
        return Advice("recall", ("mean_cost", "precision"), balanced, (why,))
    return None


def _times(more: float, less: float) -> str:
    return f"{more / less:.3g} times" if less > 0 else "more than"


def _multilabel(scored: Scored) -> Advice:
    counts = scored.targets.sum(axis=0)
    present = counts[counts > 0]
    balanced = bool(len(present) and present.max() <= _UNEVEN**2 * present.min())
    nothing = float((~scored.targets.any(axis=1)).mean())
    sentences = [
        "Several labels may be on one image. Trust macro F1: every label counts the same. Subset accuracy asks for all "
        "labels of an image at once and falls with their number; Hamming loss looks good whenever labels are rare.",
        "Papers on such data compare the ROC-AUC of each label, which stands class by class below: it tells how well a label "
        "ranks images without any threshold, and looks better than it is where the label is rare.",
    ]
    if nothing > 0:
        sentences.append(
            f"{percent(nothing)} of the images carry no label at all; samples-averaged metrics count them as 0."
        )
    return Advice(
        "f1_macro", ("average_precision_macro", "roc_auc_macro", "f1_micro"), balanced, (*sentences, *_warnings(scored))
    )


def _warnings(scored: Scored) -> tuple[str, ...]:
    counts = scored.targets.sum(axis=0)
    names = scored.schema.names
    absent = [name for name, n in zip(names, counts, strict=True) if n == 0]
    few = [f"{name} ({n})" for name, n in zip(names, counts, strict=True) if 0 < n < 20]
    warnings = []
    if absent:
        warnings.append(f"Not one image of {_listed(absent)} is in this data: nothing is said about it here.")
    if few:
        warnings.append(
            f"Fewer than 20 images of {_listed(few)}: their intervals are wide, and so is the macro average's."
        )
    return tuple(warnings)


def _listed(names: list[str], limit: int = 6) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
