"""The images whose answer a change of classes changes, as pictures on one page."""

from __future__ import annotations

from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.evaluation.markup import image, page, paragraph, section, table, text
from tellapart.records import Sample
from tellapart.workflows.classes.change import Change
from tellapart.workflows.classes.effect import ClassEffect, Effect, Example
from tellapart.workflows.pictures import Picture
from tellapart.workflows.pictures import pictures as pictures_of


def sheet(change: Change, *, pictures: str | Path | None = None) -> str:
    """A self-contained HTML text: the figures of the change, and the named images with the answers before and after.

    Relative uris of images that the model remembers start at the folder `pictures`; what is not found there is shown by
    its name alone.
    """
    title = f"{'Preview: ' if change.preview else ''}{change.operation} on {Path(change.model).name}"
    told = "".join(paragraph(line.split(maxsplit=1)[-1]) for line in change.told)
    if change.effect is None:
        return page(title, "", section("change", "The change", told, paragraph("No answer changes.")))
    found = _pictures(change, change.effect, None if pictures is None else Path(pictures))
    galleries = [_gallery(i, one, found) for i, one in enumerate(change.effect.classes) if one.examples]
    if not galleries:
        galleries = [section("none", "Answers that change", paragraph("None among the images that judge."))]
    return page(title, "", section("change", "The change", told, _table(change.effect)) + "".join(galleries))


def _table(effect: Effect) -> str:
    rows = [
        [
            text(one.label),
            f"{one.images:,}",
            f"{one.held_out:,}",
            *("–" if share is None else f"{share:.3f}" for share in (one.recall_before, one.recall_after)),
            f"{one.lost:,}",
            f"{one.won:,}",
        ]
        for one in effect.classes
    ]
    heads = ["Class", "Images", "Held out", "Recall before", "Recall after", "Lost", "Won"]
    caption = f"Judged on {effect.judged_on}"
    return table(caption, heads, rows, numeric=range(1, len(heads)))


def _gallery(number: int, one: ClassEffect, found: dict[str, Picture | None]) -> str:
    figures = "".join(_figure(each, found.get(each.id)) for each in one.examples)
    intro = f"{one.lost:,} of {one.compared:,} images are lost, {one.won:,} won."
    return section(f"class-{number}", one.label, paragraph(intro), f'<div class="gallery">{figures}</div>')


def _figure(one: Example, picture: Picture | None) -> str:
    shown = paragraph("not found", "soft") if picture is None else image(picture.image, f"{one.uri}: {one.after}")
    answers = f"<b>{text(one.before)}</b> → {text(one.after)}"
    return f"<figure>{shown}<figcaption>{answers}<small>{text(one.uri)}</small></figcaption></figure>"


def _pictures(change: Change, effect: Effect, root: Path | None) -> dict[str, Picture | None]:
    """By id of the image, None where it is gone."""
    named = [(each, one.label) for one in effect.classes for each in one.examples]
    if not named:
        return {}
    paths = [change.paths.get(each.id, each.uri if root is None else str(root / each.uri)) for each, _ in named]
    dataset = Dataset.from_samples([Sample(path) for path in paths])
    labels = [label for _, label in named]
    taken = pictures_of(change.classifier, dataset, range(len(paths)), labels)
    return {each.id: picture for (each, _), picture in zip(named, taken, strict=True)}
