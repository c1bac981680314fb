"""Suggestions as one HTML file: what to label next, what was accepted, what is unlike; no script, nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart.data.hygiene.wording import count
from tellapart.data.labels import format_labels
from tellapart.evaluation.markup import image, page, paragraph, section, table, text
from tellapart.evaluation.report import refused_files
from tellapart.workflows.check_pictures import Thumbnails
from tellapart.workflows.suggest_result import Suggested, Suggestion

MAX_TO_LABEL, MAX_OF_EACH = 200, 24
_MAX_LABELS = 100


def render(suggested: Suggested, *, title: str = "Suggestions", workers: int = 0) -> str:
    """The page as text: at most `MAX_TO_LABEL` pictures of what to label, and `MAX_OF_EACH` of the rest of each kind."""
    galleries = _galleries(suggested)
    rows = [one.row for gallery in galleries for one in gallery.shown]
    thumbnails = Thumbnails.of(suggested.dataset, rows, suggested.embedder, workers=workers)
    header = f'<p class="verdict">{text(_verdict(suggested))}</p>' + paragraph(
        _capital(suggested.advice.sentence), "lead"
    )
    main = [
        f"<style>\n{Path(__file__).with_name('check_report.css').read_text(encoding='utf-8')}</style>",
        _tiles(suggested),
        *(gallery.html(suggested, thumbnails) for gallery in galleries),
        section("labels", "Proposed labels", _by_label(suggested)),
        section("data", "The data", refused_files(suggested.dataset.refusals)),
    ]
    return page(title, header, "\n".join(part for part in main if part))


class _Gallery:
    """Pictures of one kind."""

    def __init__(self, key: str, title: str, told: str, all_: Sequence[Suggestion], most: int) -> None:
        self._key, self._title, self._told, self._all = key, title, told, all_
        self.shown = all_[:most]

    def html(self, suggested: Suggested, thumbnails: Thumbnails) -> str:
        """A section, empty where there is nothing to show."""
        if not self._all:
            return ""
        figures = "".join(_figure(one, suggested, thumbnails) for one in self.shown)
        more = f"{len(self.shown):,} of {count(len(self._all), 'image')} shown; --out and --json list all."
        left = paragraph(more, "soft") if len(self.shown) < len(self._all) else ""
        body = f'{paragraph(self._told)}<div class="gallery small">{figures}</div>{left}'
        return section(self._key, self._title, body)


def _galleries(suggested: Suggested) -> list[_Gallery]:
    least_sure_first = suggested.accepted[::-1]
    unlike = [one for one in suggested.suggestions if one.unlike and not one.rank]
    accepted = (
        f"{_capital(suggested.accepted_sentence)}. The least sure of them come first: there a mistake is likeliest."
    )
    return [
        _Gallery("to-label", "To label next", f"{_capital(suggested.how)}.", suggested.to_label, MAX_TO_LABEL),
        _Gallery("accepted", "Accepted", accepted, least_sure_first, MAX_OF_EACH),
        _Gallery("unlike", "Unlike all labelled images", _UNLIKE, unlike, MAX_OF_EACH),
    ]


_UNLIKE = "Something new, or something that does not belong here. What is proposed for them is never accepted."


def _figure(one: Suggestion, suggested: Suggested, thumbnails: Thumbnails) -> str:
    uri, data = suggested.dataset.uris[one.row], thumbnails.get(one.row)
    name = "no proposal" if one.labels is None else format_labels(one.labels) if one.labels else "(none)"
    picture = '<div class="gone">gone</div>' if data is None else image(data, f"{uri}: {name}")
    rank = f'<span class="badge">{one.rank}</span> ' if one.rank else ""
    confidence = "" if one.confidence is None else f" <span>{one.confidence:.2f}</span>"
    return (
        f"<figure>{picture}<figcaption>{rank}<b>{text(name)}</b>{confidence}"
        f'<span class="fix">{text(one.why)}</span><small>{text(uri)}</small></figcaption></figure>'
    )


def _verdict(suggested: Suggested) -> str:
    n, accepted = len(suggested.to_label), len(suggested.accepted)
    told = f"{count(n, 'image')} to label next" if n else "Nothing to label next"
    return f"{told}, {count(accepted, 'proposed label')} accepted" if suggested.acceptance is not None else told


def _tiles(suggested: Suggested) -> str:
    unlabelled = len(suggested.suggestions)
    tiles = [
        ("labelled", len(suggested.dataset) - unlabelled),
        ("unlabelled", unlabelled),
        ("to label next", len(suggested.to_label)),
        ("accepted", len(suggested.accepted)),
        ("unlike all labelled", sum(one.unlike for one in suggested.suggestions)),
        ("refused files", len(suggested.dataset.refusals)),
    ]
    cells = "".join(f"<li><b>{n:,}</b><span>{text(name)}</span></li>" for name, n in tiles)
    return f'<ul class="tiles">{cells}</ul>'


def _by_label(suggested: Suggested) -> str:
    found = suggested.by_label()
    if not found:
        return paragraph("None: there is no head yet that could propose one.")
    rows = [[text(name), f"{n:,}", f"{accepted:,}"] for name, n, accepted in found[:_MAX_LABELS]]
    return paragraph(_capital(f"accepted: {suggested.accepted_sentence}.")) + table(
        "By label", ["Label", "Proposed", "Accepted"], rows, numeric=[1, 2]
    )


def _capital(value: str) -> str:
    return value[:1].upper() + value[1:]
