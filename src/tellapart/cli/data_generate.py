"""`tellapart data generate`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.options import JSON, PATH, SEED, Headed, flag, headed
from tellapart.cli.output import plain, pretty
from tellapart.cli.progress import progress
from tellapart.errors import Reason, SettingsError

if TYPE_CHECKING:
    from tellapart.workflows.progress import Progress

_VARIANT = click.option(
    "--variant",
    type=click.Choice(["binary", "multiclass", "multilabel", "line"]),
    default="multiclass",
    show_default=True,
    help="Kind of task: photos with one label of two or of several, with several labels, or sequences of a filmed line.",
)
_PHOTOS = headed(
    "Photos",
    click.option("--parts", type=click.IntRange(min=1), help="Number of bottles.  [default: 100]"),
    click.option("--frames", type=click.IntRange(min=1), help="Photos of each bottle.  [default: 4]"),
    flag("--later", "later", "Weeks later: other light, other bottles."),
    click.option("--truth", type=PATH, metavar="CSV", help="File for part, camera and true labels."),
)
_LINE = headed(
    "Sequences of a line (--variant line)",
    click.option("--sequences", "n_sequences", type=click.IntRange(min=1), help="Recordings.  [default: 12]"),
    click.option("--seconds", type=float, help="Length of each.  [default: 30]"),
    click.option("--fps", type=float, help="Pictures a second.  [default: 5]"),
    click.option("--parts-per-minute", type=float, help="Bottles that pass in a minute.  [default: 20]"),
    click.option("--defective", type=float, help="Share of bottles with a fault.  [default: 0.3]"),
    click.option("--height", "height_px", type=click.IntRange(min=32), help="Height in pixels.  [default: 240]"),
    flag("--kinds", "kinds", "Label by kind of fault, not only defective."),
    flag("--video", "videos", "Write a video file of each sequence as well (extra `watch`)."),
)
_OF_PHOTOS, _OF_LINES = ("parts", "frames", "later", "truth"), (
    "n_sequences", "seconds", "fps", "parts_per_minute", "defective", "height_px", "kinds", "videos",
)  # fmt: skip
_WRITTEN = {"n_sequences": "--sequences", "height_px": "--height", "videos": "--video"}


@click.command(cls=Headed)
@click.argument("output", type=PATH)
@_VARIANT
@SEED
@_PHOTOS
@_LINE
@JSON
def generate(output: Path, variant: str, seed: int, as_json: bool, **options: Any) -> None:
    """Generate photos of a bottling line, or sequences of it on film, to try things on."""
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    foreign = [name for name in (_OF_PHOTOS if variant == "line" else _OF_LINES) if name in given]
    if foreign:
        option = _WRITTEN.get(foreign[0], f"--{foreign[0].replace('_', '-')}")
        message = f"{option} is not an option of --variant {variant}: see `tellapart data generate --help`"
        raise SettingsError(Reason.BAD_SETTING, message)
    with progress() as shown:
        if variant == "line":
            facts = _film(output, shown, seed=seed, **given)
        else:
            facts = _photograph(output, shown, variant=variant, seed=seed, **given)
    if as_json:
        print(pretty({"path": str(output), **facts}))
    else:
        counts = ", ".join(f"{number} {name if number != 1 else name[:-1]}" for name, number in facts.items())
        print(plain(f"{output}: {counts}"))


def _photograph(
    output: Path, shown: Progress, *, parts: int = 100, frames: int = 4, **options: Any
) -> Mapping[str, int]:
    from tellapart.samples import write_bottles

    told = partial(shown, "taking photos")
    write_bottles(output, progress=told, n_parts=parts, frames_per_part=frames, **options)
    return {"photos": parts * frames, "bottles": parts}


def _film(output: Path, shown: Progress, *, videos: bool = False, **options: Any) -> Mapping[str, int]:
    from tellapart.samples import LineVideo, plan, write_line

    write_line(output, videos=videos, progress=partial(shown, "filming"), **options)
    line = LineVideo(**options)
    n_parts = sum(len(sequence.passages) for sequence in plan(line))
    return {"sequences": line.n_sequences, "pictures": line.n_sequences * line.n_frames, "bottles": n_parts}
