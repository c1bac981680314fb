"""`tellapart model show|verify|export|quantize|pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider
from tellapart.cli.options import JSON, MODEL, NO_CACHE, PATH, SEED, WORKERS
from tellapart.cli.output import plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING_FOR_MODEL, Reading


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
@click.argument("data", type=PATH)
@click.option("--output", "-o", type=PATH, metavar="MODEL", help="Model to write.  [default: MODEL-int8]")
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    default=0.005,
    show_default=True,
    help="Largest loss of accuracy and macro F1 on the held-back images; above it nothing is written.",
)
@click.option(
    "--method",
    type=click.Choice(["minmax", "percentile", "entropy"]),
    default="minmax",
    show_default=True,
    help="How the range of each layer is found.",
)
@click.option(
    "--calibration",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="N",
    help="Training images that the ranges are found on.",
)
@click.option(
    "--keep-float",
    type=click.Choice(["first", "last"]),
    multiple=True,
    help="Leave this layer in float; may be repeated.",
)
@READING_FOR_MODEL
@SEED
@WORKERS
@NO_CACHE
@JSON
def quantize(
    model: Path,
    data: Path,
    output: Path | None,
    max_loss: float,
    method: str,
    calibration: int,
    keep_float: tuple[str, ...],
    reading: Reading,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Write MODEL with its backbone in int8: smaller, and faster on many processors.

    DATA is what the model was trained on. The int8 model is judged on the images that were held back then, beside the
    float model; if it loses too much, it is not written.
    """
    from tellapart.workflows.quantize import quantize as run
    from tellapart.workflows.train import check_outside

    output = output or Path(f"{model.resolve().name.removesuffix('.zip')}-int8")
    check_outside(output, data)
    dataset = reading.dataset(data)
    with progress() as shown:
        result = run(
            model,
            dataset,
            output=output,
            max_loss=max_loss,
            method=method,
            keep_float=keep_float,
            n_calibration=calibration,
            seed=seed,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    if as_json:
        print(pretty(result.to_json()))
        return
    for line in result.summary():
        print(plain(line))


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
