from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.registry import available, load_backbone
from tellapart.backbones.store import Store
from tellapart.errors import BackboneError, Reason

NAME = "timm/tiny.t"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    data = tiny_backbone_bytes()
    store = Store(tmp_path / "backbones")
    store.add(NAME, data, OnnxBackbone.open(data).card, 1e-7)
    return store


def test_what_was_added_is_found_by_name_without_the_hub(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    assert load_backbone(NAME, store=store).embedding_dim == OnnxBackbone.open(tiny_backbone_bytes()).embedding_dim
    assert [entry.name for entry in store.entries()] == [NAME]
    assert [one.name for one in available(store)][-1] == NAME


@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: data.replace(b"tiny", b"Tiny")])
def test_a_swapped_file_is_refused(store: Store, change: object) -> None:
    path = store.path(NAME)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(BackboneError, match=r"is not the file that was added as timm/tiny\.t") as caught:
        load_backbone(NAME, store=store)
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH


def test_a_lost_file_is_refused(store: Store) -> None:
    store.path(NAME).unlink()
    with pytest.raises(
        BackboneError, match=r"now unreadable.*`tellapart backbones remove timm/tiny.t` and add it again"
    ):
        store.verified(NAME)


def test_removed_is_gone(store: Store) -> None:
    assert store.remove(NAME)
    assert not store.remove(NAME)
    assert store.entries() == []
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x"}'])
def test_a_strange_entry_is_no_entry(store: Store, text: str) -> None:
    store.path(NAME).with_suffix(".json").write_text(text, encoding="utf-8")
    assert store.entries() == []
    assert store.get(NAME) is None


def test_an_entry_under_another_name_is_no_entry(store: Store) -> None:
    stolen = json.loads(store.path(NAME).with_suffix(".json").read_text(encoding="utf-8"))
    stolen["name"] = "timm/other.t"
    store.path(NAME).with_suffix(".json").write_text(json.dumps(stolen), encoding="utf-8")
    assert store.entries() == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    data = tiny_backbone_bytes()
    with pytest.raises(BackboneError, match=r"the backbone x could not be kept in .*file: ") as caught:
        Store(tmp_path / "file").add("x", data, OnnxBackbone.open(data).card, 0.0)
    assert caught.value.reason is Reason.WRITE_FAILED
