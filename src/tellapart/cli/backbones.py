"""`tellapart backbones list|add|show|remove|bench|pretrain`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tellapart.cli.backbones_pretrain import pretrain
from tellapart.cli.bench import bench
from tellapart.cli.environment import store
from tellapart.cli.options import JSON
from tellapart.cli.output import note, plain, pretty

NAME = click.argument("name")


@click.group()
def backbones() -> None:
    """Networks and features that turn images into vectors."""


@backbones.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List the backbones that can be named without a network: those that ship, and those that were added."""
    from tellapart.backbones.registry import available

    found = available(store())
    if as_json:
        print(pretty([asdict(one) for one in found]))
        return
    width = max(len(one.name) for one in found) + 2
    for one in found:
        size = f"{one.n_bytes / 1e6:.1f} MB"
        print(plain(f"{one.name:{width}}{one.embedding_dim:5} dimensions {size:>9}   {one.licence:14}{one.preprocess}"))
    note("\nmore: tellapart backbones add timm/NAME, hf://ORG/REPOSITORY/FILE.onnx, or any FILE.onnx by its path")


@backbones.command()
@NAME
@click.option(
    "--accept-licence",
    metavar="LICENCE",
    help="The licence of the weights, by its name, where it is not one that allows any use.",
)
@JSON
def add(name: str, accept_licence: str | None, as_json: bool) -> None:
    """Download NAME (timm/… or hf://…), convert it to ONNX, prove that it answers the same, and keep it.

    Afterwards it needs no network. The licence of the weights is shown before they are downloaded.
    """
    from tellapart.backbones.adding import add_by_name

    entry = add_by_name(name, store(), accept_licence=accept_licence, announce=note)
    if as_json:
        print(pretty(asdict(entry)))
        return
    print(
        plain(
            f"{entry.name}: {entry.embedding_dim} dimensions, {entry.n_bytes / 1e6:.1f} MB, licence {entry.licence}; "
            f"features equal the original's (largest difference {entry.max_difference:.1g} of the largest feature)"
        )
    )


@backbones.command()
@NAME
@JSON
def show(name: str, as_json: bool) -> None:
    """Print the card of a backbone: licence, source, what it wants of images, and its sha256."""
    from tellapart.backbones.registry import load_backbone

    backbone = load_backbone(name if not Path(name).is_file() else Path(name), store=store(), announce=note)
    card = asdict(backbone.card) | {"sha256": backbone.sha256, "n_bytes": len(backbone.onnx_bytes())}
    if as_json:
        print(pretty(card))
        return
    for key, value in card.items():
        print(plain(f"{key.replace('_', ' '):22}{value if value not in (None, '') else '–'}"))


@backbones.command()
@NAME
def remove(name: str) -> None:
    """Forget a backbone that was added. Models that were trained with it keep their own copy."""
    from tellapart.errors import BackboneError, Reason

    if not store().remove(name):
        message = f"the backbone {name!r} was not added; `tellapart backbones list` names those that were"
        raise BackboneError(Reason.BACKBONE_UNKNOWN, message)
    print(plain(f"{name}: removed"))


backbones.add_command(bench)
backbones.add_command(pretrain)
