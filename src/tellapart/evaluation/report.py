"""report.html: one self-contained file, no script, nothing loaded from anywhere, for a desk and a phone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tellapart.evaluation import report_numbers as numbers
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.kinds import Kinds, kinds_section
from tellapart.evaluation.learning import Learning, learning_section
from tellapart.evaluation.markup import facts, image, page, paragraph, section, table, text
from tellapart.evaluation.mistakes import Case
from tellapart.evaluation.searched import Searched, searched_section
from tellapart.evaluation.wording import listed, percent
from tellapart.records import Refusal

_MAX_LISTED = 200
_NAV = (("trust", "What to trust"), ("classes", "Classes"), ("confusion", "Confusions"), ("curves", "Curves"),
        ("kinds", "Kinds"), ("slices", "Slices"), ("mistakes", "Mistakes"), ("unknown", "Unknown"), ("found", "Found"),
        ("learning", "Learning"), ("search", "Search"), ("data", "Data"), ("model", "Model"),
        ("reproduce", "Reproduce"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class GalleryItem:
    """One picture of the gallery: `thumbnail` and `heatmap` are JPEG, PNG or WebP bytes.

    `actual` and `predicted` are label names, predicted () for "unknown"; `kind` is "mistake", "uncertain", "unknown" or
    "found".
    """

    uri: str
    actual: tuple[str, ...]
    predicted: tuple[str, ...]
    confidence: float
    thumbnail: bytes
    heatmap: bytes | None = None
    note: str = ""
    kind: str = "mistake"


@dataclass(frozen=True, slots=True)
class Background:
    """What else the report tells: images per split and label, refused files, remarks (leaks found …), commands.

    `learning` is how the network itself was trained and whether that paid, where it was; `searched` how the way to train was
    found, where it was searched for. `kinds` is how well an anomaly model finds each kind.
    """

    splits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    refusals: Sequence[Refusal] = ()
    notes: Sequence[str] = ()
    reproduce: Sequence[str] = ()
    learning: Learning | None = None
    searched: Searched | None = None
    kinds: Kinds | None = None


def write_report(
    evaluation: Evaluation,
    *,
    title: str,
    card: Mapping[str, Any],
    gallery: Sequence[GalleryItem] = (),
    background: Background | None = None,
) -> str:
    """The report as one HTML text; write it with encoding="utf-8".

    `card` holds free facts about the model (backbone, preprocess, versions …), nested as deep as needed.
    """
    around = background or Background()
    sections = [
        numbers.trust(evaluation),
        numbers.classes(evaluation),
        numbers.confusions(evaluation),
        numbers.curves(evaluation),
        kinds_section(around.kinds) if around.kinds else "",
        numbers.by_slice(evaluation),
        _mistakes(evaluation, gallery),
        _unknown(evaluation, gallery),
        _found(gallery),
        learning_section(around.learning) if around.learning else "",
        searched_section(around.searched) if around.searched else "",
        _data(around),
        section("model", "The model", facts(card)) if card else "",
        _reproduce(evaluation, around),
    ]
    links = "".join(f'<a href="#{key}">{text(name)}</a>' for key, name in _NAV if f'id="{key}"' in "".join(sections))
    header = f'{numbers.verdict(evaluation)}<nav aria-label="Sections">{links}</nav>'
    return page(title, header, numbers.tiles(evaluation) + "\n".join(part for part in sections if part))


def _mistakes(evaluation: Evaluation, gallery: Sequence[GalleryItem]) -> str:
    cases = evaluation.cases
    if not cases.n_mistakes:
        return section("mistakes", "Worst mistakes", paragraph("Not one wrong answer on this data."))
    shown = [item for item in gallery if item.kind == "mistake"]
    heat = " The second picture glows where the answer saw its evidence." if any(i.heatmap for i in shown) else ""
    intro = (
        f"{cases.n_mistakes:,} of {evaluation.n:,} images ({percent(cases.n_mistakes / evaluation.n)}) got a wrong "
        f"answer. Most confidently wrong first; look for wrong labels among them.{heat}"
    )
    close = [item for item in gallery if item.kind == "uncertain"]
    body = _pictures(shown) if shown else _case_table("Worst mistakes", cases.mistakes)
    calls = f"<h3>Closest calls</h3>{_pictures(close)}" if close else _folded("Closest calls", cases.uncertain)
    return section("mistakes", "Worst mistakes", paragraph(intro), body, calls)


def _unknown(evaluation: Evaluation, gallery: Sequence[GalleryItem]) -> str:
    cases = evaluation.cases
    if not cases.n_unknown:
        return ""
    shown = [item for item in gallery if item.kind == "unknown"]
    intro = (
        f"{cases.n_unknown:,} of {evaluation.n:,} images ({percent(cases.n_unknown / evaluation.n)}) were answered "
        '"unknown": no label passed its threshold, or the image is unlike those of the training. They count as not '
        "found in recall and accuracy, and as no alarm in precision."
    )
    body = _pictures(shown) if shown else _case_table("Most foreign first", cases.unknown)
    return section("unknown", "Unknown", paragraph(intro), body)


def _found(gallery: Sequence[GalleryItem]) -> str:
    shown = [item for item in gallery if item.kind == "found"]
    intro = "Anomalies that raised an alarm, the strangest first. The second picture glows where a patch is unlike good ones."
    return section("found", "Anomalies found", paragraph(intro), _pictures(shown)) if shown else ""


def _pictures(items: Sequence[GalleryItem]) -> str:
    style = "gallery pairs" if any(item.heatmap for item in items) else "gallery"
    return f'<div class="{style}">{"".join(_picture(item) for item in items)}</div>'


def _picture(item: GalleryItem) -> str:
    actual, answer = listed(item.actual), listed(item.predicted, "unknown" if item.kind == "unknown" else "nothing")
    pictures = image(item.thumbnail, f"{item.uri}: {actual}, answered {answer}")
    if item.heatmap is not None:
        pictures += image(item.heatmap, f"heatmap of the answer {answer}")
    note = f"<small>{text(item.note)}</small>" if item.note else ""
    return (
        f'<figure><div class="pair">{pictures}</div><figcaption><b>{text(actual)}</b> → {text(answer)} '
        f"<span>{item.confidence:.2f}</span>{note}<small>{text(item.uri)}</small></figcaption></figure>"
    )


def _case_table(caption: str, found: Sequence[Case]) -> str:
    rows = [
        [
            text(case.uri or f"row {case.index}"),
            text(listed(case.actual)),
            text(listed(case.predicted, "–")),
            f"{case.confidence:.2f}",
        ]
        for case in found
    ]
    return table(caption, ["Image", "Is", "Answered", "Confidence"], rows, numeric=[3]) if rows else ""


def _folded(title: str, found: Sequence[Case]) -> str:
    return f"<details><summary>{text(title)}</summary>{_case_table(title, found)}</details>" if found else ""


def _data(around: Background) -> str:
    parts = [paragraph(note, "note") for note in around.notes]
    if around.splits:
        labels = list(dict.fromkeys(label for counts in around.splits.values() for label in counts))
        rows = [[text(label), *(f"{counts.get(label, 0):,}" for counts in around.splits.values())] for label in labels]
        caption = "Images per split and label"
        parts.append(table(caption, ["Label", *around.splits], rows, numeric=range(1, len(around.splits) + 1)))
    parts.append(refused_files(around.refusals))
    return section("data", "The data", *parts)


def refused_files(refusals: Sequence[Refusal]) -> str:
    """Refused files by reason, and the first of them by name; nothing when there are none."""
    if not refusals:
        return ""
    counts = Counter(refusal.code for refusal in refusals)
    rows = [[text(code), f"{n:,}"] for code, n in counts.most_common()]
    lines = [[text(r.uri), f"<code>{text(r.code)}</code>", text(r.message)] for r in refusals[:_MAX_LISTED]]
    more = f" (the first {_MAX_LISTED})" if len(refusals) > _MAX_LISTED else ""
    return (
        f"<h3>Refused files: {len(refusals):,}</h3>"
        f"{table('Refused files by reason', ['Reason', 'Files'], rows, numeric=[1])}"
        f"<details><summary>Show them{more}</summary>"
        f"{table('Refused files', ['File', 'Reason', 'What happened'], lines)}</details>"
    )


def _reproduce(evaluation: Evaluation, around: Background) -> str:
    commands = "\n".join(around.reproduce)
    fact = (
        f"Intervals: {percent(evaluation.level)} from {evaluation.n_resamples:,} bootstrap replicates, "
        f"seed {evaluation.seed}. "
        "The same numbers for machines are in evaluation.json."
    )
    return section(
        "reproduce", "How to reproduce", f"<pre>{escape_lines(commands)}</pre>" if commands else "", paragraph(fact)
    )


def escape_lines(value: str) -> str:
    """Escaped text that keeps its line breaks."""
    return "\n".join(text(line) for line in value.split("\n"))
