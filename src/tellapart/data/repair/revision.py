"""Revisions of a data set: a folder with the repaired table, the fixes that made it, and whence it came.

::

    parts-2/
      data.parquet     all samples, images by reference: nothing is copied, no original is touched
      fixes.csv        what was proposed, accepted or not
      revision.json    parent, who, when, why, how much; and the same of every ancestor
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.repair.fixes import Fix, write_fixes
from tellapart.data.revision_files import FIXES, MANIFEST, TABLE, is_revision
from tellapart.data.table import atomic_path
from tellapart.errors import DataError, Reason

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Revision:
    """One step in the life of a data set. Fingerprints are those of `Dataset.fingerprint`, `counts` fixes by action.

    A fingerprint does not know of splits: after a `move` alone it is the parent's. `table_sha256` tells such two apart.
    """

    path: str
    fingerprint: str
    parent_path: str
    parent_fingerprint: str
    who: str
    when: str
    why: str
    counts: Mapping[str, int] = field(default_factory=dict)
    n_before: int = 0
    n_after: int = 0
    table_sha256: str = ""

    @property
    def sentence(self) -> str:
        """What was done, in one line."""
        done = ", ".join(f"{n:,} {action}" for action, n in self.counts.items()) or "nothing"
        return f"{done}; {self.n_before:,} → {self.n_after:,} images"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "counts": dict(self.counts)}


@dataclass(frozen=True, slots=True)
class Origin:
    """Whence a revision comes: the parent as it was read, and where (None: made in Python); who made the step, and why."""

    parent: Dataset
    path: Path | None
    who: str = ""
    why: str = ""


def read_log(path: str | Path) -> tuple[Revision, ...]:
    """The revision at `path` and its ancestors, the newest first; () for a data set that is no revision.

    Raises:
        DataError: dataset_not_found; dataset_format, when the manifest or the table is not what was written.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file or folder {path}")
    if not is_revision(path):
        return ()
    first, *rest = _manifest(path)
    try:
        same = first.table_sha256 == _sha256(path / TABLE)
    except OSError as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path}: its {TABLE} cannot be read ({exc})") from exc
    if not same:
        raise DataError(Reason.DATASET_FORMAT, f"{path}: its {TABLE} was changed after the revision was written")
    return replace(first, path=str(path)), *rest


def write_revision(
    dataset: Dataset, path: str | Path, origin: Origin, fixes: Sequence[Fix], counts: Mapping[str, int]
) -> Revision:
    """Write a revision as a new folder, which appears whole or not at all.

    Raises:
        DataError: output_exists; write_failed.
    """
    path = Path(path)
    if path.exists():
        raise DataError(
            Reason.OUTPUT_EXISTS, f"{path} exists, and a revision never replaces another; choose a new name"
        )
    before = () if origin.path is None else read_log(origin.path)
    # A table without a root would depend on the working directory of whoever reads it.
    rooted = dataset if dataset.root is not None else replace(dataset, root=Path())
    with atomic_path(path, sync=False) as folder:
        try:
            folder.mkdir()
            rooted.to_parquet(folder / TABLE)
            write_fixes(fixes, folder / FIXES)
            made = _made(dataset, path, origin, counts, _sha256(folder / TABLE))
            _write_manifest(folder / MANIFEST, made, before)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return made


def _made(dataset: Dataset, path: Path, origin: Origin, counts: Mapping[str, int], table_sha256: str) -> Revision:
    return Revision(
        path=str(path),
        fingerprint=dataset.fingerprint,
        parent_path=str(origin.path or ""),
        parent_fingerprint=origin.parent.fingerprint,
        who=origin.who,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        why=origin.why,
        counts=dict(counts),
        n_before=len(origin.parent),
        n_after=len(dataset),
        table_sha256=table_sha256,
    )


def _write_manifest(path: Path, made: Revision, ancestors: Sequence[Revision]) -> None:
    value = {"format": FORMAT, **made.to_json(), "ancestors": [one.to_json() for one in ancestors]}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _manifest(folder: Path) -> list[Revision]:
    path = folder / MANIFEST
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        found = value["format"]
        if found != FORMAT:
            message = f"{path} has format {found!r}, this tellapart reads format {FORMAT}; upgrade tellapart"
            raise DataError(Reason.DATASET_FORMAT, message)
        return [_from_json(one) for one in (value, *value["ancestors"])]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path} is damaged ({exc!r:.200})") from exc


def _from_json(value: Mapping[str, Any]) -> Revision:
    known = {name: value[name] for name in Revision.__dataclass_fields__}
    return Revision(**known)


def _sha256(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
