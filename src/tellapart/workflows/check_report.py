"""The findings as one HTML file: galleries, duplicates side by side, filters; no script, nothing is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity
from tellapart.data.hygiene.wording import count
from tellapart.evaluation.markup import image, page, paragraph, section, table, text
from tellapart.evaluation.report import refused_files
from tellapart.workflows.check_growth import growth_section
from tellapart.workflows.check_pictures import Thumbnails
from tellapart.workflows.check_result import SEVERITIES, Checked

MAX_FINDINGS, MAX_PICTURES = 200, 600
MAX_ROWS, MAX_EXAMPLES, MAX_CLUSTERS, MAX_IN_CLUSTER = 24, 6, 9, 6
_MAX_LABELS = 100
_PLURAL = {Severity.ERROR: "Errors", Severity.WARNING: "Warnings", Severity.NOTE: "Notes"}


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which rows of a finding are shown: clusters side by side, or single images."""

    finding: Finding
    clusters: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]

    @property
    def pictures(self) -> tuple[int, ...]:
        return (*(row for cluster in self.clusters for row in cluster), *self.rows)


def render(checked: Checked, *, title: str = "Data check", workers: int = 0) -> str:
    """The page as text; at most `MAX_FINDINGS` findings and `MAX_PICTURES` pictures, and it says where it stops."""
    shown = list(_chosen(checked.evidence, checked.findings))
    thumbnails = Thumbnails.of(
        checked.evidence.dataset, [row for one in shown for row in one.pictures], checked.embedder, workers=workers
    )
    labels = _Labels(checked.evidence, checked.findings)
    header = f'<p class="verdict">{text(_capital(checked.verdict))}</p>' + paragraph(_about(checked), "lead")
    main = [
        _style(checked, labels),
        _tiles(checked),
        section("overview", "What was found", _overview(checked)),
        _filters(checked, labels),
        *(_article(i, one, checked, thumbnails, labels) for i, one in enumerate(shown)),
        _not_shown(checked, len(shown)),
        growth_section(checked.evidence.prospects),
        section("data", "The data", _balance(checked.evidence), refused_files(checked.evidence.dataset.refusals)),
        section("how", "What was looked at", _how(checked)),
    ]
    return page(title, header, "\n".join(part for part in main if part))


def _chosen(evidence: Evidence, findings: Sequence[Finding]) -> Iterator[_Shown]:
    """The worst findings, each with as many pictures as there is room for."""
    room = MAX_PICTURES
    for finding in findings[:MAX_FINDINGS]:
        clusters: list[tuple[int, ...]] = []
        for cluster in finding.clusters[:MAX_CLUSTERS]:
            part = _some_of_each_label(evidence, cluster, min(MAX_IN_CLUSTER, max(room, 0)))
            clusters += [part] if part else []
            room -= len(part)
        rows = () if finding.clusters else finding.rows[: min(_most(finding), max(room, 0))]
        room -= len(rows)
        yield _Shown(finding, tuple(clusters), rows)


def _some_of_each_label(evidence: Evidence, rows: Sequence[int], most: int) -> tuple[int, ...]:
    """At most so many, in their order: a quarrel over the label must be seen in a few pictures."""
    seen: Counter[str] = Counter()
    place = {}
    for row in rows:
        label = evidence.label_of(row)
        place[row] = seen[label]
        seen[label] += 1
    kept = set(sorted(rows, key=lambda row: place[row])[:most])
    return tuple(row for row in rows if row in kept)


def _most(finding: Finding) -> int:
    """A ranked list is read from its head; of a whole class, a few examples tell as much as all."""
    return MAX_ROWS if finding.scores or finding.proposals else MAX_EXAMPLES


class _Labels:
    """Labels by the number of images that findings are about, as classes of the style sheet."""

    def __init__(self, evidence: Evidence, findings: Sequence[Finding]) -> None:
        self._labels, self.names = evidence.labels, evidence.schema.names
        rows = Counter(column for f in findings for row in set(f.rows) for column in self._columns(row))
        self.offered = [column for column, _ in rows.most_common(_MAX_LABELS)]
        self.n_left_out = len(rows) - len(self.offered)

    def _columns(self, row: int) -> list[int]:
        return np.flatnonzero(self._labels[row]).tolist()

    def classes(self, rows: Sequence[int]) -> str:
        """Classes of an element that is about these images."""
        present = np.flatnonzero(self._labels[list(rows)].any(axis=0)) if len(rows) else ()
        return "".join(f" lab-{column}" for column in present)


def _style(checked: Checked, labels: _Labels) -> str:
    """The filters: a box that is not ticked hides what carries its class. No script, so none can be smuggled in."""
    rules = [f"body:has(#f-sev-{s.value}:not(:checked)) article.sev-{s.value}{{display:none}}" for s in SEVERITIES]
    rules += [f"body:has(#f-chk-{i}:not(:checked)) article.chk-{i}{{display:none}}" for i in range(len(checked.checks))]
    rules += [f"body:has(#f-lab-{c}:checked) .by-label:not(.lab-{c}){{display:none}}" for c in labels.offered]
    own = Path(__file__).with_name("check_report.css").read_text(encoding="utf-8")
    return f"<style>\n{own}{chr(10).join(rules)}\n</style>"


def _about(checked: Checked) -> str:
    worst = checked.findings[0] if checked.findings else None
    return f"Worst: {_unbroken(worst.sentence)}." if worst else "All checks that ran are silent."


def _tiles(checked: Checked) -> str:
    tiles = [("images looked at", len(checked.evidence)), ("refused files", len(checked.evidence.dataset.refusals))]
    tiles += [
        (severity.name.lower() if n == 1 else _PLURAL[severity].lower(), n) for severity, n in checked.counts().items()
    ]
    cells = "".join(f"<li><b>{n:,}</b><span>{text(name)}</span></li>" for name, n in tiles)
    return f'<ul class="tiles">{cells}</ul>'


def _overview(checked: Checked) -> str:
    rows = [
        [
            _badge(finding.severity),
            f'<a href="#finding-{i}">{text(checked.title_of(finding.check))}</a>',
            text(_unbroken(finding.sentence)),
            f"{len(finding.rows):,}" if finding.rows else "–",
        ]
        for i, finding in enumerate(checked.findings[:MAX_FINDINGS])
    ]
    if not rows:
        return paragraph("Nothing.")
    return table("Worst first", ["Severity", "Check", "Finding", "Images"], rows, numeric=[3])


def _badge(severity: Severity) -> str:
    return f'<span class="badge sev-{severity.value}">{severity.name.lower()}</span>'


def _filters(checked: Checked, labels: _Labels) -> str:
    if not checked.findings:
        return ""
    by_check = Counter(finding.check for finding in checked.findings)
    severities = [_box(f"f-sev-{s.value}", f"{_PLURAL[s]} ({n:,})") for s, n in checked.counts().items() if n]
    kinds = [
        _box(f"f-chk-{i}", f"{one.title} ({by_check[one.name]:,})")
        for i, one in enumerate(checked.checks)
        if by_check[one.name]
    ]
    names = [_radio("f-lab-all", "all", checked=True)]
    names += [_radio(f"f-lab-{column}", labels.names[column]) for column in labels.offered]
    left = f" The {_MAX_LABELS} labels with most findings can be chosen." if labels.n_left_out else ""
    return (
        f'<form class="filters" aria-label="Filters">{_fieldset("Severity", severities)}{_fieldset("Check", kinds)}'
        f"{_fieldset('Label', names) if len(names) > 2 else ''}"
        f'<p class="soft">Filters act on what this page shows.{left}</p></form>'
    )


def _fieldset(legend: str, parts: Sequence[str]) -> str:
    return f"<fieldset><legend>{legend}</legend>{''.join(parts)}</fieldset>"


def _box(key: str, name: str) -> str:
    return f'<label><input type="checkbox" id="{key}" checked>{text(name)}</label>'


def _radio(key: str, name: str, *, checked: bool = False) -> str:
    return f'<label><input type="radio" name="label" id="{key}"{" checked" if checked else ""}>{text(name)}</label>'


def _article(number: int, shown: _Shown, checked: Checked, thumbnails: Thumbnails, labels: _Labels) -> str:
    finding = shown.finding
    place = next((i for i, one in enumerate(checked.checks) if one.name == finding.check), -1)
    about = f" by-label{labels.classes(finding.rows)}" if finding.rows else ""
    figures = _Figures(finding, checked.evidence, thumbnails, labels)
    body = f'<div class="clusters">{"".join(map(figures.together, shown.clusters))}</div>' if shown.clusters else ""
    body += f'<div class="gallery small">{figures.alone(shown.rows)}</div>' if shown.rows else ""
    kind = f"{_badge(finding.severity)} {text(checked.title_of(finding.check))} · <code>{text(finding.check)}</code>"
    return (
        f'<article id="finding-{number}" class="sev-{finding.severity.value} chk-{place}{about}">'
        f'<p class="kind">{kind}</p><h3>{text(_capital(_unbroken(finding.sentence)))}</h3>'
        f"{paragraph(_capital(_unbroken(finding.remedy)), 'remedy')}{body}{_limits(shown)}</article>"
    )


class _Figures:
    """Pictures of one finding, with what is said about each."""

    def __init__(self, finding: Finding, evidence: Evidence, thumbnails: Thumbnails, labels: _Labels) -> None:
        self._evidence, self._thumbnails, self._labels = evidence, thumbnails, labels
        self._score = dict(zip(finding.rows, finding.scores, strict=False))
        # The name of a group says nothing: those that stand side by side are one.
        said = {one: "" if one.action == "group" else one.value for one in finding.proposals}
        self._fix = {one.row: f"{one.action} {said[one]}".strip() for one in reversed(finding.proposals)}

    def together(self, rows: Sequence[int]) -> str:
        """Images that must be seen side by side: a filter shows or hides all of them, whatever the label of each."""
        figures = "".join(self._figure(row) for row in rows)
        return f'<div class="cluster by-label{self._labels.classes(rows)}">{figures}</div>'

    def alone(self, rows: Sequence[int]) -> str:
        """Figures that filters show and hide one by one."""
        return "".join(self._figure(row, f"by-label{self._labels.classes([row])}") for row in rows)

    def _figure(self, row: int, style: str = "") -> str:
        uri, label = self._evidence.dataset.uris[row], self._evidence.label_of(row)
        data = self._thumbnails.get(row)
        picture = '<div class="gone">gone</div>' if data is None else image(data, f"{uri}: {label}")
        score = f" <span>{self._score[row]:.3g}</span>" if row in self._score else ""
        fix = f'<span class="fix">proposed: {text(self._fix[row])}</span>' if row in self._fix else ""
        return (
            f'<figure class="{style}">{picture}<figcaption><b>{text(label)}</b>{score}'
            f"{fix}<small>{text(uri)}</small></figcaption></figure>"
        )


def _limits(shown: _Shown) -> str:
    finding = shown.finding
    if finding.clusters:
        whole = sum(a == b for a, b in zip(shown.clusters, finding.clusters, strict=False))
        if whole == len(finding.clusters):
            return ""
        sets = f"{len(shown.clusters):,} of {count(len(finding.clusters), 'set')}"
        told = f"{sets} of images shown, with at most {MAX_IN_CLUSTER} images each"
    elif len(shown.rows) < len(finding.rows):
        order = "the worst first" if finding.scores else "as examples"
        told = f"{len(shown.rows):,} of {count(len(finding.rows), 'image')} shown, {order}"
    else:
        return ""
    return paragraph(f"{told}; {'--json and --proposals list' if finding.proposals else '--json lists'} all.", "soft")


def _not_shown(checked: Checked, n_shown: int) -> str:
    rest = checked.findings[n_shown:]
    if not rest:
        return ""
    by_check = Counter(finding.check for finding in rest)
    rows = [[text(checked.title_of(name)), f"{n:,}"] for name, n in by_check.most_common()]
    told = (
        f"This page shows the {n_shown:,} worst of {len(checked.findings):,} findings and at most {MAX_PICTURES} pictures. "
        "`tellapart check DATA --json` lists all; --only shows one check alone."
    )
    return section("more", "Not shown", paragraph(told), table("By check", ["Check", "Findings"], rows, numeric=[1]))


def _balance(evidence: Evidence) -> str:
    totals = evidence.labels.sum(axis=0, dtype=int)
    order = sorted(range(len(totals)), key=lambda column: (-totals[column], evidence.schema.names[column]))
    most = max(1, int(totals.max(initial=1)))
    rows = [
        [
            text(evidence.schema.names[column]),
            f"{totals[column]:,}",
            f'<span class="bar" style="width:{100 * totals[column] / most:.1f}%"></span>',
        ]
        for column in order[:_MAX_LABELS]
    ]
    left = f" (the {_MAX_LABELS} largest of {len(totals):,})" if len(totals) > _MAX_LABELS else ""
    shown = table(f"Images per label{left}", ["Label", "Images", ""], rows, numeric=[1])
    return shown.replace("<td><span", '<td class="bars"><span')


def _how(checked: Checked) -> str:
    ran = ", ".join(one.title.lower() for one in checked.checks)
    parts = [paragraph(f"{_capital(count(len(checked.checks), 'check'))}: {ran}.")]
    parts += [paragraph(f"Skipped {one.name}: {one.why}.", "note") for one in checked.skipped]
    if checked.n_unlabelled:
        parts.append(paragraph(f"{count(checked.n_unlabelled, 'image')} without a label were not looked at.", "note"))
    parts.append(paragraph(f"Fingerprint of the data: {checked.evidence.dataset.fingerprint}.", "soft"))
    return "".join(parts)


def _capital(value: str) -> str:
    return value[:1].upper() + value[1:]


def _unbroken(sentence: str) -> str:
    """A number and its sign on one line."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")
