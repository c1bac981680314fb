"""`tellapart backbones list`."""

from __future__ import annotations

import typer

from tellapart.cli.options import JsonOption
from tellapart.cli.output import pretty

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Networks and features that turn images into vectors."
)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the backbones that can be named; any image ONNX file with its card can be given by its path."""
    from tellapart.backbones.registry import BACKBONES, load_backbone

    cards = [load_backbone(name).card for name in sorted(BACKBONES)]
    if as_json:
        print(
            pretty(
                [
                    {"name": c.name, "licence": c.licence, "dim": c.embedding_dim, "preprocess": c.preprocess}
                    for c in cards
                ]
            )
        )
        return
    for card in cards:
        print(f"{card.name:12}{card.embedding_dim:6} dimensions   {card.preprocess:28}{card.licence}")
