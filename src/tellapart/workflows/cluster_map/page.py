"""The map of clusters as one HTML file that loads nothing: points to look at, to filter, to select and to relabel."""

from __future__ import annotations

import json
from pathlib import Path

from tellapart.data.hygiene.wording import count
from tellapart.evaluation.markup import page, paragraph, section, text
from tellapart.evaluation.report import refused_files
from tellapart.workflows.cluster_map.content import as_script, content, sheets_as_script, unbroken
from tellapart.workflows.cluster_map.sprites import Sprites, sprites
from tellapart.workflows.cluster_result import Clustered
from tellapart.workflows.progress import Progress, silent

_SCRIPTS = ("data", "colours", "pictures", "view", "pointing", "panel", "export", "address", "start")
_STRIP = 6
_MOST_CLUSTERS = 200


def render(clustered: Clustered, *, title: str = "Clusters", workers: int = 0, progress: Progress = silent) -> str:
    """The page as text, of clusters that have a map; at most 10,000 pictures of 48 to 128 px stand in it."""
    if clustered.map is None:
        raise ValueError("these clusters have no map: let `cluster` make a layout")
    pictures = sprites(clustered, workers=workers, progress=progress)
    header = f'<p class="verdict">{text(_verdict(clustered))}</p>' + paragraph(_lead(clustered), "lead")
    main = [
        f"<style>\n{_own('page.css')}</style>",
        '<noscript><p class="note">The map is drawn by a script inside this file; this browser runs none.</p></noscript>',
        section("map", "Map", _bar(), _desk(clustered)),
        section("clusters", "Clusters", _clusters(clustered)),
        section("how", "How this came about", _how(clustered, pictures)),
        section("data", "The data", refused_files(clustered.dataset.refusals)),
        as_script("map-data", content(clustered, pictures)),
        sheets_as_script(pictures),
    ]
    return page(title, header, "\n".join(part for part in main if part), script=_script())


def _own(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _script() -> str:
    """The parts in their order, in one scope of their own."""
    parts = "\n".join(_own(f"{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _verdict(clustered: Clustered) -> str:
    n, found = count(len(clustered.dataset), "image"), clustered.clusters.n_clusters
    if not found:
        return f"No clusters among {n}"
    none = f", {clustered.n_none:,} in none" if clustered.n_none else ""
    return f"{n} in {count(found, 'cluster')}{none}"


def _lead(clustered: Clustered) -> str:
    assert clustered.map is not None
    what = "Each point is an image; what looks alike to the network lies close together"
    return f"{what}. Map: {clustered.map.how}. Clusters: {clustered.clusters.how}."


def _bar() -> str:
    modes = "".join(
        f'<button type="button" data-mode="{mode}" aria-pressed="false" title="{hint}">{name}</button>'
        for mode, name, hint in (
            ("move", "Move", "Drag moves the map (m)"),
            ("rectangle", "Rectangle", "Drag selects a rectangle (r)"),
            ("lasso", "Lasso", "Drag selects what it goes round (l)"),
        )
    )
    return (
        '<div class="bar" role="toolbar" aria-label="Map">'
        '<div><label for="map-colour">Colour by</label> <select id="map-colour"></select></div>'
        f'<div role="group" aria-label="What dragging does">{modes}</div>'
        '<div><button type="button" id="map-out" aria-label="Zoom out">−</button>'
        '<button type="button" id="map-in" aria-label="Zoom in">+</button>'
        '<button type="button" id="map-fit">Whole map</button></div>'
        '<div><label><input type="checkbox" id="map-pictures"> Pictures</label></div>'
        '<div><input type="search" id="map-find" placeholder="File name" aria-label="Search by file name">'
        '<button type="button" id="map-find-select">Select found</button><span id="map-found" role="status"></span></div></div>'
    )


def _desk(clustered: Clustered) -> str:
    name = text(f"Map of {len(clustered.dataset):,} images; arrow keys move it, n and p go from image to image")
    stage = (
        f'<div class="stage"><canvas id="map-canvas" tabindex="0" role="application" aria-label="{name}"></canvas>'
        '<div id="map-tip" hidden></div></div><p id="map-said" role="status"></p>'
    )
    legend = (
        '<div><h3>Shown <button type="button" id="map-all">all</button></h3><div id="map-legend" role="group" '
        'aria-label="What is shown"></div></div>'
    )
    pinned = '<div><h3>Image</h3><div id="map-pinned"></div></div>'
    return (
        f'<div class="desk">{stage}<aside aria-label="About the map">{legend}{pinned}{_SELECTION}</aside></div>{_KEYS}'
    )


_SELECTION = (
    '<div><h3>Selection</h3><p id="map-selected" role="status"></p><div class="shots" id="map-strip"></div>'
    '<div class="does"><select id="map-action" aria-label="What to do with the selected images">'
    '<option value="relabel">label them</option><option value="drop">leave them out</option></select>'
    '<input type="text" id="map-value" list="map-labels" placeholder="Label" aria-label="Label">'
    '<datalist id="map-labels"></datalist><button type="button" id="map-note">Note for the selected</button>'
    '<button type="button" id="map-clear">Clear the selection</button>'
    '<button type="button" id="map-save">Download selection.csv</button></div>'
    '<p class="soft">What you note and select goes into the list; '
    "<code>tellapart data fix DATA selection.csv -o NEWDATA</code> does what is noted.</p></div>"
)
_KEYS = (
    '<p class="keys">Wheel or <kbd>+</kbd> <kbd>−</kbd> zooms, dragging or arrow keys move, <kbd>0</kbd> shows all. '
    "<kbd>Shift</kbd> with dragging selects, with <kbd>Shift</kbd> in a selecting mode it adds and with <kbd>Alt</kbd> it "
    "takes away. <kbd>n</kbd> <kbd>p</kbd> next and previous image, <kbd>Enter</kbd> the one in the middle, <kbd>Space</kbd> "
    "selects it, <kbd>Esc</kbd> clears. The address holds what you see.</p>"
)


def _clusters(clustered: Clustered) -> str:
    sizes = clustered.clusters.sizes.tolist()
    rows = "".join(_row(clustered, number, size) for number, size in enumerate(sizes[:_MOST_CLUSTERS]))
    if not rows:
        return paragraph("None: no place is denser than another. k-means (--method kmeans) cuts pieces in any case.")
    more = f" (the largest {_MOST_CLUSTERS} of {len(sizes):,})" if len(sizes) > _MOST_CLUSTERS else ""
    agreed = paragraph(f"Against the labels: {clustered.agreed}.") if clustered.agreed else ""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Cluster", "Images", "Typical", "Most unusual", ""))
    return (
        f'{agreed}<p class="caption">The largest first{more}; click a picture to find it on the map</p>'
        f'<div class="scroll" role="region" tabindex="0" aria-label="Clusters"><table class="wide"><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _row(clustered: Clustered, number: int, size: int) -> str:
    shown = clustered.typical(number, _STRIP)
    rest = [row for row in clustered.unusual(number, _STRIP) if row not in shown]
    name = text(unbroken(clustered.names[number].text))
    return (
        f'<tr><th scope="row" class="name">{number + 1}: {name}</th><td class="num">{size:,}</td>'
        f"<td>{_strip(shown)}</td><td>{_strip(rest)}</td>"
        f'<td><button type="button" data-cluster="{number}">Select</button></td></tr>'
    )


def _strip(rows: list[int]) -> str:
    return f'<div class="shots" data-rows="{text(json.dumps(rows))}"></div>'


def _how(clustered: Clustered, pictures: Sprites) -> str:
    n, space = len(clustered.dataset), clustered.pool.space
    seen = f"by {space.backbone} on {space.preprocess}" if space.known else "that came without a description"
    told = [
        f"Vectors of {space.dim:,} numbers, {seen}, brought to length 1 and to {clustered.clusters.points.shape[1]} principal "
        f"components. {_different(clustered)}",
        f"Clusters: {clustered.clusters.how}. A cluster is named by the labels of its images, or where it has none by the "
        "labelled images nearest to it.",
        "On the map, near means alike; how large a gap or a cloud is, and which clouds are neighbours, means little.",
        _pictures(n, pictures),
        f"Seed {clustered.seed}: the same data gives the same page.",
    ]
    return "".join(map(paragraph, filter(None, told)))


def _different(clustered: Clustered) -> str:
    different = clustered.clusters.facts["different_images"]
    if different == len(clustered.dataset):
        return ""
    return f"{count(different, 'image')} are different; near-duplicates of one group count once and share a cluster."


def _pictures(n: int, pictures: Sprites) -> str:
    parts = [f"{count(pictures.n_pictures, 'picture')} of {pictures.side} px"]
    left = n - pictures.n_pictures - pictures.n_gone
    if left:
        parts.append(f"{left:,} more found no room, typical and unusual images and mistakes came first")
    if pictures.n_gone:
        parts.append(f"{pictures.n_gone:,} could not be read")
    return "; ".join(parts) + "."
