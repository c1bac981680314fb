"""The rejection that a finished head gets: the kind that was asked for, or the one that classes left out in turn name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tellapart.heads.familiar import Familiar
from tellapart.heads.rejection import Rejection, fit_rejection
from tellapart.training.rejection_choice import DEFAULT, FitReduced, choose_rejection

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Rejecting:
    """A rejection, and how it was chosen: `facts` for the card and `notes` for people, both empty where it was named."""

    rejection: Rejection
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def rejecting(asked: str, known: Familiar, fit_head: FitReduced | None = None, *, seed: int = 0) -> Rejecting:
    """Fit the kind `asked` for; "auto" chooses where `fit_head` can fit heads without some classes, "mahalanobis" elsewhere.

    Raises:
        SettingsError: `unknown_name`, or `bad_setting` for a kind that does not suit the task or the head.
    """
    if asked != AUTO:
        return Rejecting(fit_rejection(asked, known))
    one_label = known.targets.ndim == 1
    choice = (
        choose_rejection(known.embeddings, known.classes, known.folds, fit_head, seed=seed)
        if one_label and fit_head is not None
        else None
    )
    if choice is None:
        return Rejecting(fit_rejection(DEFAULT, known))
    return Rejecting(fit_rejection(choice.chosen, known), {"rejection_choice": choice.facts()}, (choice.note(),))
