"""`tellapart index`: from the command line, with conditions, lists and pages."""

from __future__ import annotations

import functools
import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from tests.builders import write_folders
from tests.classifier.models import backbone_file, model_folder, photos, workbench
from tests.cli.command import run, start

from tellapart.index.index import Index
from tellapart.index.manifest import MANIFEST, read_manifest


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@functools.cache
def whole() -> Path:
    """An index of the photos, made once."""
    path = workbench() / "photos.index"
    ran = run("index", "build", path, photos(), "--from", backbone_file())
    assert ran.out.splitlines() == [
        f"index     {path}: 30 rows, generation 1",
        "rows      30 added",
        "segment   flat: 30 rows",
    ]
    return path


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A copy of it, somewhere else."""
    shutil.copytree(whole(), tmp_path / "x.index")
    value = json.loads((tmp_path / "x.index" / MANIFEST).read_text())
    value["source"] = {name: str(workbench() / place) for name, place in value["source"].items()}
    (tmp_path / "x.index" / MANIFEST).write_text(json.dumps(value))
    return Path("x.index")


def test_vectors_become_an_index_that_says_what_it_is() -> None:
    assert run("embed", model_folder(), photos(), "-o", "v.parquet").code == 0
    ran = run("index", "build", "x.index", "v.parquet", "--kind", "hnsw", "--json")
    assert (ran.json["added"], ran.json["rows"], ran.json["generation"]) == (30, 30, 1)
    (segment,) = ran.json["segments"]
    assert (segment["kind"], segment["rows"], segment["links"]) == ("hnsw", 30, 16)
    assert segment["recall"] > 0.9
    shown = run("index", "show", "x.index")
    lines = shown.out.splitlines()
    assert lines[0].startswith("index     x.index: 30 rows, generation 1, 0.0 MB")
    assert lines[1].endswith("on decode|upright|fit(32)")
    assert lines[3] == "columns   id, uri, labels, group, split"
    assert lines[4].startswith("segment   hnsw: 30 rows, recall 1.000 ± 0.000")
    assert run("index", "show", "x.index", "--json").json["space"]["normalised"] is True
    assert run("index", "verify", "x.index").out == "3 files, all as written\n"
    assert run("index", "verify", "x.index", "--json").json == {"index": "x.index", "files": 3, "whole": True}


def test_a_search_prints_what_it_found(built: Path) -> None:
    query = photos() / "red" / "0003.png"
    ran = run("index", "search", built, query, "-k", 2, "--where", "label=red", "--html", "page.html")
    lines = ran.out.splitlines()
    assert lines[:2] == [str(query), "  1.0000  red  red/0003.png"]
    assert len(lines) == 3
    assert ran.err == "page      page.html\n"
    assert Path("page.html").read_text().count("<img ") == 3
    found = run("index", "search", built, query, "-k", 2, "--not-itself", "--json").json
    assert found["refused"] == []
    (answer,) = found["answers"]
    assert [hit["uri"] for hit in answer["hits"]] != ["red/0003.png"]
    assert list(answer["hits"][0])[:3] == ["similarity", "id", "uri"]
    alike = run("index", "search", built, "--like", "red/0003.png", "-k", 1).out
    assert alike == "red/0003.png\n  1.0000  red  red/0003.png\n"


def test_rows_come_and_go(built: Path) -> None:
    write_folders(Path("more"), {"yellow": 3})
    assert run("index", "add", built, "more", "--from", backbone_file()).out.splitlines()[1] == "rows      3 added"
    assert run("index", "add", built, "more").out.splitlines()[1] == "rows      3 unchanged"
    Path("list.txt").write_text("blue/0000.png\nblue/0001.png\n\n")
    ran = run("index", "remove", built, "red/0000.png", "--list", "list.txt", "--where", "label=yellow", "--json")
    assert (ran.json["removed"], ran.json["rows"]) == (6, 27)
    again = run("index", "remove", built, "red/0000.png")
    assert (again.code, again.out) == (2, "")
    assert "no row of the index x.index has the id or uri 'red/0000.png'" in again.err
    assert again.err.endswith("nothing was done [unknown_name]\n")
    assert (
        run("index", "remove", built, "red/0000.png", "--missing-ok").out.splitlines()[1] == "rows      nothing to do"
    )
    assert run("index", "remove", built, "--list", "none.txt").err == (
        "error: there is no file none.txt [dataset_not_found]\n"
    )


def test_near_duplicates_are_listed(built: Path) -> None:
    Path("copies").mkdir()
    shutil.copy(photos() / "red" / "0000.png", "copies/copy.png")
    run("index", "add", built, "copies")
    ran = run("index", "duplicates", built, "--above", 0.999999, "--html", "page.html")
    lines = ran.out.splitlines()
    assert lines[:3] == [
        "1 pair of similarity 0.999999 or more: 2 rows in 1 group",
        "group 1",
        "  1.0000  red  red/0000.png",
    ]
    assert lines[3].endswith("copies/copy.png")
    assert "Group 1: 2 pictures" in Path("page.html").read_text()
    found = run("index", "duplicates", built, "--above", 0.999999, "--json").json
    assert (found["pairs"], len(found["groups"]), len(found["groups"][0])) == (1, 1, 2)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("search", "none.index", "a.png"), 1, "there is no index at none.index (no file index.json)"),
        (("build", "x.index", "v.npy"), 1, "there is an index at x.index; add to it, choose another name or allow overwriting"),
        (("build", "y.index", "v.npy", "--kind", "tree"), 2, "there is no index of kind 'tree' (known: auto, flat, hnsw, ivf"),
        (("search", "x.index", "--where", "splt=train", "--like", "0"), 2, "no column 'splt'; did you mean 'split'?"),
        (("search", "x.index", "--where", "split", "--like", "0"), 2, "a condition is written COLUMN=VALUE"),
        (("search", "x.index"), 2, "name what to look for: images, vectors or rows of the index"),
        (("add", "x.index", "w.npy"), 1, "they have 5 numbers each, expected 4"),
    ],
)  # fmt: skip
def test_mistakes_are_told(arguments: tuple[str, ...], code: int, message: str) -> None:
    np.save("v.npy", np.eye(4, dtype=np.float32))
    np.save("w.npy", np.eye(5, dtype=np.float32))
    assert run("index", "build", "x.index", "v.npy").code == 0
    ran = run("index", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert read_manifest(Path("x.index")).generation == 1


def test_ctrl_c_leaves_no_index_and_no_half_one(tmp_path: Path) -> None:
    np.save("v.npy", np.random.default_rng(0).normal(size=(10_000, 32)).astype(np.float32))
    process = start("index", "build", "x.index", "v.npy", "--kind", "hnsw", cache=tmp_path / "cache")
    until = time.monotonic() + 30
    while not Path("x.index/s000001").is_dir() and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    if process.returncode == 130:
        assert error.decode().endswith("interrupted: nothing was half-written\n")
        assert not Path("x.index", MANIFEST).exists()
    else:  # it was done before
        assert len(Index.open("x.index")) == 10_000
    assert run("index", "build", "x.index", "v.npy", "--kind", "flat", "--overwrite").code == 0
    assert {one.name for one in Path("x.index").iterdir()} == {
        MANIFEST,
        read_manifest(Path("x.index")).segments[0].name,
    }


def test_the_index_is_json_for_people_too(built: Path) -> None:
    value = json.loads((built / MANIFEST).read_text())
    assert (value["tellapart"], value["metric"], value["n"], value["kind"]) == ("index", "cosine", 30, "auto")
