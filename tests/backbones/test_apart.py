from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tests.builders_nets import classifier_net
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones import apart
from tellapart.backbones.adding import prepare_file
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.source_card import SourceCard
from tellapart.backbones.store import Store
from tellapart.errors import BackboneError, MissingExtra, Reason


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process finds `jobs_apart`, which does what hostile files make libraries do."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def run(job: str, **options: float) -> object:
    return apart.run_apart(f"jobs_apart:{job}", "the network 'x'", {"value": 7}, **options)


@pytest.mark.usefixtures("jobs")
def test_a_process_that_dies_is_a_sentence() -> None:
    with pytest.raises(BackboneError) as caught:
        run("crash")
    assert caught.value.reason is Reason.BACKBONE_INVALID
    assert str(caught.value) == (
        "the network 'x' killed the process that tried it out (SIGSEGV: a fault in the file, or too little memory); "
        "it is not used"
    )


@pytest.mark.usefixtures("jobs")
def test_a_process_that_hangs_is_ended() -> None:
    with pytest.raises(BackboneError, match=r"^the network 'x' was tried out for 1 s without an end; it is not used$"):
        run("hang", time_limit_s=1)


@pytest.mark.usefixtures("jobs")
def test_an_error_nobody_expected_is_a_sentence() -> None:
    with pytest.raises(
        BackboneError, match=r"ended the process that tried it out: ZeroDivisionError: no; it is not used$"
    ):
        run("stop")


@pytest.mark.usefixtures("jobs")
def test_chatter_does_no_harm_and_errors_keep_their_kind() -> None:
    assert run("chat") == 7
    assert run("chat_at_exit") == 7
    with pytest.raises(MissingExtra, match=r"^pip install more$") as caught:
        run("refuse")
    assert caught.value.reason is Reason.MISSING_EXTRA


@pytest.mark.usefixtures("jobs")
def test_a_process_that_leaves_without_a_word_is_a_sentence() -> None:
    with pytest.raises(BackboneError, match=r"ended the process that tried it out: without a word; it is not used$"):
        run("leave")


@pytest.mark.usefixtures("jobs")
def test_a_full_disk_is_no_fault_of_the_file() -> None:
    with pytest.raises(
        BackboneError, match=r"^a file could not be read or written: \[Errno 28\] No space left"
    ) as caught:
        run("full")
    assert caught.value.reason is Reason.WRITE_FAILED


def test_a_folder_of_data_brings_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _foreign(tmp_path)
    for name in ("onnx", "onnxruntime", "numpy", "torch"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('hostile')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert isinstance(prepare_file(path, Store(tmp_path / "store")), Path)


def _foreign(folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(classifier_net())
    card = SourceCard("mine", "MIT", "a test", size=(32, 32))
    path.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(card)), encoding="utf-8")
    return path


def test_a_foreign_file_is_tried_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, store = _foreign(tmp_path), Store(tmp_path / "store")
    first = prepare_file(path, store)
    monkeypatch.setattr(apart.subprocess, "run", lambda *_args, **_options: pytest.fail("tried out again"))
    assert prepare_file(path, store) == first
    assert isinstance(first, Path)
    assert OnnxBackbone.open(first).name == "mine"


def test_a_licence_that_is_not_free_is_shown(tmp_path: Path) -> None:
    said: list[str] = []
    path = _foreign(tmp_path)
    prepare_file(path, Store(tmp_path / "store"), announce=said.append)
    assert said == []
    card = SourceCard("mine", "CC-BY-NC-4.0", "a test", size=(32, 32))
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    prepare_file(path, Store(tmp_path / "store"), announce=said.append)
    assert said == [f"{path}: licence CC-BY-NC-4.0, as its card says; whether that suits you is for you to judge"]


def test_another_card_is_another_backbone(tmp_path: Path) -> None:
    path, store = _foreign(tmp_path), Store(tmp_path / "store")
    first = prepare_file(path, store)
    card = SourceCard("mine", "MIT", "a test", size=(32, 32), mean=(0.5, 0.5, 0.5))
    path.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(card)), encoding="utf-8")
    assert prepare_file(path, store) != first


def test_without_a_place_to_keep_it_the_network_still_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    data = prepare_file(_foreign(tmp_path), Store(tmp_path / "file"))
    assert isinstance(data, bytes)
    assert OnnxBackbone.open(data).name == "mine"


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (lambda _data: b"not a network", "is not an ONNX file"),
        (lambda data: data[: len(data) // 2], "is not an ONNX file, or is cut short"),
        (lambda _data: b"", "is not an ONNX file, or is cut short"),
        (lambda data: data.replace(b"Relu", b"Rela"), "Rela"),
    ],
)
def test_files_that_are_no_networks_are_refused(tmp_path: Path, spoil: object, sentence: str) -> None:
    path = _foreign(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(BackboneError, match=sentence) as caught:
        prepare_file(path, Store(tmp_path / "store"))
    assert caught.value.reason is Reason.BACKBONE_INVALID
    assert Store(tmp_path / "store").entries() == []


def test_weights_in_another_file_are_refused_however_they_are_written(tmp_path: Path) -> None:
    import onnx

    model = onnx.load_model_from_string(tiny_backbone_bytes())
    tensor = next(one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    plain = model.SerializeToString()
    # The same message with the two fields of the entry in the other order, which any parser reads alike.
    field, value = b"\n\x08location", b"\x12\nsecret.bin"
    assert field + value in plain
    path = tmp_path / "net.onnx"
    path.write_bytes(plain.replace(field + value, value + field))
    with pytest.raises(BackboneError, match="weights in a second file"):
        prepare_file(path, Store(tmp_path / "store"))


def test_a_canonical_file_that_mixes_its_batch_is_refused(tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    model = onnx.load_model_from_string(tiny_backbone_bytes(feature_map=False))
    last = next(node for node in model.graph.node if "embedding" in node.output)
    last.output[0] = "inner"
    model.graph.node.append(helper.make_node("ReduceMean", ["inner"], ["mean"], axes=[0], keepdims=1))
    if model.opset_import[0].version >= 18:
        model.graph.initializer.append(helper.make_tensor("axis0", onnx.TensorProto.INT64, [1], [0]))
        model.graph.node[-1].CopyFrom(helper.make_node("ReduceMean", ["inner", "axis0"], ["mean"], keepdims=1))
    model.graph.node.append(helper.make_node("Sub", ["inner", "mean"], ["embedding"]))
    path = tmp_path / "mix.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BackboneError, match="an image's features depend on the other images of its batch"):
        prepare_file(path, Store(tmp_path / "store"))


def test_a_canonical_file_that_answers_nan_is_refused(tmp_path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(tiny_backbone_bytes())
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            value = np.full_like(numpy_helper.to_array(tensor), np.nan)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    path = tmp_path / "nan.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BackboneError, match="answered values that are not finite numbers"):
        prepare_file(path, Store(tmp_path / "store"))
