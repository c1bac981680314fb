"""Options that several commands share."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from tellapart.errors import Reason, SpecError
from tellapart.records import Roi

WorkersOption = Annotated[
    int, typer.Option("--workers", help="Worker threads; 0 means one per core.", min=0, show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
VariantOption = Annotated[
    Literal["binary", "multiclass", "multilabel"], typer.Option("--variant", help="Kind of task to generate.")
]
SplitOption = Annotated[
    Literal["grouped", "random"],
    typer.Option("--split", help="grouped keeps near-duplicates together; random leaks, for comparison only."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
EmbeddingOption = Annotated[bool, typer.Option("--embedding", help="Add the embedding to each JSON or Parquet row.")]
RoiOption = Annotated[
    list[str] | None,
    typer.Option(
        "--roi",
        help="Region as NAME=x0,y0,x1,y1 in 0–1 of the upright image (three or more pairs: a polygon). May be repeated.",
        show_default=False,
    ),
]


def parse_rois(texts: list[str] | None) -> list[Roi]:
    """Regions as the command line writes them.

    Raises:
        SpecError: `bad_roi`.
    """
    return [_parse_roi(text) for text in texts or []]


def _parse_roi(text: str) -> Roi:
    name, _, numbers = text.rpartition("=")
    try:
        values = [float(part) for part in json.loads(f"[{numbers}]")]
    except (ValueError, TypeError) as exc:
        raise SpecError(
            Reason.BAD_ROI, f"a region is written NAME=x0,y0,x1,y1 with numbers in 0–1, got {text!r}"
        ) from exc
    if len(values) < 4 or len(values) % 2:
        raise SpecError(Reason.BAD_ROI, f"a region needs pairs of x and y, at least two of them, got {text!r}")
    return Roi(tuple(zip(values[::2], values[1::2], strict=True)), name)
