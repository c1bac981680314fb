"""Conditions that count images: votes, the majority, one, all, and those without an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tellapart.decision import figures
from tellapart.decision.figures import Names
from tellapart.decision.verdict import Verdict, Why
from tellapart.decision.view import View
from tellapart.records.observation import Observation


def vote(one: Any, names: Names, view: View) -> Verdict:
    """So many votes, or such a share of them."""
    images = view.of(one.input)
    voters = [i for i in images if one.abstain == "count" or not figures.abstains(i, one.confidence)]
    votes = [i for i in voters if figures.answers(i, names, one.confidence)]

    def because() -> Why:
        silent = len(images) - len(voters)
        told = f"{len(votes)} of {len(voters)} images vote for {one.vote!r}, {_wanted(one)}"
        return Why(f"{told}, {silent} without an answer" if silent else told, votes or voters)

    return of_enough(one, voters, Verdict(_enough(one, votes, voters), because))


def undecided(one: Any, _: Names, view: View) -> Verdict:
    """So many images without an answer, or such a share of all."""
    images = view.of(one.input)
    found = [i for i in images if i.abstains]

    def because() -> Why:
        return Why(f"{len(found)} of {len(images)} images have no answer, {_wanted(one)}", found or images)

    return of_enough(one, images, Verdict(_enough(one, found, images), because))


def majority(one: Any, names: Names, view: View) -> Verdict:
    """More images answer the label than any other."""
    images, label = view.of(one.input), one.majority
    votes = figures.voted(images, names, label)
    ahead = figures.leads(images, names, label, votes, latest_breaks_ties=one.tie == "latest")
    verdict = Verdict(ahead, lambda: _tally(images, names, votes))
    return verdict if one.of is None else of_enough(one, [i for i in images if not i.abstains], verdict)


def one_positive(one: Any, names: Names, view: View) -> Verdict:
    """One image is enough."""
    images = view.of(one.input)
    found = [i for i in images if figures.answers(i, names, one.confidence)]

    def because() -> Why:
        return Why(f"{len(found)} of {len(images)} images show {one.any!r}, one is enough", found or images)

    return of_enough(one, images, Verdict(bool(found), because))


def every(one: Any, names: Names, view: View) -> Verdict:
    """All images; there must be one."""
    images = view.of(one.input)
    found = [i for i in images if figures.answers(i, names, one.confidence)]

    def because() -> Why:
        return Why(f"{len(found)} of {len(images)} images show {one.every!r}, all must", images)

    return of_enough(one, images, Verdict(bool(images) and len(found) == len(images), because))


def of_enough(one: Any, images: Sequence[Observation], verdict: Verdict) -> Verdict:
    """The verdict, unless fewer images count than the condition asks for."""
    if one.of is None or len(images) >= one.of:
        return verdict
    return Verdict(False, lambda: Why(f"{len(images)} images count so far, {one.of} needed", images))


def _tally(images: Sequence[Observation], names: Names, votes: Sequence[str]) -> Why:
    counts = sorted([(-votes.count(label), label) for label in set(votes)])
    told = ", ".join([f"{label!r} {-n}" for n, label in counts])
    voting = [i for i in images if figures.answered(i, names)]
    said = f"the votes are {told}" if told else "no image votes"
    return Why(said, voting or [i for i in images if not i.abstains])


def _enough(one: Any, found: Sequence[Observation], of: Sequence[Observation]) -> bool:
    if one.share is None:
        return len(found) >= int(one.at_least)
    # A quotient, not a product: 0.07 * 100 is above 7 in binary, 7 / 100 is what 0.07 is read as.
    return bool(of) and len(found) / len(of) >= float(one.share)


def _wanted(one: Any) -> str:
    return f"{one.at_least} needed" if one.share is None else f"{one.share:.0%} needed"
