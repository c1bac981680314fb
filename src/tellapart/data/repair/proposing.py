"""From what checks found to lines that a person can accept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.protocol import Finding, Proposal
from tellapart.data.repair.applying import current, keys_of
from tellapart.data.repair.fixes import Fix, settled


def propose(dataset: Dataset, findings: Iterable[Finding], *, guessed: Collection[str] = ()) -> tuple[Fix, ...]:
    """The fixes that findings about `dataset` propose, each once, in the order of the findings.

    They are accepted beforehand, but for those that contradict an earlier one, those that are not sure, and labels and
    images that the checks in `guessed` (names) would change: a model's opinion is for a person to judge.
    """
    found = _unique(fix for finding in findings for fix in _of(dataset, finding, finding.check in guessed))
    return tuple(settled(found))


def _of(dataset: Dataset, finding: Finding, guessed: bool) -> Iterator[Fix]:
    keys = keys_of(dataset)
    for proposal in finding.proposals:
        uri, region = keys[proposal.row]
        careful = guessed and proposal.action in ("drop", "relabel", "merge")
        fix = Fix(
            proposal.action,
            uri,
            proposal.value,
            check=finding.check,
            why=finding.sentence,
            id=dataset.ids[proposal.row],
            region=region,
            accept=proposal.sure and not careful,
        )
        yield _merge(dataset, proposal, fix) if fix.action == "merge" else _with_was(dataset, proposal, fix)


def _with_was(dataset: Dataset, proposal: Proposal, fix: Fix) -> Fix:
    return replace(fix, was=current(fix, dataset.samples[proposal.row]))


def _merge(dataset: Dataset, proposal: Proposal, fix: Fix) -> Fix:
    """A merge is about a label and not about an image: one line for all images."""
    names = [name for name in dataset.samples[proposal.row].labels or () if name != proposal.value]
    was = proposal.was or (names[0] if len(names) == 1 else _alike(names, proposal.value))
    return replace(fix, uri="", id="", region="", was=was)


def _alike(names: list[str], value: str) -> str:
    """Of several labels on one image, the one that is most like the new name."""
    from difflib import SequenceMatcher

    return max(names, key=lambda name: SequenceMatcher(None, name.casefold(), value.casefold()).ratio(), default="")


def _unique(fixes: Iterable[Fix]) -> Iterator[Fix]:
    seen = set()
    for fix in fixes:
        about = (fix.action, fix.key, fix.value, fix.was)
        if about not in seen and (fix.action != "merge" or fix.was):
            seen.add(about)
            yield fix
