"""Proposed classes as one HTML file: a contact sheet of each; no script, nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart.data.hygiene.wording import count
from tellapart.evaluation.markup import image, page, paragraph, section, text
from tellapart.evaluation.report import refused_files
from tellapart.workflows.check_pictures import Thumbnails
from tellapart.workflows.propose_result import Proposal, Proposed

MAX_OF_EACH = 40
_MAX_PROPOSALS = 50


def render(proposed: Proposed, *, title: str = "Proposed classes", workers: int = 0) -> str:
    """The page as text, with at most `MAX_OF_EACH` pictures of a proposal: the most typical and the least."""
    shown = {one.name: _shown(one.rows) for one in proposed.proposals[:_MAX_PROPOSALS]}
    alone = proposed.alone[:MAX_OF_EACH]
    rows = [row for part in shown.values() for row in part] + list(alone)
    thumbnails = Thumbnails.of(proposed.dataset, rows, proposed.embedder, workers=workers)
    main = [
        f"<style>\n{Path(__file__).with_name('check_report.css').read_text(encoding='utf-8')}</style>",
        _tiles(proposed),
        *(_sheet(one, shown[one.name], proposed, thumbnails) for one in proposed.proposals[:_MAX_PROPOSALS]),
        _alone(proposed, alone, thumbnails),
        section("data", "The data", refused_files(proposed.dataset.refusals)),
    ]
    header = f'<p class="verdict">{text(proposed.verdict)}</p>' + paragraph(_next(proposed), "lead")
    return page(title, header, "\n".join(part for part in main if part))


def _next(proposed: Proposed) -> str:
    if not proposed.proposals:
        return "Collect more images and run it again, or look at the unknown ones below."
    return (
        "Name each class in the list (--csv), empty the label of an image that does not belong, give two proposals the same "
        "name to join them; `tellapart classes add MODEL LIST` then teaches the model."
    )


def _shown(rows: Sequence[int]) -> Sequence[int]:
    """The most typical, and some of the least: there a mistake is likeliest."""
    few = MAX_OF_EACH // 4
    return rows if len(rows) <= MAX_OF_EACH else [*rows[: MAX_OF_EACH - few], *rows[-few:]]


def _sheet(one: Proposal, rows: Sequence[int], proposed: Proposed, thumbnails: Thumbnails) -> str:
    told = f"{one.told[:1].upper()}{one.told[1:]}. The most typical come first, the least typical last."
    more = (
        f"{len(rows):,} of {count(one.size, 'image')} shown; --csv and --json list all." if len(rows) < one.size else ""
    )
    body = paragraph(told) + _gallery(rows, proposed, thumbnails) + (paragraph(more, "soft") if more else "")
    return section(one.name, one.name, body)


def _alone(proposed: Proposed, rows: Sequence[int], thumbnails: Thumbnails) -> str:
    if not rows:
        return ""
    told = (
        f"Unknown, and not alike enough to others to make a class of {proposed.min_images}. The strangest come first."
    )
    left = len(proposed.alone)
    more = (
        paragraph(f"{len(rows):,} of {count(left, 'image')} shown; --json lists all.", "soft")
        if len(rows) < left
        else ""
    )
    return section("alone", "In no class", paragraph(told) + _gallery(rows, proposed, thumbnails) + more)


def _gallery(rows: Sequence[int], proposed: Proposed, thumbnails: Thumbnails) -> str:
    figures = []
    for row in rows:
        uri, data = proposed.dataset.uris[row], thumbnails.get(row)
        picture = '<div class="gone">gone</div>' if data is None else image(data, uri)
        name = f"<b>{text(Path(uri).name)}</b><small>{text(str(Path(uri).parent))}</small>"
        figures.append(f"<figure>{picture}<figcaption>{name}</figcaption></figure>")
    return f'<div class="gallery small">{"".join(figures)}</div>'


def _tiles(proposed: Proposed) -> str:
    tiles = [
        ("images", len(proposed.dataset)),
        ("unknown", len(proposed.collected)),
        ("proposed classes", len(proposed.proposals)),
        ("images in them", len(proposed.collected) - len(proposed.alone)),
        ("in no class", len(proposed.alone)),
        ("refused files", len(proposed.dataset.refusals)),
    ]
    cells = "".join(f"<li><b>{n:,}</b><span>{text(name)}</span></li>" for name, n in tiles)
    return f'<ul class="tiles">{cells}</ul>'
