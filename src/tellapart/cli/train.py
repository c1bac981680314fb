"""`tellapart train`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, PATH, SEED, SPLIT, WORKERS, Headed, flag, headed
from tellapart.cli.output import note, plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading
from tellapart.cli.recipe_options import RECIPE

if TYPE_CHECKING:
    from tellapart.settings.recipe import Recipe


@click.command(cls=Headed)
@click.argument("data", type=PATH)
@click.option("--output", "-o", type=PATH, metavar="MODEL", help="Model folder or .zip.  [default: DATA-model]")
@click.option("--name", help="Name on the card.  [default: the output's]")
@RECIPE
@headed(
    "The network itself (--method finetune)",
    flag("--resume", "resume", "Go on with a training or search that was ended, from its last whole epoch."),
    flag("--restart", "restart", "Throw an unfinished training or search away and begin anew."),
)
@headed(
    "A search",
    click.option(
        "--search",
        type=click.IntRange(min=1),
        metavar="N",
        help="Make N trials of what is not named here, judged on validation images, and train by the best.",
    ),
    click.option(
        "--search-minutes",
        type=click.FloatRange(min=0, min_open=True),
        metavar="M",
        help="Begin no trial after M minutes of trials.",
    ),
)
@headed(
    "Answers",
    click.option(
        "--costs", type=PATH, metavar="CSV", help="Cost table for least_cost: rows actual, columns predicted."
    ),
)
@headed("Data", READING, SPLIT)
@headed(
    "The run",
    click.option(
        "--golden",
        type=click.IntRange(min=0),
        default=6,
        show_default=True,
        help="Images kept in the model to verify it; 0 for none.",
    ),
    SEED,
    WORKERS,
    NO_CACHE,
    JSON,
)
def train(
    data: Path,
    output: Path | None,
    name: str | None,
    recipe: Recipe,
    resume: bool,
    restart: bool,
    search: int | None,
    search_minutes: float | None,
    costs: Path | None,
    reading: Reading,
    split: str,
    golden: int,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Train a classifier on DATA: a folder of class folders, CSV, JSONL, Parquet, COCO …

    Checks, splits without leaks, fits, calibrates, chooses thresholds, evaluates, writes the model and its report.
    """
    from tellapart.workflows.train import check_outside
    from tellapart.workflows.train import train as run

    output = output or Path(f"{data.resolve().name.lstrip('.').split('.')[0]}-model")
    check_outside(output, data)
    dataset = reading.dataset(data)
    with _told_how_to_go_on(output), progress() as shown:
        classifier = run(
            dataset,
            output=output,
            recipe=recipe,
            store=store(),
            costs=costs,
            split=split,
            name=name,
            golden=golden,
            resume=resume,
            restart=restart,
            search=search,
            search_minutes=search_minutes,
            seed=seed,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    evaluation, found = classifier.evaluation, classifier.card.training.get("search")
    if as_json:
        result = None if evaluation is None else evaluation.to_json()
        print(pretty(result if found is None else {**(result or {}), "search": found}))
        return
    if found is not None:
        print(_table(found))
    card = classifier.card
    for line in [*card.data["summary"], *card.training["summary"], "", *card.metrics["summary"]]:
        print(plain(line))
    has_report = evaluation is not None and output.suffix != ".zip"
    note(f"\nmodel   {output}" + (f"\nreport  {output / 'report.html'}" if has_report else ""))


def _table(found: Mapping[str, Any]) -> str:
    """The trials of a search, as its card has them."""
    from tellapart.evaluation.searched import Searched

    return "\n".join([*map(plain, Searched.from_facts(found).lines()), ""])


@contextmanager
def _told_how_to_go_on(output: Path) -> Iterator[None]:
    """Say when what is interrupted can be gone on with, and show what a search has found so far."""
    from tellapart.workflows.run_folder import RunFolder

    try:
        yield
    except KeyboardInterrupt as ended:
        if (searched := getattr(ended, "searched", None)) is not None:
            note("\n".join([*searched.lines(), "", "the search goes on with --resume"]))
        elif RunFolder.beside(output).job.exists():
            note("the training goes on with --resume")
        raise
