"""Labels travel as names with stable ids; the order of columns is written down, never derived from folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tellapart.errors import DataError, Reason


class Task(StrEnum):
    """What an answer may look like: one of two, one of many (softmax), or any subset (sigmoid)."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"


@dataclass(frozen=True, slots=True)
class Label:
    """A class: `id` never changes and is never used again, `name` may be renamed."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """The labels of a data set or model, in the order of every probability column.

    `positive` is the name of the class that a binary task looks for (the defect, the frog); None for other tasks.
    """

    task: Task
    labels: tuple[Label, ...]
    positive: str | None = None

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        if len(set(names)) != len(names) or len({label.id for label in self.labels}) != len(names):
            raise DataError(Reason.LABEL_CONFLICT, f"label names and ids must be unique, got {self.labels}")
        if (self.task is Task.BINARY) != (self.positive is not None):
            raise DataError(Reason.LABEL_CONFLICT, "a binary task has a positive label, other tasks have none")
        if self.task is Task.BINARY and (len(names) != 2 or self.positive not in names):
            raise DataError(
                Reason.LABEL_CONFLICT, f"a binary task has two labels, one of them {self.positive!r}, got {names}"
            )

    @classmethod
    def from_names(cls, names: Iterable[str], *, task: Task, positive: str | None = None) -> LabelSchema:
        """Schema over the sorted, unique names, with ids 0, 1, 2 …; see `guess_positive` for `positive=None`."""
        unique = sorted(set(names))
        if task is Task.BINARY and positive is None:
            positive = guess_positive(unique)
        return cls(task, tuple(Label(i, name) for i, name in enumerate(unique)), positive)

    @property
    def names(self) -> tuple[str, ...]:
        """Label names in column order."""
        return tuple(label.name for label in self.labels)

    def index(self, name: str) -> int:
        """Column of a label; `DataError` names the known ones."""
        try:
            return self.names.index(name)
        except ValueError:
            known = ", ".join(repr(n) for n in self.names)
            raise DataError(Reason.UNKNOWN_LABEL, f"unknown label {name!r}; this schema knows {known}") from None


# Names by which people call the uninteresting side of a binary question. Only the default: `positive` overrides it.
_NEGATIVE_WORDS = ("no", "not", "non", "ok", "good", "normal", "free", "negative", "neg", "without", "pass", "none", "0",
                   "false", "empty", "background", "other", "healthy", "clean", "intact")  # fmt: skip


def guess_positive(names: Sequence[str]) -> str:
    """The class of two that a binary task looks for: the one whose name is not a word for "nothing special".

    `("frog", "no_frog")` gives "frog", `("good", "scratch")` gives "scratch"; where words do not decide, the second.
    """
    first, second = names
    negative = [_is_negative(first), _is_negative(second)]
    return first if negative == [False, True] else second


def nothing_special(names: Iterable[str]) -> tuple[str, ...]:
    """Those names that are words for "nothing special" (good, ok, free, no_frog …), in their order."""
    return tuple(name for name in names if _is_negative(name))


def _is_negative(name: str) -> bool:
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    return words[0] in _NEGATIVE_WORDS
