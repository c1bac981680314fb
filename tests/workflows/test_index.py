"""Indexes of pictures: built, searched by image, vector, row and condition; near-duplicates; pages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file, model, model_folder, photos

from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError, ModelError, Reason, TellapartError
from tellapart.index.index import Index
from tellapart.index.vectors import Vectors
from tellapart.records import Sample
from tellapart.workflows.embed import embed
from tellapart.workflows.index import add, build_index, describe, find_duplicates, remove, search
from tellapart.workflows.index_page import render, render_groups
from tellapart.workflows.index_queries import remembered


def refused(run: object, *arguments: object, **options: object) -> TellapartError:
    with pytest.raises(TellapartError) as caught:
        run(*arguments, **options)  # type: ignore[operator]
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An index of the photos by the tiny backbone."""
    build_index(tmp_path / "photos.index", photos(), source=backbone_file())
    return tmp_path / "photos.index"


def test_a_picture_finds_itself_and_then_its_like(path: Path) -> None:
    found = search(path, photos() / "red" / "0003.png", k=5)
    (answer,) = found.answers
    assert answer.query == str(photos() / "red" / "0003.png")
    assert answer.hits[0].name == "red/0003.png"
    assert answer.hits[0].similarity == pytest.approx(1, abs=1e-5)
    assert [hit.labels for hit in answer.hits] == ["red"] * 5
    values = [hit.similarity for hit in answer.hits]
    assert values == sorted(values, reverse=True)
    without = search(path, photos() / "red" / "0003.png", k=5, not_itself=True).answers[0]
    assert [hit.name for hit in without.hits[:4]] == [hit.name for hit in answer.hits[1:]]


def test_folders_vectors_and_rows_are_queries_too(path: Path, tmp_path: Path) -> None:
    embed(backbone_file(), photos(), output=tmp_path / "q.parquet")
    found = search(path, [photos() / "blue"], vectors=tmp_path / "q.parquet", like=["green/0001.png"], k=1)
    assert len(found.answers) == 10 + 30 + 1
    assert [one.hits[0].name for one in found.answers[10:40]] == [one.query for one in found.answers[10:40]]
    assert found.answers[-1].query == found.answers[-1].hits[0].name == "green/0001.png"
    opened = search(Index.open(path), Dataset.read(photos() / "blue"), k=1)
    assert [one.hits[0].row for one in opened.answers] == [one.hits[0].row for one in found.answers[:10]]


def test_conditions_hold_for_all_that_is_found(path: Path) -> None:
    found = search(path, photos() / "red" / "0000.png", k=15, where=["label=blue,green", "uri~000"])
    assert {hit.labels for hit in found.answers[0].hits} == {"blue", "green"}
    assert len(found.answers[0].hits) == 15
    none = search(path, photos() / "red" / "0000.png", where=["label=blue", "label=green"])
    assert none.answers[0].hits == ()
    assert list(none.lines()) == [str(photos() / "red" / "0000.png"), "  nothing"]


def test_bad_images_are_listed_and_the_others_answered(path: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    found = search(path, [tmp_path / "bad.png", photos() / "red" / "0000.png"], k=1)
    assert [one.code for one in found.refusals] == ["empty_file"]
    assert [one.hits[0].name for one in found.answers] == ["red/0000.png"]


def test_what_is_asked_wrongly_is_refused(path: Path, tmp_path: Path) -> None:
    assert str(refused(search, path)) == "name what to look for: images, vectors or rows of the index"
    assert str(refused(search, path, like=["red/0000.png"], k=0)) == "k must be 1 or more, got 0"
    assert str(refused(search, path, tmp_path / "none.png")) == f"there is no image or folder {tmp_path / 'none.png'}"
    assert refused(search, path, like=["red/000.png"]).reason is Reason.UNKNOWN_NAME
    error = refused(build_index, tmp_path / "y.index", photos())
    assert str(error) == (
        f"{photos()} holds no vectors; say what makes vectors of its images: a model or a backbone, such as 'builtin'"
    )
    assert refused(build_index, tmp_path / "y.index", photos(), source=backbone_file(), kind="tree").reason is (
        Reason.UNKNOWN_NAME
    )
    assert str(refused(build_index, tmp_path / "y.index", photos(), source=backbone_file(), recall=2)) == (
        "recall is a share above 0, at most 1, got 2"
    )
    assert not (tmp_path / "y.index").exists()


def test_foreign_vectors_and_other_networks_are_refused(path: Path, tmp_path: Path) -> None:
    dim = describe(path)["space"]["dim"]
    np.save(tmp_path / "q.npy", np.ones((2, dim), np.float32))
    error = refused(search, path, vectors=tmp_path / "q.npy")
    assert error.reason is Reason.FOREIGN_VECTORS
    assert str(error).startswith(
        f"{tmp_path / 'q.npy'}: these vectors cannot be compared with the others: the backbone"
    )
    other = backbone_file("decode|upright|fit(24)")
    error = refused(search, path, photos() / "red" / "0000.png", model=other)
    assert error.reason is Reason.FOREIGN_VECTORS
    assert str(error).startswith(f"the images, by {other}: these vectors cannot be compared with the others: ")


def test_an_index_of_vectors_knows_their_backbone_and_sees_as_it_did(tmp_path: Path) -> None:
    spec = "decode|upright|fit(24)"
    vectors = embed(backbone_file(), photos(), preprocess=spec)
    build_index(tmp_path / "x.index", vectors)
    error = refused(search, tmp_path / "x.index", photos() / "red" / "0000.png")
    assert isinstance(error, BackboneError)  # by its name alone it is not to be had
    assert str(error).endswith(f"; the index {tmp_path / 'x.index'} was made with tiny: say where that lies now")
    found = search(tmp_path / "x.index", photos() / "red" / "0000.png", model=backbone_file(), k=1)
    assert found.answers[0].hits[0].similarity == pytest.approx(1, abs=1e-5)
    unknown = Vectors.of(np.eye(4, dtype=np.float32))
    build_index(tmp_path / "u.index", unknown)
    error = refused(search, tmp_path / "u.index", photos() / "red" / "0000.png")
    assert str(error) == (
        f"the index {tmp_path / 'u.index'} was built from vectors that do not say how they were made, so no image can be "
        "turned into one like them; search by vectors"
    )
    np.save(tmp_path / "q.npy", np.eye(4, dtype=np.float32)[:2])
    rows = [one.hits[0].row for one in search(tmp_path / "u.index", vectors=tmp_path / "q.npy", k=1).answers]
    assert rows == [0, 1]


def test_a_model_that_moved_is_named_anew(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(model_folder(), mine)
    build_index(tmp_path / "x.index", photos(), source=mine)
    assert describe(tmp_path / "x.index")["source"]["model"] == "mine"  # beside the index: both may move
    query = photos() / "red" / "0000.png"
    assert search(tmp_path / "x.index", query, k=1).answers[0].hits[0].name == "red/0000.png"
    shutil.move(mine, tmp_path / "theirs")
    error = refused(search, tmp_path / "x.index", query)
    assert isinstance(error, ModelError | BackboneError)
    for moved in (tmp_path / "theirs", model()):
        assert search(tmp_path / "x.index", query, model=moved, k=1).answers[0].hits[0].name == "red/0000.png"


def test_a_name_means_the_backbone_whatever_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "builtin").mkdir()
    vectors = Vectors.of(np.eye(2, dtype=np.float32))
    assert remembered(tmp_path / "x.index", vectors, "builtin") == {}
    assert remembered(tmp_path / "x.index", vectors, "./builtin") == {"model": "builtin"}


def test_a_projection_travels_with_the_index(tmp_path: Path) -> None:
    vectors = embed(backbone_file(), photos(), project="pca:4", save_projection=tmp_path / "p.safetensors")
    build_index(tmp_path / "bare.index", vectors)
    query = photos() / "red" / "0000.png"
    error = refused(search, tmp_path / "bare.index", query, model=backbone_file())
    assert str(error) == (
        f"the vectors of the index {tmp_path / 'bare.index'} went through a projection that it does not hold, so no image can "
        "be turned into one like them; build it with --projection, or search by vectors"
    )
    for number, (data, source) in enumerate([(vectors, None), (photos(), backbone_file())]):
        path = tmp_path / f"{number}.index"
        build_index(path, data, source=source, projection=tmp_path / "p.safetensors")
        add(path, photos() / "red", source=backbone_file())
        found = search(path, query, model=backbone_file(), k=1)
        assert found.answers[0].hits[0].similarity == pytest.approx(1, abs=1e-5)
        assert len([one for one in path.iterdir() if one.suffix == ".safetensors"]) == 1
    plain = embed(backbone_file(), photos())
    assert refused(build_index, tmp_path / "z.index", plain, projection=tmp_path / "p.safetensors").reason is (
        Reason.FOREIGN_VECTORS
    )


def test_images_of_another_folder_are_found_where_they_lie(path: Path, tmp_path: Path) -> None:
    new = write_folders(tmp_path / "new", {"yellow": 2})
    (new / "yellow" / "0000.png").write_bytes(png_bytes(class_picture(3, 70)))
    changed = add(path, new)
    assert (changed.n_added, changed.manifest.n) == (2, 32)
    found = search(path, new / "yellow" / "0000.png", k=1).answers[0].hits[0]
    assert found.name == str((new / "yellow" / "0000.png").resolve())
    assert found.labels == "yellow"
    assert add(path, photos()).n_unchanged == 30
    assert remove(path, [found.name]).manifest.n == 31


def test_near_duplicates_are_groups(path: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    for name in ("a", "b"):
        shutil.copy(photos() / "red" / "0000.png", copies / f"{name}.png")
    shutil.copy(photos() / "blue" / "0001.png", copies / "c.png")
    add(path, Dataset.from_samples([Sample(f"{name}.png") for name in "abc"], root=copies))
    found = find_duplicates(path, above=0.999999)
    groups = [sorted(Path(hit.name).name for hit in group.hits) for group in found.groups]
    assert groups == [["0000.png", "a.png", "b.png"], ["0001.png", "c.png"]]
    assert found.n_pairs == 4
    assert next(found.lines()) == "4 pairs of similarity 0.999999 or more: 5 rows in 2 groups"
    only = find_duplicates(path, above=0.999999, where=["label=red"])
    assert only.groups == ()
    assert str(refused(find_duplicates, path, 1.5)) == "near-duplicates have a similarity above 0, at most 1, got 1.5"


def test_exact_copies_have_a_similarity_of_one(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    build_index(tmp_path / "x.index", Vectors.of(np.concatenate([values, values])))
    assert find_duplicates(tmp_path / "x.index", 1).n_pairs == 50


def test_any_number_of_rows_may_be_asked_for(tmp_path: Path) -> None:
    build_index(tmp_path / "x.index", Vectors.of(np.eye(4, dtype=np.float32), ids=list("abcd")))
    for not_itself in (False, True):
        found = search(tmp_path / "x.index", like=["a"], k=10**15, not_itself=not_itself)
        assert len(found.answers[0].hits) == 4 - not_itself
    remove(tmp_path / "x.index", list("abcd"))
    found = search(tmp_path / "x.index", vectors=Vectors.of(np.eye(4, dtype=np.float32)), k=10**15)
    assert [answer.hits for answer in found.answers] == [()] * 4


def test_more_copies_than_are_looked_at_first_are_all_found(tmp_path: Path) -> None:
    values = np.repeat(np.eye(3, dtype=np.float32), [40, 1, 1], axis=0)
    build_index(tmp_path / "x.index", Vectors.of(values))
    found = find_duplicates(tmp_path / "x.index", 0.99)
    assert (found.n_pairs, [len(group.hits) for group in found.groups]) == (40 * 39 // 2, [40])


def test_pages_show_queries_beside_what_was_found(path: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "<img src=x onerror=alert(1)>.png"
    shutil.copy(photos() / "red" / "0000.png", hostile)
    query = photos() / "red" / "0000.png"
    page = render(Index.open(path), search(path, [hostile, photos() / "blue" / "0000.png"], k=4))
    assert page.count('<img src="data:image/webp') == page.count("<img ") == 2 + 8
    assert page.count('class="badge">query') == 2
    assert "8 pictures found for 2 questions" in page
    assert "onerror=alert(1)&gt;" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    moved = render(Index.open(path), search(path, query, k=4), images=tmp_path / "nowhere")
    assert moved.count("<img ") == 1
    assert moved.count("gone</div>") == 4
    groups = render_groups(Index.open(path), find_duplicates(path, above=0.5))
    assert "that are nearly alike" in groups
    assert groups.count("<img ") == 24
    assert "24 of 30 shown." in groups
    assert "No near-duplicates" in render_groups(
        Index.open(path), find_duplicates(path, above=1.0, where=["uri=red/0000.png"])
    )


def test_times_and_numbers_come_as_json(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    table = pl.DataFrame(
        {"id": ["a", "b"], "captured_at": [datetime(2026, 1, 2, tzinfo=UTC), None], "width": [7.5, float("nan")]}
    )
    build_index(tmp_path / "x.index", Vectors.of(np.eye(2, dtype=np.float32), table=table))
    hits = search(tmp_path / "x.index", like=["a"], k=2).to_json()["answers"][0]["hits"]
    assert hits[0] == {"similarity": 1.0, "id": "a", "captured_at": "2026-01-02 00:00:00+00:00", "width": 7.5}
    assert hits[1] == {"similarity": 0.0, "id": "b", "width": None}


def test_an_index_in_the_way_is_told_before_the_work(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.workflows.index_queries.embed", lambda *_, **__: pytest.fail("embedded"))
    assert refused(build_index, path, photos(), source=backbone_file()).reason is Reason.OUTPUT_EXISTS


def test_a_picture_that_was_changed_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    folder, path = tmp_path / "pictures", tmp_path / "x.index"
    shutil.copytree(photos(), folder)
    build_index(path, folder, source=backbone_file())
    shutil.copy(folder / "blue" / "0000.png", folder / "red" / "0000.png")
    changed = add(path, folder)
    assert (changed.n_added, changed.n_replaced, changed.n_unchanged, changed.manifest.n) == (0, 1, 29, 30)
    found = search(path, folder / "blue" / "0000.png", k=2).answers[0].hits
    assert [hit.similarity for hit in found] == pytest.approx([1, 1], abs=1e-5)
    assert {hit.name for hit in found} == {"blue/0000.png", "red/0000.png"}
    assert sorted(Index.open(path).rows(np.flatnonzero(Index.open(path).live))["uri"].to_list()) == sorted(
        str(one.relative_to(folder)) for one in folder.rglob("*.png")
    )
    assert add(path, folder).n_unchanged == 30
    shutil.copy(photos() / "red" / "0000.png", folder / "red" / "0000.png")  # and back
    assert (add(path, folder).n_replaced, len(Index.open(path))) == (1, 30)


def test_vectors_of_others_with_one_uri_and_many_ids_are_all_kept(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": ["a", "b"], "uri": ["film.mp4", "film.mp4"]})
    build_index(tmp_path / "x.index", Vectors.of(np.eye(2, dtype=np.float32), table=table))
    table = table.with_columns(id=pl.Series(["c", "d"]))
    assert add(tmp_path / "x.index", Vectors.of(np.eye(2, dtype=np.float32), table=table)).n_added == 2
