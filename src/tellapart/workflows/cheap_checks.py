"""The checks that every training runs: they need nothing but facts that are there already, and take no time."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.hygiene.protocol import Finding, Severity
from tellapart.data.hygiene.wording import count
from tellapart.records import LabelSchema
from tellapart.workflows import check as checking
from tellapart.workflows.check_evidence import evidence_of
from tellapart.workflows.embedding import EmbeddedDataset

_TOLD = 3
# What the summary of a training has lines of its own for.
_SAID_ANYWAY = ("refused", "split_leaks")


def cheap_lines(images: EmbeddedDataset, schema: LabelSchema) -> list[str]:
    """Lines for the summary of a training: the worst findings, and how much more `check` would tell."""
    findings = checking.cheap_findings(evidence_of(images, schema))
    found = [finding for finding in findings if not _said_anyway(finding)]
    told = [finding for finding in found if finding.severity > Severity.NOTE][:_TOLD]
    lines = [f"warning     {finding.sentence}; {finding.remedy}" for finding in told]
    return [*lines, f"checks      {_rest(found, len(told))}"]


def _said_anyway(finding: Finding) -> bool:
    """Names that differ only in case or spacing are among the warnings of every data set."""
    spelling = finding.check == "label_names" and all(proposal.sure for proposal in finding.proposals)
    return spelling or finding.check in _SAID_ANYWAY


def _rest(found: Sequence[Finding], n_told: int) -> str:
    costly = sum(bool(one.needs) for one in checking.known_checks())
    left = [count(len(found) - n_told, "more finding")] if len(found) > n_told else []
    left += [count(costly, "check") + " not run here"] if costly else []
    more = f": {' and '.join(left)}" if left else ""
    return f"tellapart check DATA shows more{more}" if left or n_told else "nothing found"
