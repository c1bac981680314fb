"""How a data set is read: the same options wherever one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

FormatOption = Annotated[
    str | None, typer.Option("--format", help="Format of the data [default: found out].", show_default=False)
]
ImagesOption = Annotated[
    Path | None, typer.Option("--images", help="Folder that file names are relative to.", show_default=False)
]
LabelMapOption = Annotated[
    Path | None, typer.Option("--labels", help="YAML or JSON: rename, merge, ignore labels.", show_default=False)
]
TaskOption = Annotated[
    Literal["binary", "multiclass", "multilabel"] | None,
    typer.Option("--task", help="Kind of task [default: by the data].", show_default=False),
]
PositiveOption = Annotated[
    str | None, typer.Option("--positive", help="The class a binary task looks for.", show_default=False)
]
MultilabelOption = Annotated[
    bool | None,
    typer.Option("--multilabel/--single-label", help="Merge or refuse rows naming the same image.", show_default=False),
]
RegionsOption = Annotated[bool, typer.Option("--regions", help="One sample per annotated box or polygon.")]
OutsideOption = Annotated[bool, typer.Option("--allow-outside", help="Accept images outside the data's folder.")]
