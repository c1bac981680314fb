"""`tellapart why`."""

from __future__ import annotations

from pathlib import Path

import click

from tellapart.cli.options import JSON, PATH
from tellapart.cli.output import note, plain, pretty


@click.command()
@click.argument("decision_id", metavar="DECISION_ID")
@click.option(
    "--in", "folders", type=PATH, multiple=True, metavar="FOLDER", help="A stream's folder.  [default: *.watch here]"
)
@click.option(
    "-o", "--output", type=PATH, metavar="PICTURE.png", help="Draw the images, confidences and states as well."
)
@JSON
def why(decision_id: str, folders: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Say why a stream decided as it did: which rule, which models, which images.

    DECISION_ID stands in every event; the beginning is enough where no other id begins so.
    """
    from tellapart.workflows.why import why as explain

    found = explain(decision_id, folders=folders)
    if output is not None:
        found.picture(output)
        note(f"drawn in {output}")
    print(pretty(found.to_json()) if as_json else "\n".join(map(plain, found.sentences)))
