"""Projections learned on a data set's vectors, kept and applied."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file
from tests.builders import write_folders
from tests.classifier.models import backbone_file, photos

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, ModelError, Reason, SettingsError, TellapartError
from tellapart.heads.components import fit_pca
from tellapart.index.space import Space
from tellapart.index.vectors import Vectors
from tellapart.workflows.embed import embed
from tellapart.workflows.projecting import METADATA_KEY, LearnedProjection
from tellapart.workflows.projection_learning import MOST_LEARNED_FROM, Plan, chosen_to_learn, learn_projection
from tellapart.workflows.vectorising import Vectorised

SPACE = Space("net", "ab" * 32, "decode|upright|fit(64)", "cd" * 32, "", True, 12)


def images(n: int = 120, k: int = 6, split: list[str | None] | None = None, seed: int = 0) -> Vectorised:
    """Vectors of k labels that quiet directions tell apart, and thumbnails of noise, each its own group."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    x = (rng.standard_normal((n, 12)) * np.r_[np.full(6, 2.0), np.full(6, 0.2)]).astype(np.float32)
    x[:, 6:] += np.eye(6, dtype=np.float32)[y]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    table = pl.DataFrame(
        {
            "id": [f"{i:064x}" for i in range(n)],
            "labels": [[f"label {c}"] for c in y],
            "uri": [str(i) for i in range(n)],
        }
    )
    table = table.with_columns(pl.Series("split", split or [None] * n, pl.String))
    thumbnails = rng.integers(0, 256, (n, 64, 64)).astype(np.uint8)
    return Vectorised(Vectors.of(x, SPACE, table=table), np.arange(n), thumbnails)


def learned() -> LearnedProjection:
    return LearnedProjection(fit_pca(images().vectors.vectors, 3), SPACE, {"kind": "pca"})


def refused(*arguments: object, **options: object) -> TellapartError:
    with pytest.raises(TellapartError) as caught:
        embed(*arguments, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("text", ["pca:3", "pca-whitened:3", "supcon:3"])
def test_what_is_kept_makes_the_same_vectors_again(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "p.safetensors"
    vectors = embed(backbone_file(), photos(), project=text, save_projection=kept, output=tmp_path / "v.parquet")
    assert vectors.vectors.shape == (30, 3)
    np.testing.assert_allclose(np.linalg.norm(vectors.vectors, axis=1), 1, rtol=1e-5)
    again = embed(backbone_file(), photos(), projection=kept)
    np.testing.assert_allclose(again.vectors, vectors.vectors, atol=1e-6)
    again.space.check_same(Vectors.read(tmp_path / "v.parquet").space, "v")
    assert again.facts["projection"] == vectors.facts["projection"]
    own = embed(backbone_file(), photos())
    np.testing.assert_allclose(LearnedProjection.read(kept).apply(own).vectors, vectors.vectors, atol=1e-6)


def test_not_normalised_goes_in_and_comes_out(tmp_path: Path) -> None:
    kept = tmp_path / "p.safetensors"
    vectors = embed(backbone_file(), photos(), project="pca:3", normalise=False, save_projection=kept)
    own = embed(backbone_file(), photos(), normalise=False)
    distance = np.linalg.norm(own.vectors[0] - own.vectors[1])
    assert np.linalg.norm(vectors.vectors[0] - vectors.vectors[1]) <= distance * (1 + 1e-5)
    again = embed(backbone_file(), photos(), projection=kept, normalise=False)
    np.testing.assert_allclose(again.vectors, vectors.vectors, rtol=1e-4, atol=1e-5)
    assert not again.space.normalised


def test_a_backbone_sees_images_as_the_projection_wants_them(tmp_path: Path) -> None:
    kept = tmp_path / "p.safetensors"
    embed(backbone_file(), photos(), size=16, project="pca:3", save_projection=kept)
    assert embed(backbone_file(), photos(), projection=kept).space.preprocess == "decode|upright|fit(16)"


def test_a_projection_of_other_vectors_is_refused_before_the_work(tmp_path: Path) -> None:
    learned().write(tmp_path / "p.safetensors")
    error = refused(backbone_file(), photos(), projection=tmp_path / "p.safetensors")
    assert error.reason is Reason.FOREIGN_VECTORS
    assert str(error).startswith(f"{tmp_path / 'p.safetensors'} was learned on other vectors than these: they have ")
    projected = replace(SPACE, projection_sha256="ef" * 32)
    with pytest.raises(
        DataError, match=r"^the projection was learned on other vectors than these: they went through the"
    ):
        learned().apply(Vectors.of(np.ones((2, 12)), projected))


def test_supcon_finds_more_and_says_so() -> None:
    found = learn_projection(images(), Plan.parse("supcon:6"))
    judged = found.facts["judged"]
    assert judged["unseen_images"]["how"] == "a fifth held back"
    assert judged["unseen_images"]["queries"] == 24
    recall = judged["unseen_images"]["recall_at_1"]
    assert recall["after"] > recall["before"] + 0.2
    assert recall["change"] == pytest.approx(recall["after"] - recall["before"], abs=2e-4)
    names = judged["unseen_labels"]["how"].split(", ")
    assert len(names) == 2
    assert judged["unseen_labels"]["queries"] == 40
    assert found.facts["learned_from"] == 120
    assert json.loads(json.dumps(found.facts)) == found.facts


def test_a_test_split_judges_and_never_teaches() -> None:
    data = images(split=["test" if i % 4 == 0 else "train" for i in range(120)])
    found = learn_projection(data, Plan.parse("pca:4"))
    taught = np.arange(120) % 4 != 0
    assert found.projection.sha256 == fit_pca(data.vectors.vectors[taught], 4).sha256
    assert found.facts["judged"]["unseen_images"]["how"] == "the test split"
    assert found.facts["judged"]["unseen_images"]["queries"] == 30
    assert (found.facts["learned_from"], found.facts["from_dim"]) == (90, 12)
    assert 0 < found.facts["explained"] < 1


def test_few_images_and_few_labels_are_not_judged() -> None:
    assert learn_projection(images(30, k=3), Plan.parse("pca:2")).facts["judged"] == {}


def test_unlabelled_images_teach_pca_alone(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "parts", {"one": 6})
    dataset = Dataset.read(root)
    unlabelled = dataset.subset(range(6))
    unlabelled = type(dataset)(
        unlabelled.table.with_columns(labels=pl.lit(None, pl.List(pl.String))), None, dataset.root
    )
    vectors = embed(backbone_file(), unlabelled, project="pca:2")
    assert vectors.facts["projection"]["judged"] == {}
    error = refused(backbone_file(), unlabelled, project="supcon:2")
    assert str(error) == "supcon learns from labels, and none of the images has one; learn pca, which needs none"
    assert error.reason is Reason.UNLABELLED


def test_of_many_images_some_teach() -> None:
    labelled = np.arange(3 * MOST_LEARNED_FROM) % 2 == 0
    chosen = chosen_to_learn(labelled, Plan.parse("supcon:2"), seed=0)
    assert chosen.sum() == MOST_LEARNED_FROM
    assert not chosen[~labelled].any()
    assert chosen_to_learn(labelled, Plan.parse("pca:2"), seed=0)[~labelled].any()


@pytest.mark.parametrize("text", ["pca", "pca:", "pca:0", "pca:x", "pac:3", "pca:٣", "supcon:-1"])
def test_a_plan_that_says_nothing_is_refused(text: str) -> None:
    assert str(refused("builtin", photos(), project=text)) == (
        f"a projection to learn is written KIND:NUMBERS, such as pca:64, pca-whitened:64, supcon:64; got {text!r}"
    )


def test_options_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    assert str(refused("builtin", photos(), project="pca:2", projection="p")) == (
        "project learns a projection, projection applies one that was learned: name one of them"
    )
    assert str(refused("builtin", photos(), save_projection="p.safetensors")) == (
        "there is no projection to save: say by project what to learn, such as pca:128"
    )
    assert str(refused("builtin", photos(), project="pca:2", save_projection="p.npz")) == (
        "a projection is written to a file that ends in .safetensors, got 'p.npz'"
    )
    (tmp_path / "p.safetensors").touch()
    error = refused("builtin", photos(), project="pca:2", save_projection=tmp_path / "p.safetensors")
    assert error.reason is Reason.OUTPUT_EXISTS


def unreadable(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        LearnedProjection.read(path)
    return caught.value


def test_files_that_are_no_projection_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    assert str(unreadable(path)) == f"there is no projection {path}; learn one with --project"
    path.write_bytes(b"no")
    assert str(unreadable(path)).startswith(f"{path} is no projection that can be read (")
    save_file({"mean": np.zeros(3)}, path)
    assert str(unreadable(path)) == f"{path} is no projection that `tellapart embed --save-projection` wrote"


def test_damaged_and_later_files_are_refused(tmp_path: Path) -> None:
    path, found = tmp_path / "p.safetensors", learned()
    about = {"format": 1, "kind": "pca", "space": SPACE.to_json(), "facts": {}}

    def written(**changes: object) -> ModelError:
        save_file(found.projection.arrays(), path, metadata={METADATA_KEY: json.dumps({**about, **changes})})
        return unreadable(path)

    assert str(written(format=2)) == f"{path} has format 2, this tellapart reads format 1; update tellapart"
    assert written(kind="umap").reason is Reason.MODEL_TOO_NEW
    assert str(written(space={})).startswith(f"the projection {path} is damaged (ValueError(")
    assert "it reads 12 numbers of 5" in str(written(space={**SPACE.to_json(), "dim": 5}))
    assert written(facts=3).reason is Reason.MODEL_DAMAGED


def test_a_file_gives_back_every_bit(tmp_path: Path) -> None:
    found = learned()
    found.write(tmp_path / "new/p.safetensors")
    again = LearnedProjection.read(tmp_path / "new/p.safetensors")
    assert again.projection.sha256 == found.projection.sha256
    assert (again.space, again.facts) == (found.space, found.facts)
    with pytest.raises(SettingsError, match=r"ends in \.safetensors, got"):
        found.write(tmp_path / "p.bin")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="could not be written: "):
        found.write(tmp_path / "file/p.safetensors")


def test_images_without_a_label_do_not_count_as_misses() -> None:
    whole = images(400, split=["test" if i % 8 < 2 else "train" for i in range(400)])
    known = np.arange(400) % 4 == 0
    labels = [names if kept else None for names, kept in zip(whole.vectors.table["labels"], known, strict=True)]
    table = whole.vectors.table.with_columns(pl.Series("labels", labels, pl.List(pl.String)))
    few = learn_projection(replace(whole, vectors=replace(whole.vectors, table=table)), Plan.parse("pca:10")).facts
    alone = Vectorised(whole.vectors.subset(known), np.arange(100), whole.thumbnails[known])
    expected = learn_projection(alone, Plan.parse("pca:10")).facts
    assert (few["learned_from"], expected["learned_from"]) == (300, 50)
    one, other = (facts["judged"]["unseen_images"] for facts in (few, expected))
    assert one["queries"] == other["queries"] == 50
    assert one["map_at_r"]["before"] == other["map_at_r"]["before"]
    # Without a test split those that are held back are of the labelled ones, too.
    table = table.with_columns(split=pl.lit(None, pl.String))
    none = learn_projection(replace(whole, vectors=replace(whole.vectors, table=table)), Plan.parse("pca:10")).facts
    assert (none["learned_from"], none["judged"]["unseen_images"]["queries"]) == (400, 20)


def test_the_test_split_does_not_teach_without_labels_and_judges_no_group_that_taught() -> None:
    split: list[str | None] = ["test" if i % 4 == 0 else "train" for i in range(120)]
    data = images(split=split)
    group = [f"part {i // 2}" if i < 20 else f"alone {i}" for i in range(120)]
    labels = [None if i == 24 else names for i, names in enumerate(data.vectors.table["labels"].to_list())]
    table = data.vectors.table.with_columns(pl.Series("group", group), pl.Series("labels", labels, pl.List(pl.String)))
    found = learn_projection(replace(data, vectors=replace(data.vectors, table=table)), Plan.parse("pca:4"))
    assert found.facts["learned_from"] == 90
    # Of 30, five have their other half among those that teach (0, 4 … 16), and one has no label.
    assert found.facts["judged"]["unseen_images"]["queries"] == 24


def test_a_test_split_alone_teaches_nothing() -> None:
    with pytest.raises(
        TellapartError, match=r"^all images belong to the test split, which judges and does not teach"
    ) as caught:
        learn_projection(images(split=["test"] * 120), Plan.parse("pca:4"))
    assert caught.value.reason is Reason.TOO_FEW_IMAGES
