"""Every recipe that ships trains a model, in miniature: few tiny images, two epochs, tiny networks instead of downloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders

import tellapart as ta
from tellapart.backbones.torch_libraries import load_lightning
from tellapart.settings.named_recipes import recipe_names
from tellapart.settings.recipe_file import for_card, read_recipe

pytest.importorskip("torch")
load_lightning()

LABELS = [f"finding {number:02d}" for number in range(14)]
SMALL = ["epochs=2", "batch_size=8"]
# The networks of these would be downloaded; the size is what the recipe names, smaller.
INSTEAD = {
    "vehicle-make-model": ["backbone=timm/test_resnet", "start=scratch", "size=64"],
    "chest-xray": ["backbone=timm/test_resnet", "start=scratch", "size=64"],
    "ppe-uniform-colour": ["preprocess=decode|upright|fit(64)"],
}


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("data") / "parts", {"bad": 8, "good": 8, "odd": 8}, side=40)


def chest(folder: Path, n_patients: int = 40) -> ta.Dataset:
    """Two pictures of each patient, each with some of 14 labels: the mean of what the labels look like."""
    folder.mkdir()
    rng, samples = np.random.default_rng(0), []
    for number in range(2 * n_patients):
        present = np.flatnonzero(rng.random(len(LABELS)) < 0.35)
        pictures = [class_picture(label, number, 40) for label in present] or [np.full((40, 40, 3), 128, np.uint8)]
        name = f"{number:03d}.png"
        (folder / name).write_bytes(png_bytes(np.mean(pictures, axis=0).astype(np.uint8)))
        labels = tuple(LABELS[label] for label in present)
        samples.append(ta.Sample(id="", uri=name, labels=labels, group=f"patient {number // 2}"))
    return ta.Dataset.from_samples(samples, root=folder, task="multilabel")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "chest-xray"])
def test_a_recipe_trains_a_model_of_exclusive_classes(name: str, parts: Path, tmp_path: Path) -> None:
    recipe = read_recipe(name, changes=[*SMALL, *INSTEAD.get(name, ["size=64"])])
    model = ta.train(parts, recipe=recipe, output=tmp_path / "model", golden=2)
    assert model.card.training["recipe"] == for_card(recipe)
    assert str(recipe.preprocess or "(64)") in str(model.spec)
    assert model.evaluation is not None
    assert model.evaluation.metrics["accuracy"].value is not None
    again = ta.load(tmp_path / "model").predict(parts / "good/0000.png")
    assert isinstance(again, ta.Prediction)
    np.testing.assert_allclose(again.probabilities.sum(), 1, atol=1e-5)


@pytest.mark.slow
def test_the_recipe_of_x_rays_gives_the_roc_auc_of_14_labels_with_intervals(tmp_path: Path) -> None:
    data = chest(tmp_path / "images")
    recipe = read_recipe("chest-xray", changes=[*SMALL, *INSTEAD["chest-xray"]])
    model = ta.train(data, recipe=recipe, output=tmp_path / "model", golden=0)
    evaluation = model.evaluation
    assert evaluation is not None
    assert [one.label for one in evaluation.per_class] == LABELS
    measured = [one.metrics["roc_auc"] for one in evaluation.per_class]
    with_interval = [one for one in measured if one.low is not None]
    assert len(with_interval) >= 10  # a label whose few images are of one patient has none
    assert all(one.low <= one.value <= one.high for one in with_interval)
    answer = ta.load(tmp_path / "model").predict(tmp_path / "images" / "000.png")
    assert isinstance(answer, ta.Prediction)
    assert answer.probabilities.sum() > 1.5  # each label for itself
