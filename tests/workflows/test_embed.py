"""A data set as vectors."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file, model, model_folder, photos, tiny_backbone

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError, DataError, Reason, SettingsError, TellapartError
from tellapart.index.vectors import Vectors
from tellapart.records import Roi, Sample
from tellapart.workflows.embed import embed
from tellapart.workflows.embedding import Embedder, embed_dataset


def refused(*arguments: object, **options: object) -> TellapartError:
    with pytest.raises(TellapartError) as caught:
        embed(*arguments, **options)  # type: ignore[arg-type]
    return caught.value


def test_vectors_are_those_of_the_model_brought_to_length_1() -> None:
    vectors = embed(model(), photos())
    own = model().embed([photos() / uri for uri in vectors.table["uri"]]).vectors
    lengths = np.linalg.norm(own, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors.vectors, own / lengths, atol=1e-6)
    np.testing.assert_allclose(embed(model(), photos(), normalise=False).vectors, own, rtol=1e-6)
    assert vectors.space.normalised
    assert vectors.space.backbone_sha256 == tiny_backbone().sha256
    assert vectors.space.preprocess == str(model().spec)


def test_a_folder_a_name_and_a_file_make_the_same_vectors() -> None:
    by_model = embed(model_folder(), photos())
    for source in (str(model_folder()), str(backbone_file()), backbone_file()):
        other = embed(source, Dataset.read(photos()))
        assert other.vectors.tobytes() == by_model.vectors.tobytes()
        by_model.space.check_same(other.space, "others")


def test_rows_say_what_the_data_say(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"ok": 2, "bad": 1})
    samples = [
        Sample("ok/0000.png", ("ok",), group="g", split="train", metadata={"camera": "left"}),
        Sample("ok/0001.png", None),
        Sample("bad/0000.png", ("bad",), split="test"),
    ]
    vectors = embed(backbone_file(), Dataset.from_samples(samples, root=tmp_path / "parts"))
    table = vectors.table
    assert table.columns == ["id", "uri", "labels", "group", "split", "meta:camera"]
    assert table["labels"].to_list() == [["ok"], None, ["bad"]]
    assert table["group"].to_list() == ["g", None, None]
    assert table["split"].to_list() == ["train", None, "test"]
    assert vectors.root == tmp_path / "parts"
    assert [len(image_id) for image_id in vectors.ids] == [64, 64, 64]


def test_regions_have_vectors_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(class_picture(0, 1)))
    halves = [Roi(((0, 0), (0.5, 0), (0.5, 1), (0, 1)), "left"), Roi(((0.5, 0), (1, 0), (1, 1), (0.5, 1)), "right")]
    dataset = Dataset.from_samples([Sample("a.png", None, roi=half) for half in halves], root=tmp_path)
    vectors = embed(backbone_file(), dataset)
    assert vectors.ids[0] == vectors.ids[1]
    assert "roi" in vectors.table.columns
    assert np.abs(vectors.vectors[0] - vectors.vectors[1]).max() > 1e-3


def test_bad_images_are_listed_and_never_in_the_way(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "parts", {"blue": 6, "red": 6})
    for number in range(7):
        (root / "blue" / f"{number}-bad.png").write_bytes(b"no image")
    vectors = embed(backbone_file(), root, output=tmp_path / "v.parquet")
    assert (len(vectors), len(vectors.refusals)) == (12, 7)
    assert {refusal.code for refusal in vectors.refusals} == {"not_an_image"}
    found = Vectors.read(tmp_path / "v.parquet")
    assert found.refusals == vectors.refusals
    assert found.table.equals(vectors.table)
    assert found.facts["versions"]["tellapart"] == ta.__version__


def test_only_bad_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/a.png").write_bytes(b"no image")
    error = refused(backbone_file(), tmp_path / "parts", output=tmp_path / "v.parquet")
    assert error.reason is Reason.DATASET_EMPTY
    assert not (tmp_path / "v.parquet").exists()


def test_what_training_cached_is_used_and_what_embedding_caches_serves_training(tmp_path: Path) -> None:
    first = embed(backbone_file(), photos(), cache_dir=tmp_path)
    images = embed_dataset(Dataset.read(photos()), Embedder(model().spec, tiny_backbone(), tmp_path))
    assert images.n_cached == len(images) == len(first)
    assert embed(backbone_file(), photos(), cache_dir=tmp_path).vectors.tobytes() == first.vectors.tobytes()


def test_memory_is_that_of_the_vectors(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"one": 4})
    dataset = Dataset.from_samples([Sample(f"one/{i % 4:04d}.png", None) for i in range(2000)], root=tmp_path / "parts")
    source = backbone_file()
    embed(source, dataset.subset(range(8)))
    tracemalloc.start()
    vectors = embed(source, dataset, workers=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Samples and jobs of 2,000 images take about 1.5 MB; a thumbnail of each would take another 8 MB.
    assert peak < vectors.vectors.nbytes + 4_000_000


def test_a_model_sees_images_in_its_own_way() -> None:
    error = refused(model_folder(), photos(), size=64)
    assert str(error) == (
        f"the model {model_folder()} sees images by 'decode|upright|fit(32)', as it was trained to; leave out size, or name "
        "a backbone"
    )
    assert isinstance(error, SettingsError)
    assert str(refused(backbone_file(), photos(), size=64, preprocess="decode|upright|fit(32)")) == (
        "size is part of preprocess: name one of them"
    )


def test_a_model_that_looks_for_anomalies_has_no_vectors_of_images() -> None:
    error = refused(model().with_card(head={**model().card.head, "kind": "anomaly"}), photos())
    assert str(error) == (
        f"the model {model().card.name} looks for anomalies: its vectors describe the patches of an image, not the image; name "
        "a classifier or a backbone"
    )


def test_a_backbone_sees_images_as_asked() -> None:
    assert embed(backbone_file(), photos(), size=16).space.preprocess == "decode|upright|fit(16)"
    asked = "decode|upright|squash(16)"
    assert embed(backbone_file(), photos(), preprocess=asked).space.preprocess == asked


def test_a_name_that_nothing_has_is_told_with_the_nearest() -> None:
    error = refused("buitlin", photos())
    assert isinstance(error, BackboneError)
    assert error.reason is Reason.BACKBONE_UNKNOWN
    assert str(error) == (
        "'buitlin' is neither a model nor a backbone; did you mean 'builtin'? (a model is a folder or .zip that `train` wrote; "
        "backbones are builtin, builtin-int8, classic, hog; by name timm/… or hf://…; or the path of a file that ends in "
        ".onnx or .safetensors)"
    )


def test_outputs_are_judged_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.workflows.embed.open_source", lambda *_, **__: pytest.fail("the work began"))
    (tmp_path / "v.parquet").touch()
    assert refused("builtin", photos(), output=tmp_path / "v.parquet").reason is Reason.OUTPUT_EXISTS
    inside = refused("builtin", photos(), output=photos() / "v.parquet")
    assert str(inside) == (
        f"the vectors {photos() / 'v.parquet'} would lie inside the data {photos()}, where they would be read as data the next "
        "time; name an output outside of it"
    )
    assert "ends in .parquet or .npy" in str(refused("builtin", photos(), output="v.csv"))


def test_an_interrupted_run_keeps_what_it_cached_and_writes_nothing(tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(backbone_file(), photos(), output=tmp_path / "v.npy", cache_dir=tmp_path / "cache", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    images = embed_dataset(Dataset.read(photos()), Embedder(model().spec, tiny_backbone(), tmp_path / "cache"))
    assert images.n_cached >= 8


def test_it_is_part_of_the_public_api() -> None:
    assert ta.embed is embed
    with pytest.raises(DataError):
        ta.embed(backbone_file(), "nowhere")
