from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.errors import BackboneError, Reason, SettingsError

IMAGE = np.zeros((1, 32, 32, 3), np.uint8)
CARD = BackboneCard("bad", "MIT", "a test", "decode|upright|fit(32)", 3)


def graph_bytes(
    nodes: Callable[[GraphBuilder], Any],
    *,
    card: BackboneCard | None = CARD,
    size: int | str = "h",
    shape: Any = ("n", 3),
) -> bytes:
    g = GraphBuilder()
    nodes(g)
    metadata = {} if card is None else {CARD_KEY: card.to_json()}
    outputs = [float_output("embedding", list(shape))]
    return serialise(g.model("bad", inputs=[image_input(size, size)], outputs=outputs, metadata=metadata))


def mean_colour(g: GraphBuilder) -> None:
    g.add("ReduceMean", g.add("Cast", "image", to=1), g.ints(1, 2), keepdims=0, output="embedding")


def refused(data: bytes) -> str:
    with pytest.raises(BackboneError) as caught:
        OnnxBackbone.open(data)
    assert caught.value.reason is Reason.BACKBONE_INVALID
    return str(caught.value)


def test_opens_a_file_and_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_backbone_bytes())
    backbone = OnnxBackbone.open(path)
    assert backbone.onnx_bytes() == tiny_backbone_bytes()
    assert backbone.sha256 == hashlib.sha256(tiny_backbone_bytes()).hexdigest()
    assert (backbone.provider, backbone.threads) == ("cpu", 1)


def test_a_swapped_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_backbone_bytes())
    backbone = OnnxBackbone.open(path)
    path.write_bytes(tiny_backbone_bytes("other"))
    with pytest.raises(BackboneError, match=r"has changed since it was opened; open it again$"):
        backbone.onnx_bytes()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackboneError) as caught:
        OnnxBackbone.open(tmp_path / "no.onnx")
    expected = f"the backbone file {str(tmp_path / 'no.onnx')!r} cannot be read: No such file or directory"
    assert str(caught.value) == expected


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00" * 100, tiny_backbone_bytes()[:900]])
def test_bytes_that_are_no_onnx_file(data: bytes) -> None:
    assert refused(data).startswith("the backbone is not an ONNX file, or is cut short: ")


def test_external_data() -> None:
    model = onnx.load_model_from_string(tiny_backbone_bytes())
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    message = refused(model.SerializeToString())
    assert message == "the backbone keeps weights in a second file (external data); save it as one ONNX file"


def test_custom_operators() -> None:
    data = graph_bytes(lambda g: g.add("Magic", g.add("Cast", "image", to=1), domain="acme", output="embedding"))
    model = onnx.load_model_from_string(data)
    model.opset_import.append(helper.make_opsetid("acme", 1))
    message = refused(model.SerializeToString())
    assert message.startswith(f"the backbone uses an operator that ONNX Runtime {ort.__version__} does not know: ")


def test_a_foreign_file_is_sent_to_convert() -> None:
    message = refused(graph_bytes(mean_colour, card=None))
    assert message == (
        "the file is not in tellapart's form: expected one input 'image' uint8 (n, h, w, 3) with free n and a card "
        "under 'tellapart.backbone', got inputs [image tensor(uint8) ['n', 'h', 'h', 3]] without a card; "
        "tellapart.backbones.convert turns an image ONNX file into it"
    )


def test_wrong_input_type() -> None:
    model = onnx.load_model_from_string(graph_bytes(mean_colour))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    assert "got inputs [image tensor(float) ['n', 'h', 'h', 3]] with a card" in refused(model.SerializeToString())


def test_output_without_batch_axis() -> None:
    data = graph_bytes(
        lambda g: g.add("ReduceMean", g.add("Cast", "image", to=1), g.ints(0, 1, 2), keepdims=0, output="embedding"),
        shape=(3,),
    )
    assert refused(data) == (
        "the output 'embedding' must be float32 with 2 axes, a free batch axis first, got tensor(float) [3]"
    )


def test_batch_axis_that_lies() -> None:
    data = graph_bytes(
        lambda g: g.add("ReduceMean", g.add("Cast", "image", to=1), g.ints(0, 1), keepdims=0, output="embedding"),
        shape=("rows", 3),
    )
    with pytest.raises(BackboneError, match=r"answered embeddings \(32, 3\), expected \(2, 3\)"):
        OnnxBackbone.open(data).run(np.zeros((2, 32, 32, 3), np.uint8))


def test_card_and_graph_disagree() -> None:
    card = BackboneCard("bad", "MIT", "a test", "decode|upright|fit(32)", 4)
    assert refused(graph_bytes(mean_colour, card=card)) == "the card says 4 embedding columns, the graph has 3"


def test_nan_is_refused() -> None:
    def nan(g: GraphBuilder) -> None:
        mean = g.add("ReduceMean", g.add("Cast", "image", to=1), g.ints(1, 2), keepdims=0)
        g.add("Div", mean, mean, output="embedding")

    with pytest.raises(BackboneError, match=r"^the backbone 'bad' answered values that are not finite numbers"):
        OnnxBackbone.open(graph_bytes(nan)).run(IMAGE)


def test_fixed_image_size() -> None:
    backbone = OnnxBackbone.open(graph_bytes(mean_colour, size=48))
    with pytest.raises(BackboneError) as caught:
        backbone.run(IMAGE)
    assert str(caught.value) == (
        "the backbone 'bad' takes images of 48×48 px only, got 32×32; "
        "its own preprocess string is 'decode|upright|fit(32)'"
    )


@pytest.mark.parametrize(
    "batch", [IMAGE[0], IMAGE.astype(np.float32), IMAGE[..., :1], IMAGE[:0], IMAGE.transpose(0, 3, 1, 2)]
)
def test_batches_that_do_not_fit(batch: Any) -> None:
    with pytest.raises(BackboneError, match=r"^a batch is uint8 \(n, h, w, 3\), got "):
        OnnxBackbone.open(tiny_backbone_bytes()).run(batch)


@pytest.mark.parametrize("provider, extra", [("cuda", "gpu"), ("openvino", "openvino")])
def test_a_provider_is_an_error_where_it_is_missing(provider: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(BackboneError) as caught:
        OnnxBackbone.open(tiny_backbone_bytes(), provider=provider)
    assert caught.value.reason is Reason.PROVIDER_UNAVAILABLE
    assert str(caught.value) == (
        f"the provider {provider!r} cannot be used: this ONNX Runtime was built without it: pip install "
        f"'tellapart[{extra}]'; or choose provider 'cpu' or 'auto'"
    )
    assert OnnxBackbone.open(tiny_backbone_bytes(), provider="auto").provider == "cpu"


def test_openvino_gives_the_same_features() -> None:
    if "OpenVINOExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this ONNX Runtime was built without OpenVINO (extra `openvino`)")
    plain, other = (OnnxBackbone.open(tiny_backbone_bytes(), provider=name) for name in ("cpu", "openvino"))
    assert other.provider == "openvino"
    batch = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    np.testing.assert_allclose(plain.run(batch).embedding, other.run(batch).embedding, atol=1e-4)


def test_settings() -> None:
    with pytest.raises(SettingsError, match=r"^the provider must be 'cpu', 'cuda', 'openvino' or 'auto', got 'tpu'$"):
        OnnxBackbone.open(tiny_backbone_bytes(), provider="tpu")
    with pytest.raises(SettingsError, match=r"^a backbone needs at least 1 thread, got threads=0$"):
        OnnxBackbone.open(tiny_backbone_bytes(), threads=0)


def test_faults_of_a_card_come_together() -> None:
    with pytest.raises(BackboneError) as caught:
        BackboneCard.from_json('{"version": 2, "name": "", "licence": "MIT", "source": 3, "preprocess": "x"}')
    assert str(caught.value) == (
        "the backbone's card is not one that this version reads: version must be 1, got 2; "
        "name must be a text that is not empty, got ''; source must be a text that is not empty, got 3; "
        "embedding_dim must be a whole number above 0, got None"
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version":1,"name":"a"}'])
def test_other_texts_are_no_card(text: str) -> None:
    with pytest.raises(BackboneError, match=r"^the backbone's card is "):
        BackboneCard.from_json(text)


@pytest.mark.parametrize("first", ["onnx", "quantize"])
def test_onnx_runtime_reports_nothing(first: str, tmp_path: Path) -> None:
    """It would leave an identifier and a queue of reports in the cache folder (see `backbones/__init__.py`)."""
    code = (
        f"import tellapart.backbones.{first}\n"
        "from tellapart.backbones.registry import load_backbone\n"
        "import numpy as np\n"
        "load_backbone('classic').run(np.zeros((1, 64, 64, 3), np.uint8))"
    )
    told = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    subprocess.run([sys.executable, "-c", code], env=told | {"XDG_CACHE_HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
