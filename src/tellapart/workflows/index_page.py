"""What was found as one HTML file: each query beside its neighbours, near-duplicates group by group; nothing is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.wording import count
from tellapart.data.table import from_samples
from tellapart.errors import SpecError
from tellapart.evaluation.markup import image, page, paragraph, section, text
from tellapart.evaluation.report import refused_files
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.index.index import Index
from tellapart.records import Roi, Sample
from tellapart.workflows.check_pictures import Thumbnails
from tellapart.workflows.index_queries import root_of
from tellapart.workflows.index_result import Alike, Answered, Found, Hit

MAX_QUERIES, MAX_GROUPS, MAX_OF_GROUP = 100, 100, 24
_SPEC = "decode|upright|fit(224)"


def render(
    index: Index, found: Found, *, title: str = "Similar pictures", images: str | Path | None = None, workers: int = 0
) -> str:
    """The page of a search as text: at most `MAX_QUERIES` queries; `images` is where the uris of the index start now."""
    shown = found.answers[:MAX_QUERIES]
    pictures = _Pictures.of(
        index, [hit for one in shown for hit in one.hits], [one.query for one in shown], images, workers
    )
    n_hits = sum(len(one.hits) for one in shown)
    header = paragraph(f"{count(n_hits, 'picture')} found for {count(len(shown), 'question')}", "verdict")
    parts = [section(f"query-{n}", _short(one.query), _answer(one, pictures)) for n, one in enumerate(shown, 1)]
    return page(
        title, header + paragraph(_SIMILARITY, "lead"), "\n".join([_style(), *parts, _left_out(found), _refused(found)])
    )


def render_groups(
    index: Index, found: Alike, *, title: str = "Near-duplicates", images: str | Path | None = None, workers: int = 0
) -> str:
    """The page of near-duplicates: at most `MAX_GROUPS` groups, `MAX_OF_GROUP` pictures of each."""
    shown = [group.hits[:MAX_OF_GROUP] for group in found.groups[:MAX_GROUPS]]
    pictures = _Pictures.of(index, [hit for hits in shown for hit in hits], [], images, workers)
    n = sum(len(group.hits) for group in found.groups)
    told = f"{n:,} pictures in {count(len(found.groups), 'group')} that are nearly alike" if n else "No near-duplicates"
    parts = []
    for number, (group, hits) in enumerate(zip(found.groups, shown, strict=False), 1):
        body = _gallery([_figure(hit, pictures) for hit in hits])
        more = f"{len(hits):,} of {len(group.hits):,} shown." if len(hits) < len(group.hits) else ""
        parts.append(
            section(f"group-{number}", f"Group {number}: {count(len(group.hits), 'picture')}", body, _soft(more))
        )
    left = len(found.groups) - len(shown)
    more = f"{left:,} more groups are not shown; --json lists all." if left else ""
    lead = (
        f"A similarity of {found.above:g} or more. The number is that with the most similar other picture of the group."
    )
    return page(title, paragraph(told, "verdict") + paragraph(lead, "lead"), "\n".join([_style(), *parts, _soft(more)]))


_SIMILARITY = "The number is the similarity: 1 for the same picture, 0 for nothing in common (cosine of the vectors)."


@dataclass(frozen=True, slots=True)
class _Sight:
    spec: PreprocessSpec
    limits: DecodeLimits


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Thumbnails by row of the index and by name of a query."""

    by_row: Mapping[int, bytes | None]
    by_query: Mapping[str, bytes | None]

    @classmethod
    def of(
        cls, index: Index, hits: Sequence[Hit], queries: Sequence[str], images: str | Path | None, workers: int
    ) -> _Pictures:
        """Read each picture once."""
        by_row = {hit.row: hit.facts for hit in hits}
        samples = [_sample(facts) for facts in by_row.values()]
        root = Path(images) if images is not None else root_of(index.path, index.manifest.source)
        rows = _thumbnails(index, samples, root, workers)
        asked = _thumbnails(index, [Sample(query) for query in queries], root, workers)
        return cls(dict(zip(by_row, rows, strict=True)), dict(zip(queries, asked, strict=True)))


def _thumbnails(index: Index, samples: list[Sample], root: Path | None, workers: int) -> list[bytes | None]:
    """A query is where its name says, from here or from where the index's pictures lie."""
    if not samples:
        return []
    here = [sample if Path(sample.uri).exists() else None for sample in samples]
    sight = _Sight(_spec(index), DecodeLimits())
    placed = Dataset(from_samples(samples), root=root)
    unplaced = Dataset(from_samples(samples))
    rows = range(len(samples))
    first = Thumbnails.of(placed, [row for row in rows if root is not None or here[row]], sight, workers=workers)
    second = Thumbnails.of(
        unplaced, [row for row in rows if here[row] and first.get(row) is None], sight, workers=workers
    )
    return [first.get(row) or second.get(row) for row in rows]


def _spec(index: Index) -> PreprocessSpec:
    try:
        return PreprocessSpec.parse(index.space.preprocess or _SPEC)
    except SpecError:
        return PreprocessSpec.parse(_SPEC)


def _sample(facts: Mapping[str, Any]) -> Sample:
    import json

    roi = facts.get("roi")
    return Sample(str(facts.get("uri") or ""), roi=None if roi is None else Roi.from_json(json.loads(roi)))


def _answer(one: Answered, pictures: _Pictures) -> str:
    data = pictures.by_query.get(one.query)
    shown = _blank("no picture") if data is None else image(data, one.query)
    query = (
        f'<figure class="query">{shown}<figcaption><span class="badge">query</span>'
        f"<small>{text(one.query)}</small></figcaption></figure>"
    )
    nothing = "" if one.hits else paragraph("Nothing was found.", "soft")
    return _gallery([query, *(_figure(hit, pictures) for hit in one.hits)]) + nothing


def _figure(hit: Hit, pictures: _Pictures) -> str:
    data = pictures.by_row.get(hit.row)
    shown = _blank("gone") if data is None else image(data, f"{hit.name}: {hit.labels}")
    split = f' <span class="soft">{text(hit.facts["split"])}</span>' if hit.facts.get("split") else ""
    return (
        f"<figure>{shown}<figcaption><b>{hit.similarity:.3f}</b> {text(hit.labels)}{split}"
        f"<small>{text(hit.name)}</small></figcaption></figure>"
    )


def _gallery(figures: Sequence[str]) -> str:
    return f'<div class="gallery small">{"".join(figures)}</div>'


def _blank(why: str) -> str:
    return f'<div class="gone">{text(why)}</div>'


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"…{name[-79:]}"


def _soft(told: str) -> str:
    return paragraph(told, "soft") if told else ""


def _left_out(found: Found) -> str:
    left = len(found.answers) - MAX_QUERIES
    return _soft(f"{left:,} more queries are not shown; --json lists all." if left > 0 else "")


def _refused(found: Found) -> str:
    return section("refused", "Refused files", refused_files(found.refusals)) if found.refusals else ""


def _style() -> str:
    style = Path(__file__).with_name("check_report.css").read_text(encoding="utf-8")
    return f"<style>\n{style}\n.query {{ outline: 3px solid var(--accent); outline-offset: -1px; }}</style>"
