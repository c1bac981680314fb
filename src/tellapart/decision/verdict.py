"""Whether a condition holds, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tellapart.records.observation import Observation


class Why(NamedTuple):
    """`because` is a clause such as "3 of 5 images vote for 'defect', 3 needed"; `images` are those it rests on."""

    because: str
    images: Sequence[Observation] = ()


class Verdict(NamedTuple):
    """`why` is asked while the images are still those of the verdict, and only for the rule that gives a state: putting
    reasons into words takes longer than finding them."""

    holds: bool
    why: Callable[[], Why]


def joined(parts: Sequence[Verdict]) -> Why:
    """The reasons of several verdicts as one clause."""
    reasons = [part.why() for part in parts]
    return Why(" and ".join(reason.because for reason in reasons), [one for reason in reasons for one in reason.images])
