"""From what checks found to lines that a person can accept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.protocol import Finding
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
        if proposal.action == "merge":
            # About a label and not about an image: one line for all images.
            yield replace(fix, uri="", id="", region="", was=proposal.was)
        else:
            yield replace(fix, was=current(fix, dataset.samples[proposal.row]))


def _unique(fixes: Iterable[Fix]) -> Iterator[Fix]:
    seen = set()
    for fix in fixes:
        about = (fix.action, fix.key, fix.value, fix.was)
        if about not in seen:
            seen.add(about)
            yield fix
