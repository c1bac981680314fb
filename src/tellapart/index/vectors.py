"""Vectors of images with the facts about each row, in memory and as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.index.description import Description
from tellapart.index.rows import completed
from tellapart.index.space import Space
from tellapart.index.values import checked
from tellapart.records import Refusal

if TYPE_CHECKING:
    import polars as pl

DType = Literal["float32", "float16"]
SUFFIXES = (".parquet", ".npy")


@dataclass(frozen=True, eq=False)
class Vectors:
    """n vectors, one per row of a table, and the space they lie in.

    `vectors` is float32 (n, d), finite; it may be a memory map, so do not write to it. `table` has n rows with the columns
    id (sha256 of the image's bytes, hex; of files that others made what they have, else the row's number), uri, labels
    (list), group and split, null where unknown; behind them roi, captured_at and `meta:<key>` as a data set has them, or
    whatever columns such a file had. Relative uris start at `root` (None: the working directory). `refusals` are images that
    could not be used, `facts` plain JSON about how the vectors came about. `left_out` counts rows of a file without vector.
    """

    vectors: NDArray[np.float32]
    table: pl.DataFrame
    space: Space
    root: Path | None = None
    refusals: tuple[Refusal, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    left_out: int = 0

    def __post_init__(self) -> None:
        if self.vectors.shape != (self.table.height, self.space.dim):
            expected = (self.table.height, self.space.dim)
            raise DataError(
                Reason.DATASET_FORMAT, f"vectors of shape {expected} were expected, got {self.vectors.shape}"
            )

    @classmethod
    def of(
        cls,
        vectors: NDArray[np.floating[Any]],
        space: Space | None = None,
        *,
        ids: Sequence[str] | None = None,
        table: pl.DataFrame | None = None,
    ) -> Vectors:
        """Vectors (n, d) from memory; without `table` its rows are `ids`, without these their numbers.

        Raises:
            DataError: `dataset_format` for another shape, or values that are no finite numbers.
        """
        import polars as pl

        values, normalised = checked(vectors, "the vectors")
        if table is None:
            table = pl.DataFrame() if ids is None else pl.DataFrame({"id": list(ids)}, schema={"id": pl.String})
        found = space or Space.unknown(values.shape[1], normalised=normalised)
        return cls(values, completed(table, len(values)), found)

    @classmethod
    def read(cls, path: str | Path) -> Vectors:
        """Open a file of vectors.

        Parquet: what `write` wrote, or any with a column `vector` or `embedding` of lists of numbers, all of one length; rows
        where it is null are left out. `.npy`: (n, d) numbers, memory-mapped where they are float32, with the rows and the
        space that `write` laid beside them, or alone: then the space is unknown and the ids are the row numbers.

        Raises:
            DataError: `dataset_not_found`, `dataset_format`, `dataset_empty`, `read_failed`.
        """
        path = Path(path)
        if path.suffix.lower() == ".npy":
            from tellapart.index.npy_file import read_npy

            vectors, table, about, left_out = read_npy(path)
        else:
            from tellapart.index.parquet_file import read_parquet

            vectors, table, about, left_out = read_parquet(path)
        return cls(vectors, table, about.space, about.root, about.refusals, about.facts, left_out)

    def write(self, path: str | Path, *, overwrite: bool = False, dtype: DType = "float32") -> None:
        """Save: `.parquet` is one file, `x.npy` has its rows and its space beside it in `x.rows.parquet` and `x.json`.

        float16 halves a `.npy` file; read again it is float32, each number within 0.05 % of what it was. It is written
        whole or not at all.

        Raises:
            SettingsError: `bad_setting` for another ending, or another `dtype`.
            DataError: `output_exists` unless `overwrite`; `write_failed`.
        """
        path = Path(path)
        check_output(path, dtype=dtype, overwrite=overwrite)
        about = Description(self.space, self.root, self.refusals, self.facts)
        if path.suffix.lower() == ".npy":
            from tellapart.index.npy_file import write_npy

            write_npy(path, self.vectors, self.table, about, dtype)
        else:
            from tellapart.index.parquet_file import write_parquet

            write_parquet(path, self.vectors, self.table, about)

    def __len__(self) -> int:
        return self.table.height

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, in order; copies of an image and regions of it share theirs."""
        return tuple(self.table["id"].to_list())

    def subset(self, rows: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Vectors:
        """The rows where a bool (n,) mask is True, or those at int indices, in that order."""
        chosen = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, np.int64)
        return replace(self, vectors=self.vectors[chosen], table=self.table[chosen], left_out=0)


def check_output(path: Path, *, dtype: str = "float32", overwrite: bool = False) -> None:
    """Refuse what `Vectors.write` would refuse, before the work is done.

    Raises:
        SettingsError: `bad_setting`.
        DataError: `output_exists`.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise SettingsError(
            Reason.BAD_SETTING, f"vectors are written to a file that ends in .parquet or .npy, got {str(path)!r}"
        )
    if dtype not in ("float32", "float16"):
        raise SettingsError(Reason.BAD_SETTING, f"vectors are written as float32 or float16, got {dtype!r}")
    if dtype == "float16" and kind == ".parquet":
        raise SettingsError(
            Reason.BAD_SETTING, "Parquet holds vectors as float32; name a file that ends in .npy for float16"
        )
    from tellapart.index.npy_file import companions

    found = [one for one in (path, *(companions(path) if kind == ".npy" else ())) if one.exists()]
    if found and not overwrite:
        raise DataError(Reason.OUTPUT_EXISTS, f"{found[0]} exists; choose another name or allow overwriting")
