"""timm networks: torch and ONNX Runtime give equal features. Skipped without torch and timm (extra `timm`)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.backbones.hub_server import HubServer, running

from tellapart.backbones.convert import convert
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.registry import load_backbone
from tellapart.backbones.source_card import SourceCard
from tellapart.backbones.store import Store
from tellapart.backbones.torch_libraries import load_timm
from tellapart.errors import BackboneError, MissingExtra
from tellapart.image.preprocess import PreprocessSpec

pytest.importorskip("torch", reason="torch is not installed (extra `timm`)")
pytest.importorskip("safetensors")
ROOT = Path(__file__).resolve().parents[2]
PHOTOS = [ROOT / "tests" / "golden" / name for name in ("print.jpg", "wide.jpg", "turned.jpg", "colour.png")]

FAMILIES = [
    "resnet18",
    "densenet121",
    "mobilenetv3_small_100",
    "mobilenetv4_conv_small",
    "efficientnet_b0",
    "convnext_atto",
    "regnety_002",
    "vit_tiny_patch16_224",
    "vit_small_patch14_dinov2",
    "swin_tiny_patch4_window7_224",
    "levit_128s",
]


@pytest.fixture(scope="module")
def timm() -> Any:
    """timm, also beside a torchvision that was built for another torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries of others warn while they are imported
        try:
            return load_timm()
        except MissingExtra:
            pytest.skip("timm is not installed (extra `timm`)")


def checkpoint(timm: Any, name: str, folder: Path) -> Path:
    """A random network as timm saves it for the hub; normalisations carry values that a mistake would show."""
    import torch

    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    timm.models.save_for_hf(network, folder, safe_serialization=True)
    return folder / "model.safetensors"


def photos(spec: PreprocessSpec) -> np.ndarray:
    return np.stack([spec.apply(path.read_bytes()) for path in PHOTOS])


def timm_features(timm: Any, folder: Path, pixels: np.ndarray, size: int | None) -> Any:
    """The features as a user of timm would compute them: its own loading, its own normalisation."""
    import torch

    options = {} if size is None else {"img_size": size}
    network = timm.create_model(f"local-dir:{folder}", pretrained=True, **options).eval()
    config = timm.data.resolve_data_config(network.pretrained_cfg)
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        features = network.forward_features((tensor - mean) / std)
        pooled = network.forward_head(features, pre_logits=True)
    return network, features.numpy(), pooled.numpy()


def expected_embedding(network: Any, features: np.ndarray, pooled: np.ndarray) -> np.ndarray:
    if features.ndim == 4:
        axes = (1, 2) if getattr(network, "output_fmt", "NCHW") == "NHWC" else (2, 3)
        return np.asarray(features.mean(axes))
    if not hasattr(network, "num_prefix_tokens"):
        return pooled
    patches = features[:, network.num_prefix_tokens :].mean(1)
    return patches if network.global_pool == "avg" else np.concatenate([pooled, patches], 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_and_onnx_give_equal_features_on_photos(timm: Any, name: str, tmp_path: Path) -> None:
    from tellapart.backbones.torch_timm import convert_checkpoint

    size = 112 if "dinov2" in name else None
    weights = checkpoint(timm, name, tmp_path)
    target = tmp_path / "backbone.onnx"
    config = str(weights.with_name("config.json"))
    convert_checkpoint(str(weights), config, str(target), name, "a test", "apache-2.0", size)
    backbone = OnnxBackbone.open(target)
    pixels = photos(PreprocessSpec.parse(backbone.default_spec))
    found = backbone.run(pixels)
    expected = expected_embedding(*timm_features(timm, tmp_path, pixels, size))
    np.testing.assert_allclose(found.embedding, expected, atol=2e-4 * np.abs(expected).max())
    if backbone.card.feature_map_channels is not None:
        start, stop = backbone.card.feature_map_channels
        assert found.feature_map is not None
        np.testing.assert_allclose(found.feature_map.mean((2, 3)), found.embedding[:, start:stop], rtol=1e-4, atol=1e-4)
    print(f"{name}: {np.abs(found.embedding - expected).max() / np.abs(expected).max():.1e}")  # noqa: T201 (pytest -s)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit3_small_patch16_224", "regnety_002"])
def test_a_network_that_others_exported_gives_the_same_features(timm: Any, name: str, tmp_path: Path) -> None:
    """Conversion from torch and surgery on an ordinary export agree."""
    import torch

    from tellapart.backbones.torch_timm import convert_checkpoint

    weights = checkpoint(timm, name, tmp_path)
    config, target = str(weights.with_name("config.json")), tmp_path / "backbone.onnx"
    convert_checkpoint(str(weights), config, str(target), name, "a test", "apache-2.0", None)
    network = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, exportable=True).eval()
    foreign = tmp_path / "foreign.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
        torch.onnx.export(network, (torch.zeros(1, 3, 224, 224),), str(foreign), dynamo=False, **options)
    wishes = {key: tuple(network.pretrained_cfg[key]) for key in ("mean", "std")}
    card = SourceCard(name, "apache-2.0", "a test", interpolation="bicubic", **wishes)
    ours, theirs = OnnxBackbone.open(target), OnnxBackbone.open(convert(foreign.read_bytes(), card).data)
    pixels = photos(PreprocessSpec.parse(ours.default_spec))
    expected, found = ours.run(pixels), theirs.run(pixels)
    assert ours.card.feature_map_channels == theirs.card.feature_map_channels
    np.testing.assert_allclose(found.embedding, expected.embedding, atol=2e-4 * np.abs(expected.embedding).max())


@pytest.mark.slow
def test_by_name_from_the_hub(timm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    weights = checkpoint(timm, "mobilenetv3_small_100", tmp_path)
    repository = "timm/mobilenetv3_small_100.lamb_in1k"
    files = {f"{repository}/{path.name}": path.read_bytes() for path in (weights, weights.with_name("config.json"))}
    store, said = Store(tmp_path / "store"), []
    with running(HubServer(files)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        backbone = load_backbone("timm/mobilenetv3_small_100", store=store, announce=said.append)
    assert backbone.card.source.startswith(f"hf://{repository}/model.safetensors@")
    assert said[0] == f"timm/mobilenetv3_small_100: weights from {server.url}/{repository}, licence apache-2.0"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert load_backbone("timm/mobilenetv3_small_100", store=store).sha256 == backbone.sha256


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"architecture": "resnet19x"}, "cannot build 'resnet19x' with model.safetensors: "),
        ({"architecture": "resnet34"}, "cannot build 'resnet34' with model.safetensors: "),
        ({"architecture": None}, 'is not timm\'s config.json: it must name an "architecture"'),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    timm: Any, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    from tellapart.backbones.torch_timm import convert_checkpoint

    weights = checkpoint(timm, "resnet18", tmp_path)
    config = weights.with_name("config.json")
    config.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(BackboneError, match=sentence):
        convert_checkpoint(str(weights), str(config), str(tmp_path / "x.onnx"), "x", "a test", "mit", None)
    assert not (tmp_path / "x.onnx").exists()
