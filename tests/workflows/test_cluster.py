"""Clusters of a data set, of vectors and of a model's images: what is told, what is written, what is refused."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file, model, model_folder, photos
from tests.clusters.clouds import clouds

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.index.vectors import Vectors
from tellapart.workflows.cluster import cluster
from tellapart.workflows.cluster_result import CSV_COLUMNS, Clustered
from tellapart.workflows.cluster_source import holds_vectors
from tellapart.workflows.embed import embed


def of_vectors(*sizes: int, labelled: bool = True, **options: object) -> Clustered:
    import polars as pl

    vectors, names = clouds(*sizes)
    uris = [f"{i}.png" for i in range(len(names))]
    table = pl.DataFrame({"id": uris, "uri": uris, "label": names if labelled else [None] * len(names)})
    return cluster(Vectors.of(vectors, table=table), **options)  # type: ignore[arg-type]


def test_images_are_embedded_and_grouped_by_what_they_show(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "parts", {"blue": 12, "red": 9})
    for seed in range(50, 54):
        (root / f"{seed}.png").write_bytes(png_bytes(class_picture(0, seed)))
    (root / "bad.png").write_bytes(b"no image")
    found = cluster(root, backbone=backbone_file(), k=2, layout="pca", cache_dir=tmp_path / "cache", workers=2)
    assert [name.text for name in found.names] == ["all blue", "all red"]
    assert found.clusters.sizes.tolist() == [16, 9]
    assert found.agreement is not None
    assert (found.agreement.n, found.agreement.purity, found.agreement.adjusted_rand) == (21, 1.0, 1.0)
    assert found.lines()[:5] == [
        "data      25 images seen: 25 used, 21 of them labelled, 0 refused"
        if not found.dataset.refusals
        else "data      26 images seen: 25 used, 21 of them labelled, 1 refused",
        *(f"refused   {one.sentence}" for one in found.dataset.refusals),
        "clusters  2, by k-means, 2 clusters as asked for",
        "            1  16 images  all blue",
        "            2  9 images  all red",
    ]
    assert found.told is None


def test_a_model_tells_its_mistakes(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "parts", {"blue": 6, "green": 6})
    (root / "blue/0001.png").rename(root / "green/swapped.png")
    found = cluster(root, model=model_folder(), k=2, layout=None, workers=2)
    assert found.told is not None
    wrong = [uri for uri, verdict in zip(found.dataset.uris, found.told.verdicts, strict=True) if verdict == "wrong"]
    assert wrong == ["green/swapped.png"]
    assert found.told.counts() == {"right": 11, "wrong": 1, "unknown": 0, "unlabelled": 0}
    assert found.lines()[-1] == "answers   11 right, 1 wrong, 0 not answered, 0 unlabelled"
    image = found.to_json()["images"][found.dataset.uris.index("green/swapped.png")]
    assert (image["label"], image["predicted"], image["split"] in ("train", "val", "test")) == ("green", "blue", True)
    assert "x" not in image


def test_vectors_of_a_file_do_as_well(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    vectors = embed(str(backbone_file()), photos(), output=path, workers=2)
    assert holds_vectors(path)
    found, again = cluster(path, k=3, layout="pca"), cluster(vectors, k=3, layout="pca")
    assert np.array_equal(found.clusters.of, again.clusters.of)
    assert sorted(name.text for name in found.names) == ["all blue", "all green", "all red"]
    assert found.dataset.bytes_of(0)
    assert found.pool.spec is not None


def test_raw_vectors_of_the_model_give_its_answers(tmp_path: Path) -> None:
    raw = embed(str(model_folder()), photos(), normalise=False, workers=2)
    found = cluster(raw, model=model(), k=3, layout=None)
    assert found.told is not None
    assert found.told.counts()["right"] == 30
    normalised = embed(str(model_folder()), photos(), workers=2)
    told = r"^these vectors: these vectors cannot be compared with the others: they have length 1, expected their own length"
    with pytest.raises(DataError, match=told) as caught:
        cluster(normalised, model=model())
    assert caught.value.reason is Reason.FOREIGN_VECTORS


def test_the_same_seed_gives_the_same_everything() -> None:
    first, second = (of_vectors(20, 15, 10, seed=4).to_json() for _ in range(2))
    assert first.pop("seconds") >= 0
    assert second.pop("seconds") >= 0
    assert first == second


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_images(n: int) -> None:
    found = of_vectors(n)
    assert found.clusters.n_clusters == 1
    assert found.map is not None
    assert found.map.kind == "pca"
    assert [image["cluster"] for image in found.to_json()["images"]] == [1] * n


def test_unlabelled_images_are_only_numbered() -> None:
    found = of_vectors(20, 15, labelled=False)
    assert [name.text for name in found.names] == ["cluster 1", "cluster 2"]
    assert (found.agreement, found.agreed, found.to_json()["agreement"]) == (None, "", None)


def test_json_holds_every_image_and_every_cluster() -> None:
    value = of_vectors(20, 15, 10).to_json()
    assert [one["images"] for one in value["clusters"]] == [20, 15, 10]
    assert all(len(one["typical"]) == 5 and len(one["unusual"]) == 5 for one in value["clusters"])
    assert value["clusters"][1]["label"] == "c1"
    assert set(value["images"][0]) == set(CSV_COLUMNS) - {"predicted", "confidence"}
    assert value["map"] == {"layout": "tsne", "how": "t-SNE"}
    assert value["none"] == 0


def test_the_list_is_safe_to_open_in_a_spreadsheet(tmp_path: Path) -> None:
    import polars as pl

    vectors, _ = clouds(6, 6)
    names = ["=1+1", "-x", 'a,"b"', *[f"{i}" for i in range(9)]]
    table = pl.DataFrame({"id": names, "uri": names, "label": ["@cmd"] * 12})
    found = cluster(Vectors.of(vectors, table=table), k=2, layout=None)
    found.write_csv(tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == CSV_COLUMNS
    assert [row[0] for row in rows[:3]] == ["'=1+1", "'-x", 'a,"b"']
    assert rows[0][2] == "'@cmd"
    assert {row[4] for row in rows} == {"1", "2"}


def test_none_of_several_labels_is_a_label(tmp_path: Path) -> None:
    import polars as pl

    vectors, _ = clouds(4, 4)
    table = pl.DataFrame({"labels": [["a", "b"]] * 4 + [[]] * 3 + [None]})
    found = cluster(Vectors.of(vectors, table=table), k=2, layout=None)
    assert found.labels == ["a|b"] * 4 + ["(none)"] * 3 + [None]
    assert sorted(name.text for name in found.names) == ["all (none)", "all a|b"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"backbone": "builtin"}, "these are vectors already: leave out the backbone, or name the images instead"),
        (
            {"preprocess": "decode|upright|fit(32)"},
            "these are vectors already: leave out the preprocessing, or name the images instead",
        ),
        ({"model": 1, "backbone": "builtin"}, "a model has its own backbone: name one of them"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, object], told: str) -> None:
    if "model" in options:
        options = {**options, "model": model()}
    with pytest.raises(SettingsError, match=f"^{re.escape(told)}$") as caught:
        of_vectors(4, **options)
    assert caught.value.reason is Reason.BAD_SETTING


def test_a_data_set_is_no_file_of_vectors(tmp_path: Path) -> None:
    Dataset.read(photos()).to_parquet(tmp_path / "d.parquet")
    assert not holds_vectors(tmp_path / "d.parquet")
    assert not holds_vectors(photos())
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    assert not holds_vectors(tmp_path / "broken.parquet")
    assert holds_vectors(tmp_path / "any.npy")


def test_no_vectors_are_refused(tmp_path: Path) -> None:
    empty = of_vectors(2)
    vectors = Vectors.of(np.ones((2, 4), np.float32)).subset(np.zeros(2, bool))
    with pytest.raises(DataError, match=r"^there are no vectors to put into clusters$") as caught:
        cluster(vectors)
    assert caught.value.reason is Reason.DATASET_EMPTY
    assert len(empty.dataset) == 2
