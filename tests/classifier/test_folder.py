"""A model on disk is whole or not there, and nothing unsafe is read."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from tellapart.classifier import folder
from tellapart.classifier.folder import check_file, is_model, open_files, write_model
from tellapart.errors import ModelError, Reason


def card(*names: str) -> bytes:
    return json.dumps({"format": 1, "model_id": "m@1", "files": dict.fromkeys(names, "0")}).encode()


OLD = {"model.json": card("head.safetensors", "golden/a.png"), "head.safetensors": b"old" * 1000, "golden/a.png": b"1"}
NEW = {"model.json": card("head.safetensors", "golden/b.png"), "head.safetensors": b"new" * 1000, "golden/b.png": b"2"}


def contents(path: Path) -> dict[str, bytes]:
    files = open_files(path)
    return {name: files.read(name) for name in files.names()}


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_written_files_are_read_back(tmp_path: Path, name: str) -> None:
    write_model(tmp_path / name, OLD)
    assert contents(tmp_path / name) == OLD
    assert is_model(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_an_older_model_is_replaced_whole(tmp_path: Path, name: str) -> None:
    write_model(tmp_path / name, OLD)
    write_model(tmp_path / name, NEW)
    assert contents(tmp_path / name) == NEW
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_replacing_works_where_the_system_cannot_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_exchange", lambda *_: False)
    write_model(tmp_path / "model", OLD)
    write_model(tmp_path / "model", NEW)
    assert contents(tmp_path / "model") == NEW


def test_a_kill_between_two_renames_is_mended_by_the_next_reader(tmp_path: Path) -> None:
    write_model(tmp_path / "model", OLD)
    (tmp_path / "model").rename(tmp_path / ".model.old-0123abcd")
    assert contents(tmp_path / "model") == OLD


def test_what_is_not_a_model_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(ModelError) as caught:
        write_model(tmp_path / "photos", NEW)
    assert caught.value.reason is Reason.OUTPUT_EXISTS
    assert str(caught.value) == (
        f"{tmp_path / 'photos'} exists and is not a tellapart model; choose another name, nothing was overwritten"
    )
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"x"


def test_another_programs_model_json_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "model.json").write_text('{"format": "layers-model"}')
    (tmp_path / "web" / "thesis.tex").write_text("years of work")
    with pytest.raises(ModelError) as caught:
        write_model(tmp_path / "web", NEW)
    assert caught.value.reason is Reason.OUTPUT_EXISTS
    assert (tmp_path / "web" / "thesis.tex").exists()


def test_a_persons_notes_in_a_model_folder_are_not_lost(tmp_path: Path) -> None:
    write_model(tmp_path / "model", OLD)
    (tmp_path / "model" / "notes.txt").write_text("threshold agreed with Anna")
    with pytest.raises(ModelError) as caught:
        write_model(tmp_path / "model", NEW)
    assert str(caught.value) == (
        f"{tmp_path / 'model'} holds files that are not of the model and would be lost with it: notes.txt; "
        "move them, or choose another name"
    )
    assert contents(tmp_path / "model")["notes.txt"] == b"threshold agreed with Anna"


def test_an_empty_folder_may_become_a_model(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model", NEW)
    assert contents(tmp_path / "model") == NEW


def test_a_missing_model_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        open_files(tmp_path / "nowhere")
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    assert str(caught.value) == (
        f"there is no model at {tmp_path / 'nowhere'}: expected a folder with model.json in it, or a .zip of one; "
        "make one with `tellapart train DATA -o MODEL`"
    )


@pytest.mark.parametrize("member", ["../evil.txt", "/etc/evil", "a\\..\\evil", "C:evil", "x/../../evil"])
def test_a_zip_with_a_member_outside_is_refused(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("model.json", "{}")
        archive.writestr(zipfile.ZipInfo(member), "x")
    with pytest.raises(ModelError) as caught:
        open_files(tmp_path / "model.zip")
    assert caught.value.reason is Reason.MODEL_DAMAGED


def test_a_compressed_zip_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", b"0" * 10_000_000)
    with pytest.raises(ModelError) as caught:
        open_files(tmp_path / "model.zip")
    assert str(caught.value) == (
        f"{tmp_path / 'model.zip'}: member 'model.json' is compressed, a model's members are stored as they are; "
        "write it with `tellapart model pack`"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_holds_a_member_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("model.json", "{}")
        archive.writestr("model.json", "{ }")
    with pytest.raises(ModelError) as caught:
        open_files(tmp_path / "model.zip")
    assert caught.value.reason is Reason.MODEL_DAMAGED


@pytest.mark.parametrize("size", [0, 3, 40, 200])
def test_a_cut_zip_is_damaged_not_a_traceback(tmp_path: Path, size: int) -> None:
    write_model(tmp_path / "model.zip", OLD)
    data = (tmp_path / "model.zip").read_bytes()
    (tmp_path / "model.zip").write_bytes(data[:size])
    with pytest.raises(ModelError) as caught:
        open_files(tmp_path / "model.zip")
    assert caught.value.reason is Reason.MODEL_DAMAGED


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_a_changed_byte_is_found(tmp_path: Path, name: str) -> None:
    write_model(tmp_path / name, OLD)
    files = open_files(tmp_path / name)
    check_file(files, "golden/a.png", sha256(b"1").hexdigest())
    with pytest.raises(ModelError) as caught:
        check_file(files, "golden/a.png", sha256(b"2").hexdigest())
    assert caught.value.reason is Reason.MODEL_DAMAGED
    with pytest.raises(ModelError) as caught:
        check_file(files, "gone", sha256(b"2").hexdigest())
    assert str(caught.value) == f"the model {tmp_path / name} lacks its file gone; copy it again, or train it again"


_WRITER = """
import json, sys
from pathlib import Path
from tellapart.classifier.folder import write_model
path = Path(sys.argv[1])
files = {"head.safetensors": "0", "golden/0.png": "0"}
print("go", flush=True)
while True:
    for fill in (b"a", b"b"):
        card = json.dumps({"format": 1, "model_id": fill.decode(), "files": files}).encode()
        write_model(path, {"model.json": card, "head.safetensors": fill * 200_000, "golden/0.png": fill * 1000})
"""


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_kill_at_any_moment_leaves_one_whole_model(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    first = card("head.safetensors", "golden/0.png").replace(b"m@1", b"a")
    write_model(path, {"model.json": first, "head.safetensors": b"a" * 200_000, "golden/0.png": b"a" * 1000})
    moments = random.Random(0)
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.05))  # the moment of the kill is the point, not a wait for something
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = contents(path)
        assert set(found) == {"model.json", "head.safetensors", "golden/0.png"}
        fills = {found["head.safetensors"][:1], found["golden/0.png"][:1]}
        assert fills == {json.loads(found["model.json"])["model_id"].encode()}
        assert [len(found[n]) for n in ("golden/0.png", "head.safetensors")] == [1000, 200_000]
