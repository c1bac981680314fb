"""The table beside vectors: the same first columns whoever wrote the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

FIRST = ("id", "uri", "labels", "group", "split")


def completed(table: pl.DataFrame, n: int) -> pl.DataFrame:
    """The table of n rows with the columns of `FIRST` in front, of their types, null where nothing is known.

    Without a column `id` the ids are the row numbers; a column `label` serves as `labels` where there are none.
    """
    import polars as pl

    if "labels" not in table.columns and "label" in table.columns:
        table = table.rename({"label": "labels"})
    ids = table["id"].cast(pl.String) if "id" in table.columns else pl.Series("id", map(str, range(n)), pl.String)
    numbers = pl.Series("id", range(n)).cast(pl.String)
    first: dict[str, Any] = {"id": ids.zip_with(ids.is_not_null(), numbers), "labels": _labels(table, n)}
    for name in ("uri", "group", "split"):
        known = name in table.columns
        first[name] = table[name].cast(pl.String, strict=False) if known else _nothing(name, n, pl.String())
    others = table.drop([name for name in FIRST if name in table.columns])
    return pl.DataFrame([first[name].alias(name) for name in FIRST]).hstack(others.get_columns())


def _labels(table: pl.DataFrame, n: int) -> pl.Series:
    """A list of names per row, null where unlabelled; one name is a list of one."""
    import polars as pl

    wanted = pl.List(pl.String())
    if "labels" not in table.columns:
        return _nothing("labels", n, wanted)
    found = table["labels"]
    if isinstance(found.dtype, pl.List):
        return found.cast(wanted)
    one = pl.DataFrame({"labels": found.cast(pl.String, strict=False)})
    lists = pl.when(pl.col("labels").is_not_null()).then(pl.concat_list("labels"))
    return one.select(lists.alias("labels"))["labels"]


def _nothing(name: str, n: int, dtype: Any) -> pl.Series:
    import polars as pl

    return pl.Series(name, [None], dtype=dtype).new_from_index(0, n) if n else pl.Series(name, [], dtype=dtype)
