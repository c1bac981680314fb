"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

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


def gathered(name: str, make: Callable[[Mapping[str, Any]], Any], *options: Option[Any]) -> Option[Any]:
    """Options that reach the command as one argument `name`: what `make` makes of their values, by variable."""
    theirs = _variables(options)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def gathering(**values: Any) -> Any:
            return command(**{name: make({one: values.pop(one) for one in theirs})}, **values)

        decorated: Callable[..., Any] = several(*options)(gathering)
        return decorated

    return decorate


class Headed(click.Command):
    """A command with so many options that its help shows them under headings (`headed`), the rest under "Options"."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options to the help text, heading by heading in the order in which the options come."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and not isinstance(parameter, click.Argument):
                sections.setdefault(getattr(parameter, "heading", "Options"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def headed(heading: str, *options: Option[Any]) -> Option[Any]:
    """Options that the help of a `Headed` command shows under a heading of their own."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        before = list(getattr(command, "__click_params__", ()))
        decorated: Any = several(*options)(command)
        for parameter in decorated.__click_params__:
            if not any(parameter is other for other in before):
                parameter.heading = heading
        return cast(Callable[..., Any], decorated)

    return decorate


def _variables(options: Iterable[Option[Any]]) -> list[str]:
    def nothing() -> None:
        """Takes the options, so that their variables can be read."""

    return [str(option.name) for option in several(*options)(nothing).__click_params__]


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
