"""What checks found, as values, as JSON and as lines for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Severity
from tellapart.data.hygiene.wording import count
from tellapart.data.repair.fixes import Fix, write_fixes
from tellapart.data.repair.proposing import propose
from tellapart.workflows.embedding import Embedder

# What a model says about images and labels is an opinion: a person accepts it, line by line.
_OPINIONS = frozenset({"embeddings", "probabilities"})
SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
# A terminal's page; thousands of labels may have a thousand variants.
_LINES = 40


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that could not look, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, worst first. `evidence` holds the n images that findings count by row, and what is known of them.

    `checks` are those that ran, `skipped` those that could not. `n_unlabelled` images were not looked at.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    skipped: tuple[Skipped, ...]
    n_unlabelled: int
    seconds: float
    embedder: Embedder

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding, None for none."""
        return self.findings[0].severity if self.findings else None

    def is_as_bad_as(self, severity: str) -> bool:
        """Whether anything was found of this severity (by its name, such as "warning") or a worse one."""
        return self.worst is not None and self.worst >= Severity[severity.upper()]

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """What `fixes.csv` proposes."""
        guessed = {one.name for one in self.checks if _OPINIONS.intersection(one.needs)}
        return propose(self.evidence.dataset, self.findings, guessed=guessed)

    def write_fixes(self, path: str | Path) -> tuple[Fix, ...]:
        """Write `fixes.csv` and return what stands in it."""
        fixes = self.fixes
        write_fixes(fixes, Path(path))
        return fixes

    def counts(self) -> Mapping[Severity, int]:
        """Findings by severity, the worst first."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    @property
    def verdict(self) -> str:
        """All in one sentence."""
        told = [count(n, severity.name.lower()) for severity, n in self.counts().items() if n]
        images = count(len(self.evidence), "image")
        return f"{_listed(told)} in {images}" if told else f"nothing is wrong with {images}"

    def title_of(self, name: str) -> str:
        """The title of a check."""
        return next((one.title for one in self.checks if one.name == name), name)

    def lines(self) -> list[str]:
        """A short report for a terminal."""
        width, left = max(len(severity.name) for severity in SEVERITIES) + 2, len(self.findings) - _LINES
        return [
            *self._facts(),
            "",
            *(f"{one.severity.name.lower():{width}}{one_line(one)}" for one in self.findings[:_LINES]),
            *([f"… and {count(left, 'more finding')}: see the report (-o) or --json"] if left > 0 else []),
            *([""] if self.findings else []),
            self.verdict,
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values; images by uri."""
        dataset = self.evidence.dataset
        return {
            "verdict": self.verdict,
            "counts": {severity.name.lower(): n for severity, n in self.counts().items()},
            "images": len(dataset),
            "unlabelled": self.n_unlabelled,
            "refused": [refusal.to_json() for refusal in dataset.refusals],
            "fingerprint": dataset.fingerprint,
            "checks": [one.name for one in self.checks],
            "skipped": [{"check": one.name, "why": one.why} for one in self.skipped],
            "findings": [self._finding_json(finding) for finding in self.findings],
            "prospects": None if self.evidence.prospects is None else self.evidence.prospects.to_json(),
        }

    def _facts(self) -> list[str]:
        n, refused = len(self.evidence), len(self.evidence.dataset.refusals)
        return [
            f"data      {n + refused + self.n_unlabelled:,} images seen: {n:,} looked at, {refused:,} refused, "
            f"{self.n_unlabelled:,} unlabelled",
            f"checks    {count(len(self.checks), 'check')} in {self.seconds:.1f} s",
            *(f"skipped   {one.name}: {one.why}" for one in self.skipped),
        ]

    def _finding_json(self, finding: Finding) -> dict[str, Any]:
        uris = self.evidence.dataset.uris
        proposals = [{"uri": uris[p.row], "action": p.action, "value": p.value} for p in finding.proposals]
        return {
            "check": finding.check,
            "severity": finding.severity.name.lower(),
            "sentence": finding.sentence,
            "remedy": finding.remedy,
            "images": [uris[row] for row in finding.rows],
            "scores": [_number(score) for score in finding.scores],
            "clusters": [[uris[row] for row in cluster] for cluster in finding.clusters],
            "figures": {name: _number(value) for name, value in finding.figures.items()},
            "proposals": proposals,
        }


def one_line(finding: Finding) -> str:
    """What was found and what to do, with the name by which the check is chosen or skipped."""
    return f"{finding.sentence}; {finding.remedy} [{finding.check}]"


def _number(value: float) -> float | None:
    """JSON knows neither nan nor infinity."""
    return float(value) if math.isfinite(value) else None


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
