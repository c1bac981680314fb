"""What a file of vectors says about itself, as JSON: in a Parquet file's metadata, or beside a `.npy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason
from tellapart.index.space import Space
from tellapart.records import Refusal

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Description:
    """The space, where relative uris start, which images were refused, and free facts."""

    space: Space
    root: Path | None = None
    refusals: tuple[Refusal, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self, path: Path) -> dict[str, Any]:
        """As it stands in the file at `path`; the root relative to it where it lies below, so that both can move."""
        return {
            "format": FORMAT,
            "space": self.space.to_json(),
            "root": None if self.root is None else _relative(self.root, path.parent),
            "refusals": [[one.uri, one.code, one.message] for one in self.refusals],
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, value: Any, dim: int, path: Path) -> Description:
        """Inverse of `to_json`, for vectors of `dim` numbers.

        Raises:
            DataError: `dataset_format` when it is damaged, of a later tellapart, or of other vectors.
        """
        try:
            if value["format"] != FORMAT:
                message = (
                    f"{path} has format {value['format']!r}, this tellapart reads format {FORMAT}; update tellapart"
                )
                raise DataError(Reason.DATASET_FORMAT, message)
            space, root = Space.from_json(value["space"]), value["root"]
            refusals = tuple(Refusal(*map(str, entry)) for entry in value["refusals"])
            found = cls(space, None if root is None else path.parent / root, refusals, dict(value["facts"]))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise DataError(
                Reason.DATASET_FORMAT, f"{path}: the description of its vectors is damaged ({exc!r}); embed again"
            ) from exc
        if space.dim != dim:
            message = f"{path}: its vectors have {dim} numbers each, its description says {space.dim}; embed again"
            raise DataError(Reason.DATASET_FORMAT, message)
        return found


def _relative(root: Path, folder: Path) -> str:
    try:
        return root.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return root.resolve().as_posix()
