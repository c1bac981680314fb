"""Int8 backbones: the canonical form kept, answers close to float, equal bytes, clear refusals."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxruntime.quantization as tool
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.builders_nets import classifier_net
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.classic import classic_bytes
from tellapart.backbones.convert import convert
from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.onnx import OnnxBackbone, session_options
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.backbones.quantize import METHODS, Quantized, quantize
from tellapart.backbones.source_card import SourceCard
from tellapart.errors import Reason, TellapartError

TOOL = f"ONNX Runtime {onnxruntime.__version__}"


def pictures(n: int = 20, size: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    """Noise of many strengths on many colours."""
    rng = np.random.default_rng(seed)
    colours, noise = rng.integers(0, 256, (n, 1, 1, 3)), rng.normal(0, 1, (n, size, size, 3))
    return np.clip(colours + noise * rng.integers(1, 80, (n, 1, 1, 1)), 0, 255).astype(np.uint8)


@functools.cache
def network() -> bytes:
    """Convolution, squeeze and excitation, pool: as another tool exported it."""
    return convert(classifier_net(), SourceCard(name="net", licence="MIT", source="tests", size=(32, 32))).data


@functools.cache
def int8() -> Quantized:
    return quantize(network(), pictures())


def refused(action: Callable[[], Any]) -> tuple[Reason, str]:
    with pytest.raises(TellapartError) as caught:
        action()
    return caught.value.reason, str(caught.value)


def invalid(data: bytes, **options: Any) -> str:
    reason, text = refused(lambda: quantize(data, pictures(4), **options))
    assert reason is Reason.BACKBONE_INVALID
    return text


def bad(*arguments: Any, **options: Any) -> str:
    reason, text = refused(lambda: quantize(network(), *arguments, **options))
    assert reason is Reason.BAD_SETTING
    return text


def graph_of(data: bytes) -> onnx.GraphProto:
    return onnx.load_model_from_string(data).graph


def carded(g: GraphBuilder, dim: int, source: str = "tests") -> bytes:
    """A graph with an output `embedding` (n, dim) as a canonical file."""
    card = BackboneCard(
        name="odd", licence="MIT", source=source, preprocess="decode|upright|fit(32)", embedding_dim=dim
    )
    outputs = [float_output("embedding", ["n", dim])]
    return serialise(g.model("odd", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: card.to_json()}))


def test_the_form_stays_canonical() -> None:
    before, after = graph_of(network()), graph_of(int8().data)
    assert list(after.input) == list(before.input)
    assert list(after.output) == list(before.output)
    model = onnx.load_model_from_string(int8().data)
    assert [entry.key for entry in model.metadata_props] == [CARD_KEY]
    assert [one.domain for one in model.opset_import] == [""]
    for shape in ((1, 24, 40, 3), (5, 64, 64, 3)):
        batch = np.zeros(shape, np.uint8)
        found, wanted = (OnnxBackbone.open(data).run(batch).feature_map for data in (int8().data, network()))
        assert found is not None
        assert wanted is not None
        assert found.shape == wanted.shape


def test_the_card_tells_how_it_was_made() -> None:
    before, after = OnnxBackbone.open(network()), OnnxBackbone.open(int8().data)
    assert after.card == int8().card
    assert (after.name, after.licence, after.card.source) == ("net-int8", "MIT", "tests")
    assert after.card.origin_sha256 == before.sha256 == sha256(network()).hexdigest()
    assert after.card.preprocess == before.card.preprocess
    assert after.card.feature_map_channels == before.card.feature_map_channels
    assert (
        after.card.notes
        == f"Static int8 by {TOOL}: weights 7 bits per channel, activations 8 bits, minmax of 20 images."
    )


def test_embeddings_stay_close_to_float() -> None:
    batch = pictures(16, seed=1)
    wanted, found = (OnnxBackbone.open(data).run(batch) for data in (network(), int8().data))
    assert np.abs(found.embedding - wanted.embedding).max() < 0.02 * np.abs(wanted.embedding).max()
    assert found.feature_map is not None
    np.testing.assert_allclose(found.feature_map.mean(axis=(2, 3)), found.embedding, atol=1e-4)
    assert int8().figures.similarity > 0.999


def test_an_image_is_seen_alike_in_every_batch() -> None:
    backbone, batch = OnnxBackbone.open(int8().data), pictures(9, seed=2)
    together = backbone.run(batch).embedding
    alone = np.concatenate([backbone.run(image[None]).embedding for image in batch])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_weights_are_int8_and_the_ends_stay_float() -> None:
    graph = graph_of(int8().data)
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    weights = [name for tensor in graph.initializer if len(tensor.dims) == 4 for name in [tensor.name]]
    assert {kinds[name] for name in weights} == {TensorProto.INT8}
    largest = max(int(np.abs(numpy_helper.to_array(t)).max()) for t in graph.initializer if t.name in weights)
    assert largest <= 64  # 7 bits: pairs of products fit into 16
    operators = [node.op_type for node in graph.node]
    assert operators.index("Cast") < operators.index("QuantizeLinear")
    pool = next(node for node in graph.node if node.output[0] == "epilogue_mean")
    maker = next(node for node in graph.node if pool.input[0] in node.output)
    assert maker.op_type != "DequantizeLinear"


def test_no_kernel_saturates() -> None:
    """ONNX Runtime's slow path for processors without VNNI cannot saturate: the fast one must give the same numbers."""
    batch = np.full((1, 32, 32, 3), 255, np.uint8)
    found = []
    for precise in ("0", "1"):
        options = session_options(1)
        options.add_session_config_entry("session.x64quantprecision", precise)
        session = onnxruntime.InferenceSession(loud(), options, providers=["CPUExecutionProvider"])
        found.append(session.run(["embedding"], {"image": batch})[0])
    np.testing.assert_array_equal(*found)
    assert found[0].max() > 1000


def loud() -> bytes:
    """Int8 form of a network all of whose weights are the largest, on pixels that are all white."""
    g = GraphBuilder()
    x = g.add("Transpose", g.add("Cast", "image", to=1), perm=[0, 3, 1, 2])
    for channels in ((16, 3), (16, 16)):
        x = g.add("Conv", x, g.constant(np.ones((*channels, 3, 3), np.float32)), kernel_shape=[3, 3], pads=[1] * 4)
    g.add("ReduceMean", x, g.ints(2, 3), output="embedding", keepdims=0)
    return quantize(carded(g, 16), np.full((2, 32, 32, 3), 255, np.uint8)).data


def test_figures() -> None:
    figures = int8().figures
    assert (figures.method, figures.n_images) == ("minmax", 20)
    assert (figures.n_int8_layers, figures.n_float_layers) == (2, 0)
    assert (figures.float_bytes, figures.int8_bytes) == (len(network()), len(int8().data))


def test_equal_input_gives_equal_bytes() -> None:
    assert quantize(OnnxBackbone.open(network()), list(pictures())).data == int8().data
    code = "import tests.backbones.test_quantize as t, hashlib; print(hashlib.sha256(t.int8().data).hexdigest())"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sha256(int8().data).hexdigest()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_works_and_prints_nothing(method: str, capfd: pytest.CaptureFixture[str]) -> None:
    result = quantize(network(), pictures(), method=method)
    assert result.figures.similarity > 0.99
    assert f"{method} of 20 images" in result.card.notes
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("kept", "n_int8"), [(["first"], 1), (["last"], 1), ([], 2)])
def test_layers_can_be_kept_in_float(kept: list[str], n_int8: int) -> None:
    result = quantize(network(), pictures(), keep_float=kept)
    assert (result.figures.n_int8_layers, result.figures.n_float_layers) == (n_int8, 2 - n_int8)
    assert result.card.notes.endswith("".join(f", {name} layer in float" for name in kept) + ".")
    stored = [t.data_type for t in graph_of(result.data).initializer if len(t.dims) == 4]
    assert stored.count(TensorProto.INT8) == n_int8


def test_weights_stored_as_float16_are_unfolded_first() -> None:
    model = onnx.load_model_from_string(tiny_backbone_bytes())
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), "half")
    model.graph.node.insert(0, helper.make_node("Cast", ["half"], [weight.name], to=TensorProto.FLOAT))
    model.graph.initializer.append(half)
    model.graph.initializer.remove(weight)
    data = serialise(model)
    result = quantize(data, pictures())
    assert result.figures.n_int8_layers == 1
    assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in graph_of(result.data).initializer}
    assert result.figures.similarity > 0.999


def test_products_of_two_activations_stay_float() -> None:
    rng = np.random.default_rng(0)
    g = GraphBuilder()
    x = g.add("ReduceMean", g.add("Cast", "image", to=1), g.ints(1), keepdims=0)
    x = g.add("MatMul", x, g.constant(rng.normal(size=(3, 8)).astype(np.float32)))
    x = g.add("MatMul", g.add("MatMul", x, g.add("Transpose", x, perm=[0, 2, 1])), x)
    x = g.add("MatMul", x, g.constant(rng.normal(size=(8, 4)).astype(np.float32)))
    g.add("ReduceMean", x, g.ints(1), output="embedding", keepdims=0)
    result = quantize(carded(g, 4), pictures())
    assert (result.figures.n_int8_layers, result.figures.n_float_layers) == (2, 0)
    graph = graph_of(result.data)
    maker = {name: node.op_type for node in graph.node for name in node.output}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    fed_by_int8 = [all(maker.get(name) == "DequantizeLinear" for name in node.input) for node in products]
    assert fed_by_int8 == [True, False, False, True]


def test_calibration_holds_one_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    original, seen = tool.quantize_static, []

    def watched(source: Path, target: Path, reader: Any, **options: Any) -> None:
        reader.set_range(1, 3)
        seen.extend([len(reader), options["extra_options"]["CalibStridedMinMax"]])
        while (inputs := reader.get_next()) is not None:
            seen.append(inputs["image"].shape)
        original(source, target, reader, **options)

    monkeypatch.setattr(tool, "quantize_static", watched)
    assert quantize(network(), pictures()).data == int8().data
    assert seen == [10, 1, (2, 32, 32, 3), (2, 32, 32, 3)]


@pytest.mark.parametrize("fault", [None, ValueError("an odd graph\nmore"), OSError(28, "No space left on device")])
def test_the_temporary_folder_is_gone_afterwards(
    fault: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any, **options: Any) -> None:
        assert list(tmp_path.iterdir())
        raise fault or AssertionError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if fault is None:
        quantize(network(), pictures(4))
    else:
        monkeypatch.setattr(tool, "quantize_static", failing)
        found = refused(lambda: quantize(network(), pictures(4)))
        assert (
            found
            == {
                ValueError: (
                    Reason.BACKBONE_INVALID,
                    f"the backbone 'net' cannot be quantised by {TOOL}: an odd graph",
                ),
                OSError: (
                    Reason.WRITE_FAILED,
                    "the temporary folder for the quantisation cannot be written: No space left on device",
                ),
            }[type(fault)]
        )
    assert list(tmp_path.iterdir()) == []


def test_a_backbone_in_int8_is_refused() -> None:
    assert invalid(int8().data) == (
        "the backbone 'net-int8' is in int8 already; quantise the float file it was made of"
    )


def test_classic_is_refused() -> None:
    assert invalid(classic_bytes()) == (
        "the backbone 'classic' has no trained weights that int8 could make smaller or faster, and its histograms would "
        "lose their precision; quantise models with a trained network"
    )


def test_a_network_without_weights_is_refused() -> None:
    g = GraphBuilder()
    g.add("ReduceMean", g.add("Cast", "image", to=1), g.ints(1, 2), output="embedding", keepdims=0)
    assert invalid(carded(g, 3)) == (
        "the backbone 'odd' has no layer with weights (convolution, matrix product) to make int8"
    )


def test_all_layers_in_float_are_refused() -> None:
    assert invalid(network(), keep_float=["first", "last"]) == (
        "the backbone has 2 layers with weights and all of them are kept in float; keep fewer of them"
    )


def test_other_files_are_refused() -> None:
    assert invalid(classifier_net()) == (
        "the backbone has no card under 'tellapart.backbone'; convert it first (tellapart.backbones.convert)"
    )
    assert invalid(b"\x00 no network").startswith("the backbone is not an ONNX file, or is cut short: ")


def test_options_are_checked() -> None:
    assert bad(pictures(4), method="magic") == (
        "the calibration method is one of minmax, percentile, entropy, got 'magic'"
    )
    assert bad(pictures(4), keep_float=["middle"]) == (
        "the layers that can be kept in float are called 'first' and 'last', got 'middle'"
    )
    sizes = "calibration needs images of one size, uint8 (n, h, w, 3) with n at least 1, got "
    assert bad([]) == f"{sizes}none"
    assert bad(pictures(0)) == f"{sizes}uint8 (0, 32, 32, 3)"
    assert bad([*pictures(1), *pictures(1, 24)]) == f"{sizes}uint8 (1, 32, 32, 3), uint8 (1, 24, 24, 3)"


def test_calibration_images_are_pixels() -> None:
    assert refused(lambda: quantize(network(), pictures(2).astype(np.float32))) == (  # type: ignore[arg-type]
        Reason.BACKBONE_INVALID,
        "a batch is uint8 (n, h, w, 3), got float32 (2, 32, 32, 3)",
    )
