"""One change at a time, whole or not at all: locks, kills, full disks, interruptions, other programs."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.classifier.models import quick_train
from tests.workflows.classes.models import dynamic_model, more_images, photos

from tellapart.classifier.storage import load, read_card
from tellapart.errors import ModelError, Reason
from tellapart.workflows.classes import change as changing
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.classes.live import alone, opened
from tellapart.workflows.classes.merge import merge_classes
from tellapart.workflows.classes.rename import rename_class
from tellapart.workflows.classes.retire import retire_class
from tellapart.workflows.classes.undo import undo_change
from tellapart.workflows.verify import verify

ROOT = Path(__file__).parents[3]
OLD, NEW = ("blue", "green", "red"), ("green", "warm")


_HOLDING = """
import sys, time
from tellapart.workflows.classes.live import alone

with alone(sys.argv[1]):
    print("have", flush=True)
    time.sleep(60)
"""


def state(model: Path) -> tuple[str, ...]:
    """Labels of a model that is whole."""
    assert verify(model).n_golden == 3
    return load(model).labels


def test_a_second_writer_is_told_at_once(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    other = subprocess.Popen([sys.executable, "-c", _HOLDING, str(model)], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"have\n"
        began = time.monotonic()
        with pytest.raises(ModelError) as caught:
            retire_class(model, "green")
        assert time.monotonic() - began < 2
        assert caught.value.reason is Reason.MODEL_IN_USE
        assert str(caught.value) == (
            f"another process is changing the classes of {model}; wait until it is done, then run the command again"
        )
        assert retire_class(model, "green", preview=True).labels == ("blue", "red")  # looking is free
    finally:
        other.kill()
        other.wait()
        assert other.stdout is not None
        other.stdout.close()
    assert retire_class(model, "green").labels == ("blue", "red")  # a lock ends with its process
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours"]


def test_of_many_writers_each_wins_or_is_told(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    told: list[Reason] = []
    made: list[str] = []

    def rename(number: int) -> None:
        try:
            made.append(str(rename_class(model, "red", f"red-{number}").model_id))
        except ModelError as error:
            told.append(error.reason)
        except Exception as error:  # noqa: BLE001  the class is gone: another one was faster, and that is told too
            told.append(error.reason)  # type: ignore[attr-defined]

    threads = [threading.Thread(target=rename, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(told) == 5
    assert set(told) <= {Reason.MODEL_IN_USE, Reason.UNKNOWN_LABEL}
    assert read_card(model).model_id == made[0]


def test_a_model_that_train_replaced_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dynamic_model(tmp_path)
    fitted = changing.fitted

    def meanwhile(*arguments: object) -> object:
        quick_train(photos(), output=model, name="trained-anew")
        return fitted(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(changing, "fitted", meanwhile)
    with pytest.raises(ModelError) as caught:
        retire_class(model, "green")
    assert caught.value.reason is Reason.MODEL_CHANGED
    assert read_card(model).name == "trained-anew"
    assert state(model) == OLD
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", range(1, 16, 2))
def test_a_full_disk_or_an_interruption_leaves_the_old_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int
) -> None:
    model = dynamic_model(tmp_path)
    write, left = Path.open, [at]

    def full(self: Path, mode: str = "r", *more: object, **options: object) -> object:
        if "w" in mode and ".new-" in str(self):
            left[0] -= 1
            if not left[0]:
                raise error
        return write(self, mode, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises((ModelError, KeyboardInterrupt)) as caught:
        merge_classes(model, ["red", "blue"], "warm")
    monkeypatch.undo()
    assert left[0] == 0
    if isinstance(caught.value, ModelError):
        assert str(caught.value) == f"the model could not be written to {model}: No space left on device"
    assert state(model) == OLD
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours"]


@pytest.mark.parametrize("at", ["refitted", "effect", "described", "put"])
def test_an_interruption_of_the_work_leaves_the_old_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    model = dynamic_model(tmp_path)

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(changing, at, interrupted)
    with pytest.raises(KeyboardInterrupt):
        merge_classes(model, ["red", "blue"], "warm")
    assert state(model) == OLD
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from tellapart.classifier import folder
from tellapart.workflows.classes.merge import merge_classes

def die(*_): os.kill(os.getpid(), signal.SIGKILL)

where, model = sys.argv[1:3]
if where == "writing":
    written, keep = [0], Path.open
    def opening(self, mode="r", *more, **options):
        written[0] += "w" in mode and ".new-" in str(self)
        if written[0] > 5: die()
        return keep(self, mode, *more, **options)
    Path.open = opening
elif where == "before":
    folder._replace_folder = die
elif where == "between":
    folder._exchange = lambda a, b: False
    rename, count = os.rename, [0]
    def renaming(a, b):
        count[0] += 1
        if count[0] == 2: die()
        rename(a, b)
    os.rename = renaming
elif where == "after":
    folder._remove = die
merge_classes(model, ["red", "blue"], "warm")
"""


@pytest.mark.parametrize(("where", "expected"), [("writing", OLD), ("before", OLD), ("between", OLD), ("after", NEW)])
def test_kill_at_any_step_leaves_one_whole_model(tmp_path: Path, where: str, expected: tuple[str, ...]) -> None:
    model = dynamic_model(tmp_path)
    ended = subprocess.run([sys.executable, "-c", _KILLED, where, str(model)], cwd=ROOT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert state(model) == expected
    left = [one for one in tmp_path.iterdir() if one.name.startswith(".colours.")]
    assert left
    for one in left:
        os.utime(one, (1e9, 1e9))
    rename_class(model, "green", "emerald")  # the lock of the dead does not bind, and what it left is cleared
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours"]
    assert "emerald" in state(model)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["colours", "colours.zip"])
def test_kill_at_random_leaves_one_whole_model(tmp_path: Path, name: str) -> None:
    source, model, clock = dynamic_model(tmp_path / "source"), tmp_path / name, random.Random(7)
    load(source).save(model)
    command = [sys.executable, "-c", _KILLED, "never", str(model)]
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    takes, seen = time.monotonic() - began, set()
    undo_change(model)
    for _ in range(10):
        process = subprocess.Popen(command, cwd=ROOT)
        time.sleep(clock.uniform(0.4, 1.05) * takes)
        process.kill()
        process.wait()
        now = state(model)
        assert now in (OLD, NEW)
        seen.add(now)
        if now == NEW:
            undo_change(model)
    assert OLD in seen


def test_the_lock_goes_and_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        retire_class(tmp_path / "none", "red")
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    assert list(tmp_path.iterdir()) == []
    model = dynamic_model(tmp_path)
    with alone(model):
        assert (tmp_path / ".colours.lock").exists()
    assert not (tmp_path / ".colours.lock").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    model = dynamic_model(inside)
    inside.chmod(0o555)
    try:
        with pytest.raises(ModelError) as caught:
            retire_class(model, "red")
    finally:
        inside.chmod(0o755)
    assert caught.value.reason is Reason.WRITE_FAILED
    assert str(caught.value) == f"the model cannot be written to {model}: Permission denied"


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dynamic_model(tmp_path)

    def refused(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tellapart.workflows.classes.live.holding", refused)
    with pytest.raises(ModelError) as caught:
        retire_class(model, "red")
    assert str(caught.value) == f"the model cannot be written to {model}: Permission denied"


def test_a_link_to_a_model_stays_a_link(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path / "there")
    link = tmp_path / "link"
    link.symlink_to(model, target_is_directory=True)
    merge_classes(link, ["red", "blue"], "warm")
    assert link.is_symlink()
    assert load(model).labels == load(link).labels == NEW


def test_readers_meet_the_old_or_the_new_classes(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    failed: list[BaseException] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                assert load(model).labels in (OLD, NEW)
            except BaseException as error:  # noqa: BLE001  told by the main thread
                failed.append(error)
                return

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(2):
        merge_classes(model, ["red", "blue"], "warm")
        undo_change(model)
    over.set()
    thread.join()
    assert failed == []


def test_adding_embeds_by_the_models_own_path(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    data = more_images(tmp_path / "new", {"pink": (4, 6)})
    add_classes(model, data)
    one = data / "pink" / "0000.png"
    embedded = load(model).embed([str(one)]).vectors[0]
    rows = opened(model).rows
    at = rows.table["uri"].to_list().index("pink/0000.png")
    assert (rows.embeddings[at] == embedded).all()
