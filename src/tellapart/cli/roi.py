"""`tellapart roi draw`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.environment import decode_limits
from tellapart.cli.options import JSON, PATH, parse_rois
from tellapart.cli.output import plain, pretty
from tellapart.errors import Reason, SettingsError

_STREAMS = (".yaml", ".yml")


@click.group()
def roi() -> None:
    """Regions of pictures."""


@roi.command()
@click.argument("source", type=PATH, metavar="IMAGE|STREAM.yaml")
@click.option("--output", "-o", type=PATH, required=True, help="PNG to write; for several cameras a folder.")
@click.option(
    "--roi",
    "rois",
    multiple=True,
    metavar="NAME=x0,y0,x1,y1",
    help="Region to draw on an image, in 0–1 of it; more pairs make a polygon. May be repeated.",
)
@click.option("--camera", metavar="NAME", help="Camera of the stream file.  [default: all]")
@click.option("--image", type=PATH, help="Draw on this image instead of the camera's first picture.")
@click.option("--wait", type=click.FloatRange(min=0, min_open=True), help="Seconds to wait for it.  [default: 10]")
@JSON
def draw(
    source: Path,
    output: Path,
    rois: tuple[str, ...],
    camera: str | None,
    image: Path | None,
    wait: float | None,
    as_json: bool,
) -> None:
    """Draw regions on an image, or those of a stream file on what its cameras see, to check them.

    What is outside of all regions lies in shade. Ticks count in 0–1, as regions are written: without regions the picture is
    for reading coordinates off.
    """
    from tellapart.workflows.roi import WAIT_S, draw_regions, draw_stream_regions

    of_stream = source.suffix.lower() in _STREAMS
    foreign = [
        name
        for name, given, fits in (
            ("--roi", rois, not of_stream),
            ("--camera", camera, of_stream),
            ("--image", image, of_stream),
            ("--wait", wait, of_stream),
        )
        if given and not fits
    ]
    if foreign:
        what = "a stream file has regions of its own" if of_stream else "it is for stream files (.yaml)"
        raise SettingsError(Reason.BAD_SETTING, f"{foreign[0]} does not go with {source}: {what}")
    if of_stream:
        options = {"output": output, "camera": camera, "image": image, "wait_s": wait or WAIT_S}
        drawn = draw_stream_regions(source, limits=decode_limits(), **options)  # type: ignore[arg-type]
    else:
        drawn = [draw_regions(source, parse_rois(rois), output=output, limits=decode_limits())]
    if as_json:
        print(pretty([one.to_json() for one in drawn]))
        return
    for one in drawn:
        print(plain(f"{one.path}: {one.size[0]} × {one.size[1]} pixels{f' of {one.camera}' if one.camera else ''}"))
        for region in one.regions:
            print(plain(f"  {region.told()}"))
