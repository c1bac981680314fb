"""What is wrong with a data set, before a model learns it: read, look, run every check, gather what they say."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tellapart.backbones.registry import DEFAULT_BACKBONE
from tellapart.backbones.store import Store
from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Part
from tellapart.data.hygiene.registry import CHECKS
from tellapart.errors import Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.workflows.check_evidence import Gathered, Means, gather
from tellapart.workflows.check_result import Checked, Skipped
from tellapart.workflows.progress import Progress, silent


def check(
    data: Dataset | str | Path,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    backbone: str | Path = DEFAULT_BACKBONE,
    store: Store | None = None,
    preprocess: str | None = None,
    seed: int = 0,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
    checks: Iterable[Check] | None = None,
) -> Checked:
    """Look for what is wrong with labelled images, and propose repairs.

    `data` is a data set or anything `Dataset.read` takes. `only` and `skip` name checks (docs/check.md); what none of the
    chosen ones needs is not computed. `checks` are those to choose from, all that there are by default. The rest is as
    for `train`, which shares the cache. Nothing is changed.

    Raises:
        DataError, TrainingError (unlabelled), SettingsError (unknown checks), BackboneError, SpecError.
    """
    started = time.perf_counter()
    chosen = choose(known_checks() if checks is None else checks, only, skip)
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    needs = frozenset(part for one in chosen for part in one.needs)
    means = Means(
        backbone, preprocess, store, provider, seed, workers, None if cache_dir is None else Path(cache_dir), limits
    )
    gathered = gather(dataset, needs, means, progress)
    able, skipped = _able(chosen, gathered)
    findings = list[Finding]()
    for i, one in enumerate(able):
        progress(f"checking: {one.title.lower()}", i, len(able))
        findings += one.run(gathered.evidence)
    return Checked(
        evidence=gathered.evidence,
        findings=worst_first(findings),
        checks=able,
        skipped=skipped,
        n_unlabelled=gathered.n_unlabelled,
        seconds=time.perf_counter() - started,
        embedder=gathered.embedder,
    )


def known_checks() -> tuple[Check, ...]:
    """All checks, in their order."""
    return tuple(CHECKS.values())


def cheap_findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What the checks find that need nothing costly, worst first: those that `train` runs."""
    return worst_first(finding for one in known_checks() if not one.needs for finding in one.run(evidence))


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity, else in their order."""
    return tuple(sorted(findings, key=lambda finding: -finding.severity))


def choose(checks: Iterable[Check], only: Sequence[str], skip: Sequence[str]) -> tuple[Check, ...]:
    """The checks named, or all, but for those to skip.

    Raises:
        SettingsError: `unknown_name`, with the nearest; `bad_setting` when none is left.
    """
    known = {one.name: one for one in checks}
    for name in (*only, *skip):
        if name not in known:
            raise SettingsError(Reason.UNKNOWN_NAME, f"there is no check {name!r}{_near(name, known)}")
    chosen = tuple(one for name, one in known.items() if (not only or name in only) and name not in skip)
    if not chosen:
        raise SettingsError(Reason.BAD_SETTING, "no check is left to run; skip fewer of them")
    return chosen


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1)
    return f"{f'; did you mean {near[0]!r}?' if near else ''} (known: {', '.join(known)})"


def _able(chosen: Sequence[Check], gathered: Gathered) -> tuple[tuple[Check, ...], tuple[Skipped, ...]]:
    """The checks whose needs are there, and those that cannot look, with the reason."""
    lacking = {one.name: [part for part in one.needs if not gathered.evidence.has(part)] for one in chosen}
    able = tuple(one for one in chosen if not lacking[one.name])
    skipped = tuple(Skipped(name, _why(parts, gathered)) for name, parts in lacking.items() if parts)
    return able, skipped


def _why(parts: Sequence[Part], gathered: Gathered) -> str:
    return "; ".join(gathered.missing.get(part, f"there are no {part.replace('_', '-')}") for part in parts)
