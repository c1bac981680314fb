"""What the script of the page knows about every image: plain lists, one value per image."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.repair.applying import keys_of
from tellapart.workflows.cluster_map.sprites import Sprites
from tellapart.workflows.cluster_result import Clustered

_CONFIDENCE = (
    (0.5, "below 0.5"),
    (0.7, "0.5 to 0.7"),
    (0.9, "0.7 to 0.9"),
    (0.99, "0.9 to 0.99"),
    (np.inf, "above 0.99"),
)
_DISTANCE = (
    (0.9, "near the centre"), (1.0, "inner half"), (1.15, "outer half"), (1.35, "far out"), (np.inf, "very unusual")
)  # fmt: skip


def content(clustered: Clustered, sprites: Sprites) -> dict[str, Any]:
    """Plain JSON values. `fields` are what points can be coloured by: `of` is the number of a name, or -1 for `none`."""
    assert clustered.map is not None
    keys = keys_of(clustered.dataset)
    told = clustered.told
    return {
        "uri": [uri for uri, _ in keys],
        "region": [region for _, region in keys],
        "id": list(clustered.dataset.ids),
        "label": clustered.labels,
        "x": [round(float(x), 4) for x in clustered.map.xy[:, 0]],
        "y": [round(float(y), 4) for y in clustered.map.xy[:, 1]],
        "distance": [None if np.isnan(far) else round(float(far), 3) for far in clustered.far],
        "confidence": None if told is None else [round(float(value), 4) for value in told.confidence],
        "fields": _fields(clustered),
        "sprites": {
            "side": sprites.side,
            "columns": sprites.columns,
            "per_sheet": sprites.per_sheet,
            "place": sprites.place.tolist(),
        },
    }


def _fields(clustered: Clustered) -> list[dict[str, Any]]:
    names = [f"{number}: {unbroken(name.text)}" for number, name in enumerate(clustered.names, 1)]
    cluster = _field("cluster", "cluster", names, clustered.clusters.of.tolist(), "no cluster")
    fields = [cluster]
    if any(label is not None for label in clustered.labels):
        fields.append(_named("label", "label", clustered.labels, "unlabelled"))
    if any(clustered.dataset.splits):
        fields.append(_named("split", "split", clustered.dataset.splits, "no split"))
    told = clustered.told
    if told is not None:
        verdicts = ["right", "wrong", "unknown", "unlabelled"]
        of = [verdicts.index(one) for one in told.verdicts]
        fields.append(_field("mistake", "right or wrong", verdicts, of, "") | {"scale": "verdict"})
        fields.append(_named("prediction", "answer", told.names, ""))
        fields.append(_banded("confidence", "confidence", told.confidence, _CONFIDENCE))
    fields.append(_banded("unusual", "how unusual", clustered.far.astype(np.float64), _DISTANCE))
    return fields


def _field(key: str, title: str, names: Sequence[str], of: Sequence[int], none: str) -> dict[str, Any]:
    return {"key": key, "title": title, "names": list(names), "of": list(of), "none": none, "scale": "names"}


def _named(key: str, title: str, values: Sequence[str | None], none: str) -> dict[str, Any]:
    names = sorted({value for value in values if value is not None})
    place = {name: i for i, name in enumerate(names)}
    return _field(key, title, names, [-1 if value is None else place[value] for value in values], none)


def _banded(key: str, title: str, values: NDArray[np.float64], bands: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Numbers in five steps; the script shows the numbers themselves beside the picture."""
    edges = [edge for edge, _ in bands[:-1]]
    of = [-1 if np.isnan(value) else int(np.searchsorted(edges, value, side="right")) for value in values]
    field = _field(key, title, [name for _, name in bands], of, "not known")
    return field | {"scale": "steps", "banded": True}


def unbroken(name: str) -> str:
    """A number and its sign on one line."""
    return name.replace(" %", "\N{NO-BREAK SPACE}%")


def as_script(key: str, value: Any) -> str:
    """A block of JSON for the page's script; no text in it can end the block or begin another."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return f'<script type="application/json" id="{key}">{text}</script>'


def sheets_as_script(sprites: Sprites) -> str:
    """The sheets of pictures as base64."""
    return as_script("map-sheets", [base64.b64encode(sheet).decode("ascii") for sheet in sprites.sheets])
