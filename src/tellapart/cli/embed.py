"""`tellapart embed`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.environment import cache_dir, decode_limits, provider, store
from tellapart.cli.options import JSON, NO_CACHE, OVERWRITE, PATH, SEED, WORKERS, Headed, flag, headed
from tellapart.cli.output import plain, pretty
from tellapart.cli.progress import progress
from tellapart.cli.reading import READING, Reading

if TYPE_CHECKING:
    from tellapart.index.vectors import DType, Vectors

_LISTED = 10


@click.command(cls=Headed)
@click.argument("source")
@click.argument("data", type=PATH)
@click.option(
    "--output", "-o", type=PATH, metavar="FILE", help="Ends in .parquet or .npy.  [default: DATA-vectors.parquet]"
)
@OVERWRITE
@click.option(
    "--size", type=int, metavar="PX", help="Side of the image that a backbone sees.  [default: what suits both]"
)
@click.option(
    "--preprocess",
    metavar="SPEC",
    help="How a backbone sees images, such as 'decode|upright|fit(224)'.  [default: what it was made for]",
)
@flag("--no-normalise", "no_normalise", "Leave the vectors as long as they are; else each has length 1.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Numbers in a .npy; float16 halves the file.",
)
@headed(
    "Fewer numbers",
    click.option(
        "--project",
        metavar="KIND:N",
        help="Learn from DATA to make N numbers of each vector: pca:128, pca-whitened:128, supcon:64 (by labels).",
    ),
    click.option("--save-projection", type=PATH, metavar="FILE", help="Keep what was learned; ends in .safetensors."),
    click.option("--projection", type=PATH, metavar="FILE", help="Apply what was kept before."),
)
@headed("Data", READING)
@headed("The run", SEED, WORKERS, NO_CACHE, JSON)
def embed(
    source: str,
    data: Path,
    output: Path | None,
    overwrite: bool,
    size: int | None,
    preprocess: str | None,
    no_normalise: bool,
    dtype: DType,
    project: str | None,
    save_projection: Path | None,
    projection: Path | None,
    reading: Reading,
    seed: int,
    workers: int,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Turn the images of DATA into vectors by SOURCE: a model (folder or .zip), or a backbone by its name or file.

    DATA is what `train` takes, labelled or not. Vectors of one SOURCE can be compared: similar images lie close together.
    """
    from tellapart.workflows.embed import check_outside
    from tellapart.workflows.embed import embed as run

    output = output or Path(f"{data.resolve().name.lstrip('.').split('.')[0]}-vectors.parquet")
    check_outside(output, data)
    dataset = reading.dataset(data)
    with progress() as shown:
        vectors = run(
            source,
            dataset,
            output=output,
            overwrite=overwrite,
            dtype=dtype,
            size=size,
            preprocess=preprocess,
            normalise=not no_normalise,
            project=project,
            save_projection=save_projection,
            projection=projection,
            store=store(),
            seed=seed,
            workers=workers,
            provider=provider(),
            cache_dir=None if no_cache else cache_dir(),
            limits=decode_limits(),
            progress=shown,
        )
    if as_json:
        print(pretty(_result(vectors, output)))
        return
    print("\n".join(map(plain, [*_lines(vectors), *_learned(vectors.facts.get("projection")), f"written   {output}"])))
    if save_projection is not None:
        print(plain(f"          {save_projection}"))


def _result(vectors: Vectors, output: Path) -> dict[str, Any]:
    return {
        "output": str(output),
        "seen": len(vectors) + len(vectors.refusals),
        "embedded": len(vectors),
        "refused": [{"uri": one.uri, "code": one.code, "message": one.message} for one in vectors.refusals],
        "space": vectors.space.to_json(),
        **vectors.facts,
    }


def _lines(vectors: Vectors) -> list[str]:
    space, refusals = vectors.space, vectors.refusals
    length = "length 1" if space.normalised else "not normalised"
    more = len(refusals) - _LISTED
    return [
        f"data      {len(vectors) + len(refusals):,} images seen: {len(vectors):,} embedded, {len(refusals):,} refused",
        *(f"refused   {refusal.sentence}" for refusal in refusals[:_LISTED]),
        *([f"refused   … and {more:,} more; --json lists all"] if more > 0 else []),
        f"vectors   {space.dim:,} numbers each, {length}, by {space.backbone} on {space.preprocess}",
    ]


def _learned(facts: Mapping[str, Any] | None) -> Iterator[str]:
    """How the projection came about, and what it finds beside the vectors it was learned on."""
    if facts is None:
        return
    explained = f", {facts['explained']:.1%} of the variance" if "explained" in facts else ""
    learned = f"{facts['kind']} of {facts['from_dim']:,} numbers, learned from {facts['learned_from']:,} images"
    yield f"projected {learned}{explained}"
    judged = facts["judged"]
    for name, what in (
        ("unseen_images", "on {queries:,} images that did not teach ({how})"),
        ("unseen_labels", "on labels that did not teach ({how})"),
    ):
        if name in judged:
            yield f"          {what.format(**judged[name])}:"
            yield f"          {_changes(judged[name])}"
            if _is_worse(judged[name]):
                yield "warning   it finds clearly less there than the vectors it was learned on; leave it out, or add images"


def _is_worse(figures: Mapping[str, Any]) -> bool:
    """One measure lies below what it was by more than chance, and the other not above."""
    changes = [(one["change"], one["margin"]) for one in (figures["recall_at_1"], figures["map_at_r"])]
    return any(change + margin < 0 for change, margin in changes) and all(change <= 0 for change, _ in changes)


def _changes(figures: Mapping[str, Any]) -> str:
    told = (("nearest of the same label", figures["recall_at_1"]), ("mAP@R", figures["map_at_r"]))
    return ", ".join(
        f"{name} {one['before']:.3f} → {one['after']:.3f} ({one['change']:+.3f} ± {one['margin']:.3f})"
        for name, one in told
    )
