"""timm networks: what torch says, the exported file says, and the head reads its embedding."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")

from safetensors.torch import load_file  # noqa: E402
from tests.backbones.hub_server import HubServer, running  # noqa: E402

from tellapart.backbones.onnx import OnnxBackbone  # noqa: E402
from tellapart.backbones.protocol import BackboneCard  # noqa: E402
from tellapart.backbones.store import Store  # noqa: E402
from tellapart.backbones.torch_libraries import load_timm  # noqa: E402
from tellapart.errors import BackboneError, MissingExtra, SettingsError  # noqa: E402
from tellapart.training.networks.build import build_network, describe_network  # noqa: E402
from tellapart.training.networks.export import canonical_bytes, head_arrays  # noqa: E402
from tellapart.training.networks.network import Network  # noqa: E402
from tellapart.training.networks.tuning import parameter_groups  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def timm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries of others warn while they are imported
        try:
            return load_timm()
        except MissingExtra:
            pytest.skip("timm is not installed (extra `train`)")


def unevened(network: Network) -> Network:
    """Normalisations carry values that a mistake would show."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, std=0.1)
    return network.eval()


FAMILIES = [
    # name, size, columns of the embedding, of which are the map's means, stages
    ("test_resnet", 32, 96, (0, 96), 5),
    ("test_efficientnet", 32, 256, (0, 256), 6),
    ("test_convnext", 32, 64, (0, 64), 5),  # normalised after pooling
    ("test_vit", 32, 2 * 64, (64, 128), 7),  # a class token
    ("test_vit2", 32, 64, (0, 64), 9),  # the mean of the patches, normalised
    ("test_vit3", 32, 2 * 96, (96, 192), 11),  # attention pool
    ("test_vit4", 32, 96, (0, 96), 10),  # another kind of normalisation
    ("test_mambaout", 32, 256 + 64, (256, 320), 6),  # channels last, a hidden layer after pooling
    ("mobilenetv3_small_050", 32, 1024 + 288, (1024, 1312), 8),  # the same
]
SLOW = [
    ("resnet10t", 32, 512, (0, 512), 5),
    ("convnext_atto", 32, 320, (0, 320), 5),
    ("vit_tiny_patch16_224", 32, 2 * 192, (192, 384), 13),
    ("eva02_tiny_patch14_224", 56, 192, (0, 192), 13),
    ("test_maxvit", 160, 128, (0, 128), 5),
    ("poolformerv2_s12", 64, 512, (0, 512), 5),  # timm names no stages
    ("inception_next_atto", 64, 960 + 320, (960, 1280), 6),  # a hidden layer with a normalisation of its own
    ("resnet18", 64, 512, (0, 512), 5),
    ("efficientnet_b0", 64, 1280, (0, 1280), 8),
    ("efficientnet_lite0", 64, 1280, (0, 1280), 8),
    ("densenet121", 64, 1024, (0, 1024), 5),
    ("regnety_002", 64, 368, (0, 368), 5),
    ("levit_128s", 224, 384, None, 4),  # no places
    ("swin_tiny_patch4_window7_224", 224, 768, (0, 768), 5),  # channels last
]


@pytest.mark.parametrize(
    "name, size, width, channels, n_stages",
    [*FAMILIES, *[pytest.param(*one, marks=pytest.mark.slow) for one in SLOW]],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_exported_file_says_what_torch_says(
    name: str, size: int, width: int, channels: tuple[int, int] | None, n_stages: int
) -> None:
    network = unevened(build_network(f"timm/{name}", n_classes=3, size=size, start="scratch"))
    assert (network.embedding_dim, network.map_channels, len(network.stages)) == (width, channels, n_stages)
    images = np.random.default_rng(2).integers(0, 256, (3, size, size, 3), np.uint8)
    with torch.inference_mode():
        logits = network(network.normalise(torch.from_numpy(images))).numpy()
    backbone = OnnxBackbone.open(canonical_bytes(network, f"{name}, trained"))
    features = backbone.run(images)
    weight, bias = head_arrays(network)
    np.testing.assert_allclose(features.embedding @ weight + bias, logits, atol=1e-4 * np.abs(logits).max())
    assert backbone.card.feature_map_channels == channels
    if channels is not None:
        assert features.feature_map is not None
        part = features.embedding[:, slice(*channels)]
        np.testing.assert_allclose(features.feature_map.mean((2, 3)), part, atol=1e-4 * np.abs(part).max())


def test_the_embedding_is_what_timms_own_classifier_reads(timm: Any) -> None:
    """With the weights of a network with a classifier: class token first."""
    network = build_network("timm/test_vit", n_classes=2, size=32, start="scratch", seed=4).eval()
    torch.manual_seed(4)
    theirs = timm.create_model("test_vit", num_classes=0, img_size=32).eval()
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(network.embed(pixels)[0][:, :64], theirs(pixels), atol=1e-4, rtol=1e-4)


def test_every_parameter_gets_a_gradient() -> None:
    """Several processes that train together wait for one of each."""
    for name, size, *_ in FAMILIES:
        network = build_network(f"timm/{name}", n_classes=3, size=size, start="scratch").train()
        network(torch.randn(2, 3, size, size)).sum().backward()
        assert [key for key, value in network.named_parameters() if value.grad is None] == []


def test_what_timm_exempts_from_decay_is_exempt() -> None:
    network = build_network("timm/test_vit", n_classes=2, size=32, start="scratch")
    of = {id(one): group for group in parameter_groups(network, 1.0, 0.1, 0.9) for one in group["params"]}
    named = {name: of[id(parameter)] for name, parameter in network.named_parameters()}
    assert named["body.network.pos_embed"]["weight_decay"] == 0.0
    assert named["body.network.blocks.3.attn.qkv.weight"]["weight_decay"] == 0.1
    assert named["body.network.pos_embed"]["lr"] == pytest.approx(0.9**7)
    assert named["body.network.blocks.5.attn.qkv.weight"]["lr"] == pytest.approx(0.9)


def saved(timm: Any, folder: Path, name: str = "test_resnet") -> Path:
    torch.manual_seed(3)
    network = timm.create_model(name, pretrained=False, num_classes=7)
    timm.models.save_for_hf(network, folder, safe_serialization=True, model_config={"license": "mit"})
    return folder / "model.safetensors"


def test_a_checkpoint_brings_its_weights_and_facts(timm: Any, tmp_path: Path) -> None:
    path = saved(timm, tmp_path)
    network = build_network(str(path), n_classes=2, size=32).eval()
    facts = describe_network(str(path), size=32)
    assert network.facts == facts
    assert (facts.source, facts.licence, facts.own_size_px) == ("model.safetensors", "apache-2.0", 160)
    assert len(facts.origin_sha256) == 64
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=0).eval()
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(network.embed(pixels)[0], theirs(pixels), atol=1e-5, rtol=1e-4)
    fresh = build_network(str(path), n_classes=2, size=32, start="scratch")
    assert fresh.source == "scratch"
    assert not torch.equal(next(fresh.body.parameters()), next(network.body.parameters()))


def test_weights_come_from_the_hub_once_their_licence_is_accepted(
    timm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    path = saved(timm, tmp_path)
    config = json.loads(path.with_name("config.json").read_text(encoding="utf-8"))
    config["pretrained_cfg"]["license"] = "cc-by-nc-4.0"
    files = {
        "model.safetensors": path.read_bytes(),
        "config.json": json.dumps(config).encode(),
        "README.md": b"# A network",
    }
    repository = "timm/test_resnet.r160_in1k"
    store, said = Store(tmp_path / "store"), []
    with running(HubServer({f"{repository}/{name}": data for name, data in files.items()})) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(
            BackboneError, match="run `tellapart backbones add timm/test_resnet --accept-licence cc-by-nc"
        ):
            build_network("timm/test_resnet", n_classes=2, size=32, store=store, announce=said.append)
        card = BackboneCard("x", "cc-by-nc-4.0", "x", "decode|upright|fit(32)", 96)
        store.add("timm/test_resnet", b"as if it had been added", card, 0.0)
        network = build_network("timm/test_resnet", n_classes=2, size=32, store=store, announce=said.append)
    assert said == [f"timm/test_resnet: weights from {server.url}/{repository}, licence cc-by-nc-4.0"] * 2
    assert network.licence == "cc-by-nc-4.0"
    assert network.source.startswith(f"hf://{repository}/model.safetensors@")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    again = build_network("timm/test_resnet", n_classes=2, size=32, store=store, announce=said.append)
    mine, theirs = network.state_dict(), load_file(path)
    assert torch.equal(mine["body.network.layer1.0.conv1.weight"], theirs["layer1.0.conv1.weight"])
    assert all(torch.equal(value, mine[name]) for name, value in again.state_dict().items())


def test_a_checkpoint_of_another_network_is_refused(timm: Any, tmp_path: Path) -> None:
    path = saved(timm, tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"architecture": "resnet18"}), encoding="utf-8")
    with pytest.raises(BackboneError, match=r"cannot build 'resnet18' with model\.safetensors: "):
        build_network(str(path), n_classes=2)


@pytest.mark.parametrize(
    "name, options, sentence",
    [
        ("timm/resnet19", {}, "has no network called 'resnet19'; did you mean resnet"),
        (
            "timm/resnet10t",
            {"size": 16},
            "timm/resnet10t takes images of at least 32 px, got size 16; its own size is 176",
        ),
        (
            "timm/densenet121",
            {"drop_path": 0.1},
            "timm/densenet121 has no stochastic depth: leave finetune.drop_path at 0, or use finetune.dropout",
        ),
        (
            "timm/test_vit",
            {"size": 100},
            "timm/test_vit cannot take images of 100 px (Input height (100) should be divis",
        ),
    ],
)
def test_what_a_timm_network_cannot_do_is_said(name: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((BackboneError, SettingsError)) as caught:
        build_network(name, n_classes=2, start="scratch", **options)
    assert sentence in str(caught.value)


def test_what_has_no_pretrained_weights_is_said_before_anything_is_fetched() -> None:
    with pytest.raises(SettingsError) as caught:
        build_network("timm/nf_ecaresnet26", n_classes=2)
    assert str(caught.value) == (
        "timm has no pretrained weights of nf_ecaresnet26; train it from scratch (finetune.start: scratch)"
    )
    with pytest.raises(BackboneError, match="has no network called 'resnet19'; did you mean resnet"):
        build_network("timm/resnet19.a1_in1k", n_classes=2)


def test_a_timm_network_is_described_before_it_is_built() -> None:
    facts = describe_network("timm/vit_tiny_patch16_224", start="scratch")
    assert facts.spec == "decode|upright|fit(224,interpolation=bicubic)"
    assert (facts.own_size_px, facts.size_px, facts.fixed) == (224, 224, True)
    assert describe_network("timm/vit_tiny_patch16_224@32", start="scratch").size_px == 32
