"""`tellapart cluster`: a short report, a map, a list."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import write_folders
from tests.classifier.models import backbone_file, model_folder
from tests.cli.command import run


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return write_folders(Path("parts"), {"blue": 10, "red": 8})


def test_the_report_names_the_clusters_and_the_map_is_written(parts: Path) -> None:
    ran = run("cluster", parts, "--backbone", backbone_file(), "--k", 2, "--layout", "pca", "--csv", "c.csv")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "data      18 images seen: 18 used, 18 of them labelled, 0 refused",
        "clusters  2, by k-means, 2 clusters as asked for",
        "            1  10 images  all blue",
        "            2  8 images  all red",
        "labels    purity 1.00 (all in one cluster: 0.56), adjusted Rand index 1.00, normalised mutual information 1.00, on "
        "18 labelled images",
        "map       the first two principal components",
    ]
    assert ran.err.splitlines() == ["map     parts-map.html", "list    c.csv: 18 images"]
    assert "<title>Clusters: parts</title>" in Path("parts-map.html").read_text(encoding="utf-8")
    assert len(Path("c.csv").read_text(encoding="utf-8").splitlines()) == 19


def test_vectors_are_taken_as_they_are(parts: Path) -> None:
    assert run("embed", backbone_file(), parts, "-o", "v.parquet").code == 0
    ran = run("cluster", "v.parquet", "--format", "csv", "--regions")
    assert ran.code == 2
    assert ran.err == (
        "error: v.parquet holds vectors, which are read in one way only: leave out --format, --regions [bad_setting]\n"
    )
    ran = run("cluster", "v.parquet", "-o", "m.html", "--k", 2, "--json")
    assert [one["name"] for one in ran.json["clusters"]] == ["all blue", "all red"]
    assert "18 pictures of 128 px." in Path("m.html").read_text(encoding="utf-8")


def test_without_a_layout_nothing_is_drawn(parts: Path) -> None:
    ran = run("cluster", parts, "--model", model_folder(), "--layout", "none", "--json")
    assert (ran.code, ran.json["map"]) == (0, None)
    # What is called red here is what the model knows as green.
    assert ran.json["answers"] == {"right": 10, "wrong": 8, "unknown": 0, "unlabelled": 0}
    assert not list(Path().glob("*.html"))


def test_wrong_usage_ends_with_2(parts: Path) -> None:
    ran = run("cluster", parts, "--method", "hdbscan", "--k", 3, "--backbone", backbone_file())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("give the smallest size, or take kmeans [bad_setting]\n")
    ran = run("cluster", parts, "--layout", "none", "-o", "m.html")
    assert (ran.code, ran.out) == (2, "")
    assert (
        ran.err == "error: a map needs a layout: leave out --output, or name another layout than none [bad_setting]\n"
    )


def test_a_map_that_cannot_be_written_leaves_nothing(parts: Path) -> None:
    ran = run("cluster", parts, "--backbone", backbone_file(), "--k", 2, "--layout", "pca", "-o", "none/m.html")
    assert ran.code == 1
    assert ran.err.endswith("[write_failed]\n")


def test_what_is_not_there_is_refused(parts: Path) -> None:
    ran = run("cluster", "gone.npy")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("[dataset_not_found]\n")
