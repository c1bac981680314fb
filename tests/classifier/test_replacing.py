"""A model that is replaced while others read it, and one that somebody else has replaced."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.classifier.models import model, own_copy

from tellapart.classifier import folder
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.enclosures import Enclosures
from tellapart.classifier.folder import CARD, clear_abandoned
from tellapart.classifier.storage import check_all, load, load_enclosures, read_card, save
from tellapart.errors import ModelError, Reason
from tellapart.heads.calibration import Calibration
from tellapart.records import Task


def test_a_reader_gets_the_old_or_the_new_model_while_it_is_replaced(tmp_path: Path) -> None:
    path = own_copy(tmp_path)
    over = threading.Event()

    def swap() -> None:
        turn = 0
        while not over.is_set():
            save(model().with_card(name=f"turn-{turn % 2}"), path)
            turn += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(25):
            assert load(path).card.name in ("colours", "turn-0", "turn-1")
            assert check_all(path) > 2
            load_enclosures(path)
    finally:
        over.set()
        thread.join()


def _version(number: int) -> Classifier:
    """The model with another calibration and another file beside it."""
    one = Calibration.identity(Task.MULTICLASS, 3)
    head = model().head.calibrated(replace(one, temperature=one.temperature * number))
    return replace(model(), head=head, enclosures=Enclosures(others={"a.json": b"%d" % number}))


@pytest.mark.parametrize("read", [load, load_enclosures, check_all])
def test_a_model_that_is_replaced_between_two_of_its_files_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object]
) -> None:
    path, check_file, left = tmp_path / "m", folder.check_file, [2, 3]
    save(_version(1), path)

    def meanwhile(files: folder.ModelFiles, name: str, expected: str) -> None:
        if left:
            save(_version(left.pop(0)), path)
        check_file(files, name, expected)

    monkeypatch.setattr("tellapart.classifier.storage.check_file", meanwhile)
    read(path)
    assert left == []
    assert load_enclosures(path).others == {"a.json": b"3"}


def test_damage_is_told_at_once_where_nobody_replaces_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_copy(tmp_path)
    (path / "head.safetensors").write_bytes(b"no head")
    readings = []
    monkeypatch.setattr(
        "tellapart.classifier.storage.open_files", lambda at: readings.append(at) or folder.open_files(at)
    )
    with pytest.raises(ModelError) as caught:
        load(path)
    assert (caught.value.reason, len(readings)) == (Reason.MODEL_DAMAGED, 1)


@pytest.mark.parametrize("name", ["colours", "colours.zip"])
def test_a_model_that_another_program_replaced_is_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save(model(), path)
    before = folder.open_files(path).read(CARD)
    save(model().with_card(name="another"), path)
    with pytest.raises(ModelError) as caught:
        save(model().with_card(name="third"), path, replaces=before)
    assert caught.value.reason is Reason.MODEL_CHANGED
    assert str(caught.value) == (
        f"the model {path} was replaced by another program meanwhile, so nothing was written; run the command again"
    )
    assert read_card(path).name == "another"
    assert [one.name for one in tmp_path.iterdir()] == [name]
    now = folder.open_files(path).read(CARD)
    assert save(model().with_card(name="third"), path, replaces=now).card.name == read_card(path).name == "third"


def test_what_a_kill_left_behind_is_cleared_once_it_is_old(tmp_path: Path) -> None:
    path = own_copy(tmp_path)
    strangers = [tmp_path / ".colours-2.new-00", tmp_path / ".other.new-00"]
    old = [tmp_path / ".colours.new-0123abcd", tmp_path / ".colours.old-0123abcd"]
    for one in (*strangers, *old):
        shutil.copytree(path, one)
    young = tmp_path / ".colours.new-ffffffff"
    young.mkdir()
    for one in (*strangers, *old):
        os.utime(one, (1e9, 1e9))
    assert clear_abandoned(path) == 2
    assert sorted(tmp_path.iterdir()) == sorted([path, young, *strangers])


def test_the_old_model_waits_where_a_kill_fell_between_the_renames(tmp_path: Path) -> None:
    path = own_copy(tmp_path)
    aside = tmp_path / ".colours.old-0123abcd"
    path.rename(aside)
    os.utime(aside, (1e9, 1e9))
    assert clear_abandoned(path) == 0
    assert load(path).card.name == "colours"
