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


def network_path(store: Store) -> Path:
    return next(store.folder.glob("*.onnx"))


def entry_path(store: Store) -> Path:
    return next(store.folder.glob("*.json"))


@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: data.replace(b"tiny", b"Tiny")])
def test_a_swapped_file_is_refused(store: Store, change: object) -> None:
    path = network_path(store)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(BackboneError, match=r"is not the file that was added as timm/tiny\.t") as caught:
        load_backbone(NAME, store=store)
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH


def test_a_lost_file_is_refused(store: Store) -> None:
    network_path(store).unlink()
    with pytest.raises(BackboneError, match=r"now unreadable.*delete it and add it again"):
        store.verified(NAME)


def test_a_new_version_takes_the_place_of_the_old_one_in_one_step(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads while another process adds, or after it was killed or the disk was full, finds the old one."""
    old, data = store.get(NAME), tiny_backbone_bytes(name="newer")
    card = OnnxBackbone.open(data).card
    seen = []

    def full(self: Path, *_args: object, **_options: object) -> int:
        seen.append(store.verified(NAME))
        raise OSError(28, "No space left on device")

    for kind in ("write_bytes", "write_text"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, kind, full)
            with pytest.raises(BackboneError, match="No space left on device"):
                store.add(NAME, data, card, 0.0)
        assert store.get(NAME) == old
    assert len(seen) == 2
    store.add(NAME, data, card, 0.0)
    assert load_backbone(NAME, store=store).name == "newer"
    assert len(list(store.folder.glob("*.onnx"))) == 1


def test_names_share_a_network(store: Store) -> None:
    data = tiny_backbone_bytes()
    store.add("timm/other", data, OnnxBackbone.open(data).card, 0.0)
    assert store.remove(NAME)
    assert store.verified("timm/other").is_file()


def test_files_are_kept_but_not_listed(store: Store) -> None:
    data = tiny_backbone_bytes()
    store.add("file:0123", data, OnnxBackbone.open(data).card, 0.0)
    assert [entry.name for entry in store.entries()] == [NAME]
    assert store.get("file:0123") is not None


def test_removed_is_gone(store: Store) -> None:
    assert store.remove(NAME)
    assert not store.remove(NAME)
    assert store.entries() == []
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x"}', "[" * 200_000])
def test_a_strange_entry_is_no_entry(store: Store, text: str) -> None:
    entry_path(store).write_text(text, encoding="utf-8")
    assert store.entries() == []
    assert store.get(NAME) is None


@pytest.mark.parametrize("key, value", [("name", None), ("n_bytes", "9"), ("sha256", "../../x"), ("licence", [])])
def test_an_entry_with_a_strange_value_is_no_entry(store: Store, key: str, value: object) -> None:
    path = entry_path(store)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {key: value}), encoding="utf-8")
    assert store.entries() == []


def test_an_entry_under_another_name_is_no_entry(store: Store) -> None:
    stolen = json.loads(entry_path(store).read_text(encoding="utf-8"))
    stolen["name"] = "timm/other.t"
    entry_path(store).write_text(json.dumps(stolen), encoding="utf-8")
    assert store.entries() == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    data = tiny_backbone_bytes()
    with pytest.raises(BackboneError, match=r"the backbone x could not be kept in .*file: ") as caught:
        Store(tmp_path / "file").add("x", data, OnnxBackbone.open(data).card, 0.0)
    assert caught.value.reason is Reason.WRITE_FAILED


def test_a_network_that_another_process_replaces_meanwhile_is_taken_as_it_is_then(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = store.get(NAME)
    other = tiny_backbone_bytes(spec="decode|upright|fit(16)")
    new = store.add(NAME, other, OnnxBackbone.open(other).card, 1e-7)
    assert old is not None
    assert not store.network_path(old).exists()
    reads = iter([old])  # what was read just before the other process was done
    get = Store.get
    monkeypatch.setattr(Store, "get", lambda self, name: next(reads, None) or get(self, name))
    assert store.verified(NAME) == store.network_path(new)
