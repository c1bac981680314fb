"""How the command line reads a data set: the options, and the one place that hands them to `Dataset.read`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tellapart.cli.options import FORMAT, IMAGES, LABEL_MAP, OUTSIDE, flag, gathered

if TYPE_CHECKING:
    from tellapart.data.dataset import Dataset

# Variables of the options, in their order, and what `Dataset.read` calls them.
_KEYWORDS = {
    "data_format": "format",
    "images": "images",
    "label_map": "label_map",
    "task": "task",
    "positive": "positive",
    "multilabel": "multilabel",
    "regions": "regions",
    "allow_outside": "allow_outside",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was asked for, by variable."""

    asked: Mapping[str, Any]

    def dataset(self, path: Path) -> Dataset:
        """The data set at `path`; raises what `Dataset.read` raises."""
        from tellapart.data.dataset import Dataset

        return Dataset.read(path, **{_KEYWORDS[name]: value for name, value in self.asked.items()})


# Data of any kind, as a command gets them that makes something of their labels.
READING = gathered(
    "reading",
    Reading,
    FORMAT,
    IMAGES,
    LABEL_MAP,
    click.option(
        "--task",
        type=click.Choice(["binary", "multiclass", "multilabel"]),
        help="Kind of task.  [default: by the data]",
    ),
    click.option("--positive", metavar="LABEL", help="The class that a binary task looks for."),
    click.option("--multilabel/--single-label", default=None, help="Merge or refuse rows that name the same image."),
    flag("--regions", "regions", "One sample per annotated box or polygon."),
    OUTSIDE,
)
# Data for a model that is there: it knows its task and its labels.
READING_FOR_MODEL = gathered("reading", Reading, FORMAT, IMAGES, LABEL_MAP, OUTSIDE)


def data_fix(data: Path, fixes: Path, *more: str) -> str:
    """The command that applies a list of fixes to the data, which it must read as the command that runs now did."""
    return " ".join(["tellapart data fix", *map(quote, map(str, (data, fixes))), *_read_by(), *more, "-o NEWDATA"])


def _read_by() -> Iterator[str]:
    context = click.get_current_context()
    for option in context.command.params:
        if option.name in _KEYWORDS and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            value = context.params[option.name]
            names = option.secondary_opts if value is False else option.opts
            yield names[0] if isinstance(value, bool) else f"{names[0]} {quote(str(value))}"
