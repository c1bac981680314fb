from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto
from tests.builders_nets import classifier_net, transformer_net
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.convert import convert, convert_file
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.source_card import SourceCard
from tellapart.errors import BackboneError, SpecError

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
CARD = SourceCard("net", "MIT", "a test", size=(32, 40), mean=MEAN, std=STD)
IMAGES = np.random.default_rng(3).integers(0, 256, (3, 32, 40, 3), np.uint8)


def original(data: bytes, tensor: str, images: np.ndarray, *, first: bool = True) -> np.ndarray:
    """What the untouched network makes of images normalised by hand."""
    model = onnx.load_model_from_string(data)
    if tensor != "logits":
        model.graph.output.append(onnx.ValueInfoProto(name=tensor))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = ((images / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32)
    return np.asarray(session.run([tensor], {"image": pixels.transpose(0, 3, 1, 2) if first else pixels})[0])


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("pool", ["GlobalAveragePool", "ReduceMean", "ReduceMean last"])
def test_the_pool_gives_embedding_and_map(layout: str, pool: str) -> None:
    data = classifier_net(layout, pool=pool)
    result = convert(data, CARD)
    features = OnnxBackbone.open(result.data).run(IMAGES)
    assert result.card.feature_map_channels == (0, 8)
    assert result.max_difference < 1e-5
    expected = original(data, "flat", IMAGES, first=layout == "NCHW")
    np.testing.assert_allclose(features.embedding, expected, atol=1e-5)
    expected_map = original(data, "gated", IMAGES, first=layout == "NCHW")
    np.testing.assert_allclose(features.feature_map, expected_map, atol=1e-5)


@pytest.mark.parametrize("summary, registers", [("class", 0), ("class", 4), ("mean", 0), ("tokens", 0), ("tokens", 4)])
def test_a_transformers_patches_are_its_map(summary: str, registers: int) -> None:
    data, images = transformer_net(summary, registers=registers), IMAGES[:, :, :32]
    result = convert(data, dataclasses.replace(CARD, size=(32, 32)))
    features = OnnxBackbone.open(result.data).run(images)
    tokens = original(data, "tokens", images)
    patches = tokens[:, -16:]
    expected = patches.mean(1)
    if summary != "mean":
        expected = np.concatenate([tokens[:, 0], expected], axis=1)
    assert result.card.feature_map_channels == (0, 6) if summary == "mean" else (6, 12)
    np.testing.assert_allclose(features.embedding, expected, atol=1e-5)
    assert features.feature_map is not None
    np.testing.assert_allclose(features.feature_map, patches.transpose(0, 2, 1).reshape(-1, 6, 4, 4), atol=1e-5)


def test_without_a_pool_what_enters_the_last_layer_is_taken() -> None:
    data = classifier_net(pool="GlobalMaxPool")
    features = OnnxBackbone.open(convert(data, CARD).data).run(IMAGES)
    assert features.feature_map is None
    np.testing.assert_allclose(features.embedding, original(data, "embedding", IMAGES), atol=1e-5)


@pytest.mark.parametrize("wish, tensor", [("penultimate", "embedding"), ("logits", "logits"), ("hidden", "hidden")])
def test_the_card_chooses_the_embedding(wish: str, tensor: str) -> None:
    data = classifier_net()
    result = convert(data, dataclasses.replace(CARD, embedding=wish))
    np.testing.assert_allclose(
        OnnxBackbone.open(result.data).run(IMAGES).embedding, original(data, tensor, IMAGES), atol=1e-5
    )
    assert result.card.feature_map_channels is None


def test_bgr_reads_mean_and_std_in_the_networks_order() -> None:
    bgr = dataclasses.replace(CARD, colour="BGR")
    ours = OnnxBackbone.open(convert(classifier_net(), bgr).data).run(IMAGES).embedding
    np.testing.assert_allclose(ours, original(classifier_net(), "flat", IMAGES[..., ::-1]), atol=1e-5)


def test_uint8_networks_keep_their_own_normalisation() -> None:
    plain = SourceCard("net", "MIT", "a test", size=(32, 40))
    data = classifier_net(kind=TensorProto.UINT8)
    features = OnnxBackbone.open(convert(data, plain).data).run(IMAGES)
    assert features.embedding.shape == (3, 8)
    as_float = convert(classifier_net(), dataclasses.replace(plain, scale=1.0)).data
    np.testing.assert_allclose(features.embedding, OnnxBackbone.open(as_float).run(IMAGES).embedding, rtol=1e-4)


def test_half_precision_inputs() -> None:
    data = convert(classifier_net(kind=TensorProto.FLOAT16), CARD).data
    found = OnnxBackbone.open(data).run(IMAGES).embedding
    np.testing.assert_allclose(found, original(classifier_net(), "flat", IMAGES), atol=5e-3)


def test_old_files_are_lifted_to_opset_13() -> None:
    data = convert(classifier_net(opset=11), CARD).data
    assert onnx.load_model_from_string(data).opset_import[0].version == 13
    found = OnnxBackbone.open(data).run(IMAGES).embedding
    np.testing.assert_allclose(found, original(classifier_net(), "flat", IMAGES), atol=1e-5)


def test_a_fixed_size_stays_fixed_and_a_fixed_batch_is_freed() -> None:
    backbone = OnnxBackbone.open(convert(classifier_net(size=24, batch=1), CARD).data)
    assert backbone.run(np.zeros((5, 24, 24, 3), np.uint8)).embedding.shape == (5, 8)
    with pytest.raises(BackboneError, match="takes images of 24×24 px only"):
        backbone.run(IMAGES)


def test_equal_files_for_equal_input_and_the_card_inside() -> None:
    first, second = (convert(classifier_net(), CARD) for _ in range(2))
    assert first.data == second.data
    card = OnnxBackbone.open(first.data).card
    assert (card.name, card.licence, card.preprocess) == ("net", "MIT", "decode|upright|fit(40x32)")
    assert len(card.origin_sha256) == 64


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(classifier_net())
    with pytest.raises(BackboneError, match=r"net.onnx is a foreign network and needs its card 'net.json' beside it"):
        convert_file(path)
    path.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(CARD)), encoding="utf-8")
    assert convert_file(path).data == convert(classifier_net(), CARD).data


@pytest.mark.parametrize(
    "data, card, message",
    [
        (b"hello", CARD, "the network is not an ONNX file, or is cut short: "),
        (classifier_net()[:500], CARD, "the network is not an ONNX file, or is cut short: "),
        (
            classifier_net(pool="GlobalMaxPool"),
            dataclasses.replace(CARD, embedding="pooled"),
            'the network does not end in a global average pool; set "embedding" in the card',
        ),
        (
            classifier_net(),
            dataclasses.replace(CARD, embedding="nothing"),
            "the card's embedding 'nothing' is no tensor of the network; its output is 'logits'",
        ),
        (
            classifier_net(),
            dataclasses.replace(CARD, layout="NHWC"),
            "the network's input has the shape ['free', 3, 'free', 'free'], which does not say where its 3 colour "
            'channels are, or contradicts the card; set "layout": "NCHW" or "NHWC" in the card',
        ),
        (
            classifier_net(),
            dataclasses.replace(CARD, embedding="gated"),
            "the embedding must have one row per image, got (2, 8, 16, 20) for 2 images; "
            'set "embedding" in the card to another tensor',
        ),
        (
            classifier_net(kind=TensorProto.INT32),
            CARD,
            "the network's input must be FLOAT, FLOAT16 or UINT8 pixels, got INT32",
        ),
    ],
)
def test_what_cannot_be_converted(data: bytes, card: SourceCard, message: str) -> None:
    with pytest.raises(BackboneError) as caught:
        convert(data, card)
    assert str(caught.value).startswith(message)


def test_networks_that_mix_a_batch_are_refused() -> None:
    model = onnx.load_model_from_string(classifier_net(gate=False))
    mean = onnx.helper.make_node("Sub", ["conv", "batch_mean"], ["centred"])
    over = onnx.helper.make_node("ReduceMean", ["conv"], ["batch_mean"], axes=[0], keepdims=1)
    nodes = list(model.graph.node)
    nodes[1].input[0] = "centred"
    del model.graph.node[:]
    model.graph.node.extend([nodes[0], over, mean, *nodes[1:]])
    with pytest.raises(BackboneError, match="does it mix the images of a batch"):
        convert(model.SerializeToString(), CARD)


def test_a_preprocess_string_that_does_not_parse() -> None:
    with pytest.raises(SpecError):
        convert(classifier_net(), dataclasses.replace(CARD, preprocess="decode|nonsense"))


def test_canonical_files_need_no_conversion_but_survive_it() -> None:
    plain = SourceCard("net", "MIT", "a test", size=(32, 40))
    result = convert(tiny_backbone_bytes(), plain)
    ours = OnnxBackbone.open(result.data).run(IMAGES).embedding
    np.testing.assert_allclose(ours, OnnxBackbone.open(tiny_backbone_bytes()).run(IMAGES).embedding, atol=1e-6)


def test_faults_of_a_source_card_come_together() -> None:
    with pytest.raises(BackboneError) as caught:
        SourceCard("net", "", "x", size=(0, 5), std=(0.0, 1.0, 1.0), colour="rgb")
    assert str(caught.value) == (
        "the source card cannot be used: licence must be a text that is not empty (an SPDX identifier), got ''; "
        "size must be [height, width] in pixels, 1 to 8192, got (0, 5); "
        "std must be three numbers above 0, got (0.0, 1.0, 1.0); colour must be 'RGB' or 'BGR', got 'rgb'"
    )


def test_unknown_keys_of_a_source_card_get_a_suggestion() -> None:
    with pytest.raises(BackboneError) as caught:
        SourceCard.from_json('{"name": "a", "license": "MIT"}')
    assert str(caught.value) == (
        "the source card cannot be used: licence is missing; source is missing; "
        "'license' is unknown, did you mean 'licence'?"
    )
