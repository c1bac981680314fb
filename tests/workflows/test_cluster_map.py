"""The map as a page: it stands alone, holds every image, and nothing in a name can run."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.builders import class_picture, png_bytes
from tests.classifier.models import model_folder
from tests.clusters.clouds import clouds

from tellapart.data.repair.fixes import read_fixes
from tellapart.index.vectors import Vectors
from tellapart.workflows.cluster import cluster
from tellapart.workflows.cluster_map import page as page_module
from tellapart.workflows.cluster_map import sprites as sprites_module
from tellapart.workflows.cluster_map.page import render
from tellapart.workflows.cluster_map.sprites import chosen
from tellapart.workflows.cluster_result import Clustered

EVIL = ['<img src=x onerror="alert(1)">', "</script><script>alert(2)</script>", "a'b\"c&d", "ü\u2028\u202e", "=1+1"]


def made(n: int = 24, root: Path | None = None, **options: Any) -> Clustered:
    """`n` images in two clouds; where there is a root, their files lie there."""
    import polars as pl

    vectors, _ = clouds(n // 2, n - n // 2)
    names = [EVIL[i] if i < len(EVIL) else f"{i}.png" for i in range(n)]
    if root is not None:
        names = [f"{i}.png" for i in range(n)]
        for i, name in enumerate(names):
            (root / name).write_bytes(png_bytes(class_picture(i % 2, i, 16)))
    labels = [EVIL[1] if i < n // 2 else "ok" for i in range(n)]
    table = pl.DataFrame({"id": names, "uri": names, "label": labels})
    given = Vectors.of(vectors, table=table)
    return cluster(given, images=root, **{"k": min(2, n), "layout": "pca", **options})


def block(html: str, key: str) -> Any:
    """The data of a script block, as a browser would find it."""
    found = re.search(rf'<script type="application/json" id="{key}">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


class Reader(HTMLParser):
    """Every element with its attributes, and which were left open."""

    VOID = ("meta", "input", "br", "img", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    html = render(made(), title="Clusters: x")
    reader = Reader(html)
    assert reader.open == []
    assert "<title>Clusters: x</title>" in html
    for tag, attributes in reader.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert not {"src", "href", "action", "srcset"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert not re.search(
        r"https?://(?!personal\.sron\.nl)|@import|url\(|\bfetch\(|XMLHttpRequest|innerHTML|eval\(", html
    )


def test_only_the_script_of_the_page_runs() -> None:
    html = render(made())
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(sha256(scripts[0].encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert f'content="{policy}"' in html


def test_every_part_of_the_script_is_in_it() -> None:
    parts = {path.stem for path in Path(page_module.__file__).parent.glob("*.js")}
    assert parts == set(page_module._SCRIPTS)
    asked = set(re.findall(r'\$\("([\w-]+)"\)', page_module._script()))
    found = {attributes.get("id") for _, attributes in Reader(render(made())).elements}
    assert asked - found == set()


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_is_a_script(tmp_path: Path) -> None:
    path = tmp_path / "map.js"
    path.write_text(page_module._script(), encoding="utf-8")
    done = subprocess.run(["node", "--check", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Just enough of a browser for the parts of the script that draw nothing.
BROWSER = """
const element = { addEventListener() {}, value: "", textContent: CONTENT };
const document = { getElementById: () => element };
const addEventListener = () => {};
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_list_that_the_page_writes_is_read_by_data_fix(tmp_path: Path) -> None:
    found = made()
    content = json.dumps(json.dumps(block(render(found), "map-data")))
    parts = [page_module._own(f"{name}.js") for name in ("data", "export")]
    act = """
    for (let i = 0; i < 6; i++) state.selected.add(i);
    state.notes.set(0, { action: "relabel", value: "-new, \\"label\\"" });
    state.notes.set(2, { action: "drop", value: "" });
    process.stdout.write(csvText());
    """
    script = "\n".join([BROWSER.replace("CONTENT", content), *parts, act])
    done = subprocess.run(["node", "-e", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    (tmp_path / "selection.csv").write_bytes(done.stdout)
    fixes = read_fixes(tmp_path / "selection.csv")
    assert [fix.uri for fix in fixes] == [*EVIL, "5.png"]
    assert [(fix.action, fix.value) for fix in fixes if fix.accept] == [
        ("relabel", '-new, "label"'),
        ("drop", ""),
    ]
    assert {fix.was for fix in fixes} == {EVIL[1]}
    assert [fix.id for fix in fixes] == list(found.dataset.ids[:6])


def test_names_are_only_text() -> None:
    found = made()
    html = render(found)
    for evil in EVIL[:3]:
        assert evil not in html
    data = block(html, "map-data")
    assert data["uri"][: len(EVIL)] == EVIL
    assert EVIL[1] in next(field for field in data["fields"] if field["key"] == "label")["names"]
    assert f"all {EVIL[1]}" in [name.text for name in found.names]
    assert "all &lt;/script&gt;&lt;script&gt;alert(2)&lt;/script&gt;" in html


def test_every_image_has_its_values() -> None:
    found = made(30)
    data = block(render(found), "map-data")
    assert len(data["uri"]) == len(data["x"]) == len(data["y"]) == len(data["distance"]) == 30
    assert [field["key"] for field in data["fields"]] == ["cluster", "label", "unusual"]
    for field in data["fields"]:
        assert len(field["of"]) == 30
        assert all(-1 <= of < len(field["names"]) for of in field["of"])
    (cluster_field,) = (field for field in data["fields"] if field["key"] == "cluster")
    assert cluster_field["of"] == found.clusters.of.tolist()
    assert max(map(abs, data["x"] + data["y"])) <= 1


def test_a_model_adds_its_answers(tmp_path: Path) -> None:
    from tests.builders import write_folders

    root = write_folders(tmp_path / "parts", {"blue": 4, "green": 4})
    (root / "blue/0001.png").rename(root / "green/swapped.png")
    data = block(render(cluster(root, model=model_folder(), k=2, workers=2), workers=2), "map-data")
    fields = {field["key"]: field for field in data["fields"]}
    assert set(fields) == {"cluster", "label", "split", "mistake", "prediction", "confidence", "unusual"}
    of = fields["mistake"]["of"][data["uri"].index("green/swapped.png")]
    assert fields["mistake"]["names"][of] == "wrong"
    assert all(0 <= value <= 1 for value in data["confidence"])


def test_pictures_stand_where_the_page_looks_for_them(tmp_path: Path) -> None:
    found = made(70, tmp_path)
    html = render(found, workers=2)
    sprites, sheets = block(html, "map-data")["sprites"], block(html, "map-sheets")
    side, columns, per_sheet = sprites["side"], sprites["columns"], sprites["per_sheet"]
    assert (side, columns, per_sheet, len(sheets)) == (128, 8, 64, 2)
    opened = [np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet))).convert("RGB")) for sheet in sheets]
    for row in (0, 1, 9, 63, 64, 69):
        place = sprites["place"][row]
        sheet, place = divmod(place, per_sheet)
        top, left = place // columns * side, place % columns * side
        tile = opened[sheet][top : top + side, left : left + side]
        assert tile.shape == (128, 128, 3)
        expected = class_picture(row % 2, row, 16).reshape(-1, 3).mean(axis=0)
        assert np.abs(tile.reshape(-1, 3).mean(axis=0) - expected).max() < 6
    assert "70 pictures of 128 px." in html


def test_pictures_that_are_gone_are_counted(tmp_path: Path) -> None:
    found = made(12, tmp_path)
    (tmp_path / "3.png").unlink()
    html = render(found)
    assert block(html, "map-data")["sprites"]["place"][3] == -1
    assert "11 pictures of 128 px; 1 could not be read." in html


def test_without_images_there_are_points_alone() -> None:
    html = render(made(12))
    assert block(html, "map-sheets") == []
    assert set(block(html, "map-data")["sprites"]["place"]) == {-1}


def test_where_room_is_short_typical_ones_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(60, tmp_path)
    monkeypatch.setattr(sprites_module, "MOST_PICTURES", 20)
    monkeypatch.setattr(sprites_module, "_TYPICAL", 3)
    monkeypatch.setattr(sprites_module, "_SIDES", ((20, 64),))
    rows = chosen(found, 20)
    assert len(rows) == len(set(rows)) == 20
    assert set(found.typical(0, 3) + found.unusual(1, 3)) <= set(rows)
    html = render(found)
    assert "20 pictures of 64 px; 40 more found no room, typical and unusual images and mistakes came first." in html


def test_the_page_stays_within_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(130, tmp_path)
    monkeypatch.setattr(sprites_module, "MOST_BYTES", 1)
    assert "64 pictures of 128 px; 66 more found no room" in render(found)


def test_each_cluster_shows_what_it_is() -> None:
    found = made(40)
    strips = re.findall(r'data-rows="(.*?)"', render(found))
    assert [json.loads(strip) for strip in strips[::2]] == [found.typical(0, 6), found.typical(1, 6)]
    assert all(json.loads(strip) for strip in strips)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_images_make_a_page(n: int) -> None:
    html = render(made(n))
    assert Reader(html).open == []
    assert len(block(html, "map-data")["x"]) == n


def test_no_clusters_are_told() -> None:
    vectors = Vectors.of(np.eye(6, dtype=np.float32))
    html = render(cluster(vectors, method="hdbscan", layout="pca"))
    assert "No clusters among 6 images" in html
    assert "None: no place is denser than another." in html


def test_near_duplicates_are_told() -> None:
    vectors = Vectors.of(np.repeat(np.eye(4, dtype=np.float32), 3, axis=0))
    assert "4 images are different; near-duplicates of one group count once" in render(cluster(vectors, k=2))


def test_a_page_needs_a_map() -> None:
    with pytest.raises(ValueError, match="these clusters have no map"):
        render(made(layout=None))


def test_the_page_is_the_same_again() -> None:
    assert render(made(seed=3)) == render(made(seed=3))
