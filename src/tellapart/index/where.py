"""Conditions on the rows of an index, such as `split=train`, `label=frog,toad` or `width>=100`, as polars expressions.

    condition = COLUMN OPERATOR VALUE[,VALUE…]       operator: = != < <= > >= ~ (contains)

`label` looks into the list of labels; a `meta:` column may be named without its prefix. No value (`split=`): nothing is known.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import reduce
from typing import TYPE_CHECKING, Any

from tellapart.errors import Reason, SettingsError

if TYPE_CHECKING:
    import polars as pl

_CONDITION = re.compile(r"\s*(?P<column>[^=!<>~]+?)\s*(?P<rest>[=!<>~].*)", re.DOTALL)
_REST = re.compile(r"\s*(?P<operator>!=|<=|>=|==?|<|>|~)(?P<value>.*)", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Values = Callable[[str], "pl.Series"]


def mask_expression(conditions: Sequence[str], schema: Mapping[str, Any], values: Values) -> pl.Expr:
    """One boolean expression: all `conditions` hold. `values` reads a column, for suggestions.

    Raises:
        SettingsError: `bad_setting` for a condition that says nothing, `unknown_name` for a column or label that is not there.
    """
    import polars as pl

    parts = [_expression(condition, schema, values) for condition in conditions]
    return reduce(operator.and_, parts, pl.lit(True))


def _expression(condition: str, schema: Mapping[str, Any], values: Values) -> pl.Expr:
    import polars as pl

    asked, sign, text = _parsed(condition, schema)
    column = _column(asked, schema)
    one = schema[column].inner if isinstance(schema[column], pl.List) else schema[column]
    if one.is_nested() or one in (pl.Time, pl.Duration, pl.Object):
        message = f"of values of the type {schema[column]}, as in {column}, nothing can be asked, got {condition!r}"
        raise SettingsError(Reason.BAD_SETTING, message)
    if isinstance(schema[column], pl.List):
        return _in_list(column, sign, text, condition, values)
    if sign == "~":
        return pl.col(column).cast(pl.String).str.contains(text, literal=True)
    if sign in _COMPARE:
        return _compared(column, sign, text, schema[column], condition)
    return _one_of(column, sign, text, schema[column], condition)


def _parsed(condition: str, schema: Mapping[str, Any]) -> tuple[str, str, str]:
    """Column, operator and value; the longest name that is there wins, since a name may hold what an operator is made of."""
    stripped = condition.lstrip()
    for name in sorted(_named(schema), key=len, reverse=True):
        if name and stripped.startswith(name) and (rest := _REST.fullmatch(stripped, len(name))):
            return name, rest["operator"].replace("==", "="), rest["value"].strip()
    if (parsed := _CONDITION.fullmatch(condition)) and (rest := _REST.fullmatch(parsed["rest"])):
        return parsed["column"], rest["operator"].replace("==", "="), rest["value"].strip()
    message = f"a condition is written COLUMN=VALUE (or != < <= > >= ~), such as split=train, got {condition!r}"
    raise SettingsError(Reason.BAD_SETTING, message)


def _named(schema: Mapping[str, Any]) -> dict[str, str]:
    """Columns by what they may be called."""
    return {
        "label": "labels",
        **{name.removeprefix("meta:"): name for name in schema},
        **{name: name for name in schema},
    }


def _column(asked: str, schema: Mapping[str, Any]) -> str:
    named = _named(schema)
    if asked in named and named[asked] in schema:
        return named[asked]
    raise SettingsError(Reason.UNKNOWN_NAME, f"the rows have no column {asked!r}{near(asked, list(schema))}")


def near(asked: str, names: Sequence[str]) -> str:
    """`; did you mean 'split'? (known: …)`."""
    close = get_close_matches(asked, names, 1)
    known = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    return f"{f'; did you mean {close[0]!r}?' if close else ''} (known: {known or 'none'})"


def _in_list(column: str, sign: str, text: str, condition: str, values: Values) -> pl.Expr:
    import polars as pl

    if sign not in ("=", "!="):
        message = f"of {column}, = and != can be asked, got {condition!r}"
        raise SettingsError(Reason.BAD_SETTING, message)
    if not text:
        empty = pl.col(column).list.len().fill_null(0) == 0
        return empty if sign == "=" else ~empty
    asked = _alternatives(text)
    lists = pl.col(column).cast(pl.List(pl.String))
    known = values(column).cast(pl.List(pl.String)).drop_nulls().explode().drop_nulls().unique().sort().to_list()
    for name in asked:
        if name not in known:
            raise SettingsError(Reason.UNKNOWN_NAME, f"no row has the label {name!r}{near(name, known)}")
    found = pl.any_horizontal([lists.list.contains(name).fill_null(False) for name in asked])
    return found if sign == "=" else ~found


def _one_of(column: str, sign: str, text: str, dtype: Any, condition: str) -> pl.Expr:
    import polars as pl

    if not text:
        unknown = pl.col(column).is_null() | (pl.col(column).cast(pl.String) == "")
        return unknown if sign == "=" else ~unknown
    asked = [_value(one, dtype, condition) for one in _alternatives(text)]
    found = pl.any_horizontal([pl.col(column).eq_missing(one) for one in asked])
    return found if sign == "=" else ~found


def _compared(column: str, sign: str, text: str, dtype: Any, condition: str) -> pl.Expr:
    """Numbers as numbers, also where the data set kept them as text; other text in the order of its letters."""
    import polars as pl

    found = pl.col(column).fill_nan(None) if dtype.is_float() else pl.col(column)
    if dtype == pl.String and _is_number(text):
        return _COMPARE[sign](found.cast(pl.Float64, strict=False), float(text))  # type: ignore[no-any-return]
    return _COMPARE[sign](found, _value(text, dtype, condition))  # type: ignore[no-any-return]


def _value(text: str, dtype: Any, condition: str) -> Any:
    """The value in the column's type."""
    import polars as pl

    if dtype.is_numeric():
        if not _is_number(text):
            raise SettingsError(Reason.BAD_SETTING, f"{condition!r} asks for a number, got {text!r}")
        # Beyond 2^53 a float is not every whole number.
        whole = dtype.is_integer() and re.fullmatch(r"[+-]?\d{1,19}", text) and abs(int(text)) < 2**63
        return pl.lit(int(text) if whole else float(text))
    if dtype.is_temporal():
        return pl.lit(_moment(text, condition)).cast(dtype)
    if dtype == pl.Boolean:
        if text.lower() not in ("true", "false"):
            raise SettingsError(Reason.BAD_SETTING, f"{condition!r} asks for true or false, got {text!r}")
        return pl.lit(text.lower() == "true")
    return pl.lit(text)


def _moment(text: str, condition: str) -> Any:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        message = f"{condition!r} asks for a time such as 2026-03-31 or 2026-03-31T12:00, got {text!r}"
        raise SettingsError(Reason.BAD_SETTING, message) from exc


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _alternatives(text: str) -> list[str]:
    r"""Values between commas; `\,` is a comma of the value itself."""
    return [part.strip().replace("\\,", ",") for part in re.split(r"(?<!\\),", text)]
