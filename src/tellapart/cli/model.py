"""`tellapart model show|verify|export|pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tellapart.cli.environment import decode_limits
from tellapart.cli.options import JsonOption
from tellapart.cli.output import pretty

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Look at a model, prove that it still works, export it."
)
ModelArgument = Annotated[Path, typer.Argument(help="Model folder or .zip.", show_default=False)]


@app.command()
def show(model: ModelArgument, as_json: JsonOption = False) -> None:
    """Print the card: task, labels, how it was trained, how good it was."""
    from tellapart.classifier.storage import load

    card = load(model).card
    print(pretty(card.to_json()) if as_json else "\n".join(_card_lines(card.to_json())))


@app.command()
def verify(model: ModelArgument, as_json: JsonOption = False) -> None:
    """Check every file against its sha256 and replay the golden images."""
    from tellapart.workflows.verify import verify as run

    result = run(model, limits=decode_limits())
    if as_json:
        print(pretty({"files": result.n_files, "golden": result.n_golden, "max_difference": result.max_difference}))
    else:
        print(
            f"{model}: {result.n_files} files as saved, {result.n_golden} golden images answered as before "
            f"(largest difference {result.max_difference:.1g})"
        )


@app.command()
def export(
    model: ModelArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="ONNX file to write.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one fused ONNX file (pixels in, probabilities out) and prove on the golden images that it answers the same."""
    from tellapart.workflows.export import export as run

    result = run(model, output or Path(f"{model.name.removesuffix('.zip')}.onnx"), limits=decode_limits())
    if as_json:
        print(pretty({"path": str(result.path), "bytes": result.n_bytes, "max_difference": result.max_difference}))
    else:
        print(
            f"{result.path}: {result.n_bytes / 1e6:.1f} MB, equal to the model on {result.n_golden} golden images "
            f"(largest difference {result.max_difference:.1g})"
        )


@app.command()
def pack(
    model: ModelArgument,
    output: Annotated[
        Path, typer.Argument(help="Where to write: NAME.zip for one file, else a folder.", show_default=False)
    ],
) -> None:
    """Copy a model between its two forms, folder and .zip, checking every file on the way."""
    from tellapart.workflows.verify import pack as run

    print(f"{output}: {run(model, output)} files")


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
    lines += [f"{'data':12}{key}: {_brief(value)}" for key, value in data.items()]
    lines += [f"{'training':12}{key}: {_brief(value)}" for key, value in training.items()]
    lines += [f"{'metrics':12}{line}" for line in card["metrics"].get("summary", [])]
    return lines


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_brief(inner)}" for key, inner in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
