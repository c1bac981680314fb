"""`tellapart model show|verify|export|pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tellapart.cli.environment import decode_limits
from tellapart.cli.options import JSON, MODEL, PATH
from tellapart.cli.output import plain, pretty


@click.group()
def model() -> None:
    """Look at a model, prove that it still works, export it."""


@model.command()
@MODEL
@JSON
def show(model: Path, as_json: bool) -> None:
    """Print the card: task, labels, how it was trained, how good it was."""
    from tellapart.classifier.storage import read_card

    card = read_card(model)
    print(pretty(card.to_json()) if as_json else "\n".join(map(plain, _card_lines(card.to_json()))))


@model.command()
@MODEL
@JSON
def verify(model: Path, as_json: bool) -> None:
    """Check every file against its sha256 and replay the golden images."""
    from tellapart.workflows.verify import verify as run

    result = run(model, limits=decode_limits())
    if as_json:
        print(pretty({"files": result.n_files, "golden": result.n_golden, "max_difference": result.max_difference}))
    else:
        print(
            plain(
                f"{model}: {result.n_files} files as saved, {result.n_golden} golden images answered as before "
                f"(largest difference {result.max_difference:.1g})"
            )
        )


@model.command()
@MODEL
@click.option("--output", "-o", type=PATH, metavar="FILE", help="ONNX file to write.  [default: MODEL.onnx]")
@JSON
def export(model: Path, output: Path | None, as_json: bool) -> None:
    """Write one fused ONNX file (pixels in, probabilities out) and prove on the golden images that it answers the same."""
    from tellapart.workflows.export import export as run

    result = run(model, output or Path(f"{model.name.removesuffix('.zip')}.onnx"), limits=decode_limits())
    if as_json:
        print(pretty({"path": str(result.path), "bytes": result.n_bytes, "max_difference": result.max_difference}))
    else:
        print(
            plain(
                f"{result.path}: {result.n_bytes / 1e6:.1f} MB, equal to the model on {result.n_golden} golden images "
                f"(largest difference {result.max_difference:.1g})"
            )
        )


@model.command()
@MODEL
@click.argument("output", type=PATH)
def pack(model: Path, output: Path) -> None:
    """Copy a model to OUTPUT, one file when it ends in .zip, else a folder; every file is checked on the way."""
    from tellapart.workflows.verify import pack as run

    print(plain(f"{output}: {run(model, output)} files"))


def _card_lines(card: dict[str, Any]) -> list[str]:
    positive = f", looking for {card['positive']!r}" if card["positive"] else ""
    backbone, data, training = card["backbone"], card["data"], card["training"]
    lines = [
        f"model       {card['model_id']}   made {card['created_at']}",
        f"task        {card['task']}{positive}",
        f"labels      {', '.join(label['name'] for label in card['labels'])}",
        f"preprocess  {card['preprocess']}",
        f"backbone    {backbone['name']} ({backbone['licence']}), {backbone['embedding_dim']} dimensions",
    ]
    lines += [*data.get("summary", []), *training.get("summary", []), f"thresholds  {_thresholds(card)}"]
    return [*lines, "", *card["metrics"].get("summary", [])]


def _thresholds(card: dict[str, Any]) -> str:
    found = card["thresholds"]
    values = zip(card["labels"], found["values"], strict=True)
    return f"{found['aim']['aim']}: " + ", ".join(f"{label['name']} {value:.3g}" for label, value in values)
