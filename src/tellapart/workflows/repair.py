"""Repair a data set: accepted fixes in, a new revision out; what differs between two, and how one came to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.joining import joined
from tellapart.data.repair.applying import Applied, apply_fixes, keys_of
from tellapart.data.repair.diff import Difference, difference
from tellapart.data.repair.fixes import Fault, Fix, accept_all, parse_fixes
from tellapart.data.repair.identity import identify
from tellapart.data.repair.revision import Origin, Revision, read_log, write_revision
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.workflows.progress import Progress, silent

__all__ = ["Fixed", "diff", "fix", "read_log"]


@dataclass(frozen=True, slots=True)
class Fixed:
    """The revision that was written, and what was applied; `applied.dataset` is the repaired data set."""

    revision: Revision
    applied: Applied


def fix(
    data: Dataset | str | Path,
    fixes: str | Path | Sequence[Fix],
    *,
    output: str | Path,
    pool: Dataset | str | Path | None = None,
    source: str | Path | None = None,
    who: str = "",
    why: str = "",
    everything: bool = False,
    new_labels: bool = False,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Fixed:
    """Apply the accepted fixes (`fixes.csv` of `check`, or `Fix` values) and write the result as a revision, a new folder
    that `Dataset.read` and every command take. Originals are neither changed nor copied.

    `pool` are unlabelled images that the list is about as well (those of `suggest`): the revision holds them too. `source`
    is where `data` was read from, if it is a `Dataset`. `everything` accepts all fixes, `new_labels` allows labels
    that no image has yet.

    Raises:
        DataError: bad_row with all faults of the list at once; output_exists; write_failed; what reading raises.
        SettingsError: bad_setting, for an output inside the data.
    """
    source = None if isinstance(data, Dataset) and source is None else Path(str(source or data))
    output = Path(output)
    _check_target(output, source)
    if pool is not None and not isinstance(pool, Dataset):
        _check_target(output, Path(pool))
    listed, faults = _listed(fixes)
    listed = accept_all(listed) if everything else listed
    dataset = joined(data, pool)
    known = identify(dataset, again=_rows(dataset, listed), limits=limits, progress=_told(progress))
    where = str(fixes) if isinstance(fixes, str | Path) else "the list of fixes"
    applied = apply_fixes(known, listed, new_labels=new_labels, faults=faults, where=where)
    if not len(applied.dataset):
        raise DataError(Reason.DATASET_EMPTY, f"{where} would drop every image; accept fewer of its lines")
    revision = write_revision(applied.dataset, output, Origin(known, source, who, why), listed, applied.counts)
    return Fixed(revision, applied)


def diff(
    before: Dataset | str | Path,
    after: Dataset | str | Path,
    *,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Difference:
    """What differs from one data set to another, be they revisions or of any format.

    Raises:
        DataError: when one cannot be read.
    """
    both = [data if isinstance(data, Dataset) else Dataset.read(data) for data in (before, after)]
    known = [identify(dataset, limits=limits, progress=_told(progress)) for dataset in both]
    return difference(*known)


def _told(progress: Progress) -> Callable[[int, int], None]:
    return lambda done, total: progress("reading images", done, total)


def _listed(fixes: str | Path | Sequence[Fix]) -> tuple[tuple[Fix, ...], list[Fault]]:
    return parse_fixes(Path(fixes)) if isinstance(fixes, str | Path) else (tuple(fixes), [])


def _rows(dataset: Dataset, fixes: Sequence[Fix]) -> list[int]:
    """Rows whose files must still be those that were checked."""
    about = {one.key for one in fixes if one.accept and one.id}
    return [row for row, key in enumerate(keys_of(dataset)) if key in about]


def _check_target(output: Path, source: Path | None) -> None:
    if output.exists():
        raise DataError(
            Reason.OUTPUT_EXISTS, f"{output} exists, and a revision never replaces another; choose a new name"
        )
    if source is not None and source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the revision {output} would lie inside the data {source}, where originals are never touched; "
            "name an output outside of it",
        )
