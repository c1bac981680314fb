"""Training on good images alone, from folders to a model that alarms, explains itself and is judged by kind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart as ta
from tellapart.classifier.heatmap import Heatmap
from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError, DataError, SettingsError, TellapartError, TrainingError
from tellapart.heads.anomaly import AnomalyHead
from tellapart.workflows.anomaly_labels import sides
from tellapart.workflows.evaluate import evaluate
from tellapart.workflows.export import export
from tellapart.workflows.facts import KIND
from tellapart.workflows.predict import predict
from tellapart.workflows.quantize import quantize
from tellapart.workflows.verify import verify

RECIPE = {"method": "anomaly", "size": 64, "anomaly": {"method": "patchcore", "false_alarms": 0.05}}


def surface(seed: int, kind: str = "good", side: int = 48) -> np.ndarray:
    """uint8 (side, side, 3): a grey, grainy surface; "spot" has a dark disc on it, "scratch" a bright line."""
    rng = np.random.default_rng(seed)
    pixels = np.clip(rng.normal(120, 14, (side, side)) + rng.normal(0, 8), 0, 255)
    at = rng.integers(side // 4, 3 * side // 4, 2)
    rows, columns = np.mgrid[:side, :side]
    if kind == "spot":
        pixels[(rows - at[0]) ** 2 + (columns - at[1]) ** 2 < (side / 7) ** 2] = 10
    if kind == "scratch":
        pixels[np.abs(rows - columns + at[0] - at[1]) < side / 20] = 250
    return np.repeat(pixels[:, :, None], 3, axis=2).astype(np.uint8)


def write(root: Path, classes: dict[str, int], *, side: int = 48, mode: str = "RGB", suffix: str = ".png") -> Path:
    """Folders of surfaces; the class name's first word is what is on them."""
    for number, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True)
        for one in range(count):
            kind = name.lower() if name.lower() in ("spot", "scratch") else "good"
            image = Image.fromarray(surface(1000 * number + one, kind, side)).convert(mode)
            image.save(root / name / f"{one:03}{suffix}")
    return root


def train(
    data: Path | Dataset, recipe: dict[str, object] | None = None, output: Path | None = None, **anomaly: object
) -> ta.Classifier:
    base = {**RECIPE, **(recipe or {})}
    section = {**RECIPE["anomaly"], **anomaly}  # type: ignore[dict-item]
    return ta.train(data, output=output, recipe=ta.Recipe(**{**base, "anomaly": section}), golden=2)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("anomaly") / "data", {"OK": 60, "scratch": 15, "spot": 15})


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> ta.Classifier:
    return train(data, output=tmp_path_factory.mktemp("models") / "model", method="auto")


def test_bad_images_are_found_without_having_been_seen(model: ta.Classifier) -> None:
    assert model.labels == ("OK", "anomalous")
    assert model.schema.positive == "anomalous"
    found = model.card.metrics["anomalies"]
    assert {one["name"] for one in found["kinds"]} == {"scratch", "spot"}
    assert min(one["roc_auc"]["value"] for one in found["kinds"]) > 0.9
    assert found["false_alarms"]["value"] <= 0.2
    assert model.card.metrics["headline"] == "roc_auc"
    assert model.card.head["good_classes"] == ["OK"]
    assert model.card.head["calibrated_by"] == "good and bad images"


def test_nothing_of_the_bad_ones_is_learned(data: Path, model: ta.Classifier) -> None:
    way = model.card.head["way"]
    assert "by 24 bad images of the training" in "\n".join(model.card.training["summary"])
    only_good = train(Dataset.read(data), method=way)
    assert isinstance(model.head, AnomalyHead)
    assert isinstance(only_good.head, AnomalyHead)
    x = model.embed([surface(5), surface(6, "spot")]).vectors
    shown = [head.scores(x) for head in (model.head, only_good.head)]
    np.testing.assert_allclose(shown[0], shown[1], rtol=1e-5)


def test_answers_are_anomalous_and_never_unknown(model: ta.Classifier) -> None:
    good, spot, noise = model.predict([surface(2000), surface(2001, "spot"), surface(2002) // 2 + 128])
    assert good.predicted == ("OK",)  # type: ignore[union-attr]
    assert spot.predicted == ("anomalous",)  # type: ignore[union-attr]
    assert spot.ood_score >= 1 > good.ood_score  # type: ignore[union-attr]
    assert not any(one.unknown for one in (good, spot, noise))  # type: ignore[union-attr]


def test_the_saved_model_is_verified_exported_and_explained(model: ta.Classifier, tmp_path: Path) -> None:
    again = ta.load(model.location)
    x = model.embed([surface(7), surface(8, "scratch")]).vectors
    np.testing.assert_array_equal(again.answer(x).probabilities, model.answer(x).probabilities)
    assert verify(model.location).n_golden == 2
    assert export(model.location, tmp_path / "model.onnx").max_difference < 1e-4
    assert "Kinds of anomalies" in (Path(model.location) / "report.html").read_text()
    assert "Anomalies found" in (Path(model.location) / "report.html").read_text()


def test_a_model_is_judged_on_classes_it_was_not_told(model: ta.Classifier, tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"OK": 10, "scratch": 6, "anomalous": 4})
    judged = evaluate(model, other)
    assert judged.kinds is not None
    assert [(one.name, one.n) for one in judged.kinds.kinds] == [("scratch", 6), ("anomalous", 4)]
    assert any(line.startswith("scratch                 AUROC 1.000") for line in judged.summary())
    assert judged.to_json()["anomalies"]["n_good"] == 10
    assert KIND not in {one.column for one in judged.evaluation.slices}
    strange = write(tmp_path / "strange", {"apple": 2, "pear": 2})
    with pytest.raises(
        DataError, match=r"^none of the labels 'apple', 'pear' is one of the model's, 'OK', 'anomalous': "
    ):
        evaluate(model, strange)


def test_heatmaps_glow_where_the_spot_is(model: ta.Classifier, tmp_path: Path) -> None:
    pixels = surface(3)
    pixels[34:42, 6:14] = 10
    heatmap = model.heatmap(pixels)
    assert isinstance(heatmap, Heatmap)
    assert heatmap.heat.shape == (48, 48)
    top = np.unravel_index(heatmap.heat.argmax(), (48, 48))
    assert 28 <= top[0] <= 47
    assert 0 <= top[1] <= 20
    assert heatmap.overlay().shape == (48, 48, 3)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "part.png")
    (tmp_path / "b" / "broken.png").write_bytes(b"no image")
    outcomes = list(predict(model.location, [tmp_path / "a", tmp_path / "b"], heatmaps=tmp_path / "heat").outcomes)
    assert len(outcomes) == 3
    assert sorted(one.name for one in (tmp_path / "heat").iterdir()) == ["part-2.png", "part.png"]
    with Image.open(tmp_path / "heat" / "part.png") as picture:
        assert picture.size == (48, 48)


def test_each_way_can_be_asked_for(data: Path) -> None:
    for way in ("mahalanobis", "knn"):
        made = train(data, method=way)
        assert made.card.head["way"] == way
        assert made.predict(surface(1, "spot")).predicted == ("anomalous",)
    with pytest.raises(
        SettingsError, match=r"^the model model judges an image as a whole and cannot tell where its answer"
    ):
        made.heatmap(surface(1))


def test_a_folder_of_good_images_is_enough(tmp_path: Path) -> None:
    folder = write(tmp_path, {"parts": 24}) / "parts"
    model = train(folder)
    assert model.labels == ("anomalous", "good")
    assert model.card.head["calibrated_by"] == "good images alone"
    assert model.card.training["summary"][-2].startswith(
        "warning     the threshold is set for 5 % false alarms, but it takes"
    )
    assert model.predict(surface(99, "spot")).predicted == ("anomalous",)
    shutil.copytree(folder, tmp_path / "one" / "Metal")
    assert train(tmp_path / "one").labels == ("Metal", "anomalous")


def test_five_good_images_of_any_size_and_mode_teach_something(tmp_path: Path) -> None:
    for number, (side, mode) in enumerate([(12, "L"), (300, "RGB")]):
        model = train(write(tmp_path / str(number), {"Good": 5, "SPOT": 2}, side=side, mode=mode))
        assert model.labels == ("Good", "SPOT")  # one other class keeps its name
        assert model.predict(surface(99, "spot", side=side)).ood_score > model.predict(surface(98, side=side)).ood_score


@pytest.mark.parametrize(("classes", "asked", "kind", "sentence"), [
    ({"good": 1, "spot": 5}, {}, TrainingError,
     "1 good image is too few to learn what good looks like: at least two are needed that are not near-duplicates of one "
     "another, and 20 or more to be useful"),
    ({"defects": 6}, {}, TrainingError,
     "all images are 'defects', and an anomaly model learns from good ones: add a folder of good images, or say with --good "
     "'defects' that these are good"),
    ({"apple": 3, "pear": 3}, {}, SettingsError,
     "it cannot be told which class is good (no name says so): name it with --good (anomaly.good of a recipe), one of apple, "
     "pear, or several as 'a|b'"),
    ({"ok": 3, "free": 3, "spot": 1}, {}, SettingsError,
     "it cannot be told which class is good ('free' and 'ok' both sound like it): name it with --good (anomaly.good of a "
     "recipe), one of free, ok, spot, or several as 'a|b'"),
    ({"Apple": 3, "pear": 3}, {"good": "aple"}, SettingsError,
     "there is no class 'aple' among the images, there are: Apple, pear; did you mean 'Apple'?"),
    ({"apple": 3, "pear": 3}, {"good": "apple", "bad": "apple"}, SettingsError,
     "good and bad images cannot both be called 'apple': set anomaly.bad to another name"),
])  # fmt: skip
def test_what_cannot_be_learned_from_is_said(
    tmp_path: Path, classes: dict[str, int], asked: dict[str, Any], kind: type[TellapartError], sentence: str
) -> None:
    with pytest.raises(kind) as caught:
        train(write(tmp_path / "data", classes), **asked)
    assert caught.value.args[-1] == sentence or str(caught.value) == sentence


def test_capitals_do_not_matter_and_several_classes_may_be_good(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {"Red": 8, "blue": 8, "spot": 3})
    assert train(data, good="red|BLUE").labels == ("good", "spot")
    model = train(data, good="red", bad="wrong")
    assert model.labels == ("Red", "wrong")


@pytest.mark.parametrize(("names", "good"), [
    (("good", "no_cap", "low_fill"), "good"), (("no_scratch", "scratch"), "no_scratch"), (("NORMAL", "x", "y"), "NORMAL"),
])  # fmt: skip
def test_the_good_class_is_guessed_by_words(names: tuple[str, ...], good: str) -> None:
    samples = [ta.Sample(id="", uri=f"{name}.png", labels=(name,)) for name in names]
    assert sides(Dataset.from_samples(samples), ta.Recipe(method="anomaly")).good_classes == (good,)


def test_an_anomaly_model_is_not_made_int8(model: ta.Classifier, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^an anomaly model is made int8 by training it on an int8 network, "):
        quantize(model.location, data, output=tmp_path / "int8")


def test_a_network_without_a_feature_map_is_refused(data: Path, tmp_path: Path) -> None:
    from tests.builders_onnx import tiny_backbone_bytes

    (tmp_path / "tiny.onnx").write_bytes(tiny_backbone_bytes(feature_map=False))
    with pytest.raises(BackboneError, match="has no feature map"):
        train(data, {"backbone": str(tmp_path / "tiny.onnx"), "size": None})
    knn = train(data, {"backbone": str(tmp_path / "tiny.onnx"), "size": None}, method="knn")
    assert json.loads(json.dumps(knn.card.head["grid"])) == [1, 1]


def test_false_alarms_of_nothing_are_refused() -> None:
    from tellapart.settings.recipe_file import read_recipe

    with pytest.raises(SettingsError, match=r"anomaly\.false_alarms is a number above 0 and at most 0\.5, got 0"):
        read_recipe({"method": "anomaly", "anomaly": {"false_alarms": 0}})
    with pytest.raises(SettingsError, match=r"--set good works with the method 'anomaly', not 'probe'"):
        read_recipe(None, changes=["good=ok"])
    with pytest.raises(SettingsError, match=r"--set aim works with the method .*, not 'anomaly'"):
        read_recipe(None, changes=["method=anomaly", "aim=recall>=0.9"])
