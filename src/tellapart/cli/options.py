"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tellapart.cli.environment import workers
from tellapart.errors import Reason, SpecError
from tellapart.records.roi import Roi

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Command], Command]
PATH = click.Path(path_type=Path)


def flag(name: str, variable: str, text: str) -> Callable[[Command], Command]:
    """An option without value."""
    return click.option(name, variable, is_flag=True, help=text)


def several(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Options that are always used together, in the order in which the help shows them."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


MODEL = click.argument("model", type=PATH)
JSON = flag("--json", "as_json", "Print the result as JSON.")
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random."
)
WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=0),
    callback=lambda _context, _option, asked: workers(asked),
    help="Worker threads, 0 for one per core.  [default: TELLAPART_WORKERS, else 0]",
)
NO_CACHE = flag("--no-cache", "no_cache", "Neither read nor write the embedding cache.")
OVERWRITE = flag("--overwrite", "overwrite", "Replace files of the same name.")
VARIANT = click.option(
    "--variant",
    type=click.Choice(["binary", "multiclass", "multilabel"]),
    default="multiclass",
    show_default=True,
    help="Kind of task to generate.",
)
SPLIT = click.option(
    "--split",
    type=click.Choice(["grouped", "random"]),
    default="grouped",
    show_default=True,
    help="grouped keeps near-duplicates together; random leaks, for comparison only.",
)
FORMAT = click.option("--format", "data_format", metavar="NAME", help="Format of the data.  [default: found out]")
LABEL_MAP = click.option("--labels", "label_map", type=PATH, help="YAML or JSON: rename, merge, ignore labels.")
IMAGES = click.option("--images", type=PATH, help="Folder that file names are relative to.")
OUTSIDE = flag("--allow-outside", "allow_outside", "Accept images outside the data's folder.")

POOL = click.option(
    "--pool", type=PATH, metavar="DATA", help="Unlabelled images that lie elsewhere; labels found there do not count."
)
SEEING = several(
    click.option(
        "--backbone", metavar="NAME|FILE", help="What looks at the images, as for `train`.  [default: that of train]"
    ),
    click.option(
        "--preprocess",
        metavar="SPEC",
        help="Such as 'decode|upright|fit(224)'.  [default: what the backbone was made for]",
    ),
)

# How a data set is read, wherever one may be of any kind; the names are those of `Dataset.read`.
READING = several(
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


_READ_BY = ("data_format", "images", "label_map", "task", "positive", "multilabel", "regions", "allow_outside")


def data_fix(data: Path, fixes: Path, *more: str) -> str:
    """The command that applies a list of fixes to the data, which it must read as the command that runs now did."""
    return " ".join(["tellapart data fix", *map(quote, map(str, (data, fixes))), *_read_by(), *more, "-o NEWDATA"])


def _read_by() -> Iterator[str]:
    context = click.get_current_context()
    for option in context.command.params:
        if option.name in _READ_BY and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            value = context.params[option.name]
            names = option.secondary_opts if value is False else option.opts
            yield names[0] if isinstance(value, bool) else f"{names[0]} {quote(str(value))}"


def parse_rois(texts: Iterable[str]) -> list[Roi]:
    """Regions as the command line writes them.

    Raises:
        SpecError: `bad_roi`.
    """
    return [_parse_roi(text) for text in texts]


def _parse_roi(text: str) -> Roi:
    name, _, numbers = text.rpartition("=")
    try:
        values = [float(part) for part in json.loads(f"[{numbers}]")]
    except (ValueError, TypeError) as exc:
        message = f"a region is written NAME=x0,y0,x1,y1 with numbers in 0–1, got {text!r}"
        raise SpecError(Reason.BAD_ROI, message) from exc
    if len(values) < 4 or len(values) % 2:
        raise SpecError(Reason.BAD_ROI, f"a region needs pairs of x and y, at least two of them, got {text!r}")
    return Roi(tuple(zip(values[::2], values[1::2], strict=True)), name)
