"""`tellapart backbones list`."""

from __future__ import annotations

import click

from tellapart.cli.bench import bench
from tellapart.cli.options import JSON
from tellapart.cli.output import pretty


@click.group()
def backbones() -> None:
    """Networks and features that turn images into vectors."""


@backbones.command("list")
@JSON
def list_(as_json: bool) -> None:
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


backbones.add_command(bench)
