"""Classes by their names, as a person writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.records import Label, LabelSchema, Task
from tellapart.workflows.classes.history import History


def label_named(schema: LabelSchema, name: str, history: History) -> Label:
    """The label of that name; `history` tells where one went that is there no more.

    Raises:
        DataError: `unknown_label`, with the known names and the nearest.
    """
    for label in schema.labels:
        if label.name == name:
            return label
    from difflib import get_close_matches

    by_letters = {known.casefold(): known for known in schema.names}
    near = get_close_matches(name.casefold(), by_letters, n=1)
    hint = f"; did you mean {by_letters[near[0]]!r}?" if near else ""
    had = [entry.version for entry in history.entries if name in {label.name for label in entry.labels}]
    if had:
        hint = f"; it was there up to version {had[-1]}, `tellapart classes history` tells what became of it"
    raise DataError(Reason.UNKNOWN_LABEL, f"there is no class {name!r}; the model knows {listed(schema.names)}{hint}")


def free_name(schema: LabelSchema, name: str, *, leaving: Iterable[str] = ()) -> str:
    """`name`, stripped, for a class to be.

    Raises:
        SettingsError: `bad_setting` for no name at all, or one that is no text.
        DataError: `label_conflict` when another class than those `leaving` has it.
    """
    asked = name.strip()
    if not asked:
        raise SettingsError(Reason.BAD_SETTING, "a class needs a name of at least one letter")
    if any("\ud800" <= letter <= "\udfff" for letter in asked):  # what a terminal makes of bytes that are not UTF-8
        raise SettingsError(Reason.BAD_SETTING, f"the name {asked!r} is no text: write it in UTF-8")
    if asked in set(schema.names) - set(leaving):
        raise DataError(
            Reason.LABEL_CONFLICT,
            f"there is a class {asked!r} already; choose another name, or make one class of both with "
            "`tellapart classes merge`",
        )
    return asked


def task_of(labels: Sequence[Label], before: LabelSchema) -> LabelSchema:
    """The schema of other labels: a binary task of two that stay two stays binary, else any one of them may be the answer."""
    names = [label.name for label in labels]
    if before.task is Task.BINARY and len(labels) == 2 and before.positive in names:
        return LabelSchema(Task.BINARY, tuple(labels), before.positive)
    return LabelSchema(Task.MULTICLASS, tuple(labels))


def check_two_left(n: int, what: str) -> None:
    """Raise `DataError` (`too_few_classes`) for a change that leaves fewer than two classes."""
    if n < 2:
        raise DataError(
            Reason.TOO_FEW_CLASSES,
            f"{what} would leave {n} class, and a classifier needs at least two; add another class first",
        )


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, at most twenty."""
    every = [repr(name) for name in names]
    more = f" … ({len(every):,} in all)" if len(every) > 20 else ""
    return ", ".join(every[:20]) + more
