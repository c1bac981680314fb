"""Saving and loading: the same answers bit for bit, and one exact sentence for everything that is not as it was."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.classifier.models import model, model_folder, own_copy, photos

import tellapart as ta
from tellapart.classifier.enclosures import Enclosures
from tellapart.classifier.golden import replay
from tellapart.classifier.storage import check_all, load, load_enclosures
from tellapart.errors import ModelError, Reason
from tellapart.heads.aims import Aim
from tellapart.workflows.verify import pack, verify

FILES = ["backbone.onnx", "head.safetensors", "reference.parquet", "evaluation.json", "report.html"]
FILES += ["golden/golden.json", "golden/00.png", "golden/01.png", "golden/02.png"]


def probabilities(path: Path) -> np.ndarray:
    answers = load(path).predict(sorted(photos().rglob("*.png")))
    return np.stack([a.probabilities for a in answers if isinstance(a, ta.Prediction)])


def refusal(action: Callable[[], Any]) -> tuple[Reason, str]:
    with pytest.raises(ModelError) as caught:
        action()
    return caught.value.reason, str(caught.value)


def attempt(action: Callable[[], Any]) -> tuple[Any, Reason | None]:
    """What the action gives, or the reason of its `ModelError`; anything else it raises is a failure of the test."""
    try:
        return action(), None
    except ModelError as error:
        return None, error.reason


def edit(folder: Path, **changes: Any) -> None:
    """Change entries of model.json by hand."""
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, **changes}))


def test_a_model_holds_the_documented_files() -> None:
    names = {p.relative_to(model_folder()).as_posix() for p in model_folder().rglob("*") if p.is_file()}
    assert names == {"model.json", *FILES}
    assert set(model().card.files) == set(FILES)


@pytest.mark.parametrize("form", ["copy", "copy.zip"])
def test_what_is_saved_answers_the_same_bit_for_bit(tmp_path: Path, form: str) -> None:
    saved = model().save(tmp_path / form)
    np.testing.assert_array_equal(probabilities(tmp_path / form), probabilities(model_folder()))
    assert saved.card == load(tmp_path / form).card == model().card
    assert load_enclosures(tmp_path / form).files() == load_enclosures(model_folder()).files()
    assert check_all(tmp_path / form) == len(FILES) + 1


def test_pack_goes_both_ways_without_a_change(tmp_path: Path) -> None:
    assert pack(model_folder(), tmp_path / "one.zip") == len(FILES) + 1
    assert pack(tmp_path / "one.zip", tmp_path / "folder") == len(FILES) + 1
    assert pack(tmp_path / "folder", tmp_path / "two.zip") == len(FILES) + 1
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    for name in ["model.json", *FILES]:
        assert (tmp_path / "folder" / name).read_bytes() == (model_folder() / name).read_bytes()


def test_pack_of_a_model_onto_itself_leaves_it_whole(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    pack(folder, folder)
    assert verify(folder).n_files == len(FILES) + 1


def test_a_damaged_model_is_not_packed(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    (folder / "report.html").write_bytes(b"")
    assert refusal(lambda: pack(folder, tmp_path / "x.zip"))[0] is Reason.MODEL_DAMAGED
    assert not (tmp_path / "x.zip").exists()


def test_the_id_stays_through_saving_and_changes_with_a_threshold(tmp_path: Path) -> None:
    assert model().save(tmp_path / "copy").card.model_id == model().card.model_id
    other = replace(model().thresholds, values=(0.9, 0.1, 0.1), aim=Aim.parse("best_f1"))
    changed = replace(model(), thresholds=other).with_card(thresholds=other.to_json()).save(tmp_path / "other")
    assert changed.card.model_id != model().card.model_id
    assert load(tmp_path / "other").thresholds == other
    renamed = model().with_card(name="else")
    assert renamed.card.model_id.split("@")[1] == model().card.model_id.split("@")[1]


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_in_any_file_is_found(tmp_path: Path, name: str) -> None:
    folder = own_copy(tmp_path)
    data = bytearray((folder / name).read_bytes())
    data[random.Random(name).randrange(len(data))] ^= 1
    (folder / name).write_bytes(bytes(data))
    wanted = (
        Reason.MODEL_DAMAGED,
        f"the model {folder} is damaged: {name} is not the file that was saved (its sha256 differs); copy it again",
    )
    assert refusal(lambda: verify(folder)) == wanted
    if name == "head.safetensors":
        assert refusal(lambda: load(folder)) == wanted
    elif name == "backbone.onnx":
        assert refusal(lambda: load(folder))[0] is Reason.MODEL_DAMAGED
    else:
        assert refusal(lambda: load_enclosures(folder)) == wanted


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = own_copy(tmp_path)
    (folder / name).unlink()
    wanted = (
        Reason.MODEL_INCOMPLETE,
        f"the model {folder} lacks its file {name}; copy it again, or train it again",
    )
    assert refusal(lambda: verify(folder)) == wanted
    if name in ("backbone.onnx", "head.safetensors"):
        assert refusal(lambda: load(folder)) == wanted


def test_a_file_the_card_does_not_know_is_found(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    (folder / "golden" / "b.png").write_bytes(b"x")
    (folder / "a.txt").write_bytes(b"x")
    assert refusal(lambda: verify(folder)) == (
        Reason.MODEL_DAMAGED,
        f"the model {folder} holds files its card does not know: a.txt, golden/b.png; remove them",
    )


def test_a_file_outside_of_the_model_is_never_read_or_written(tmp_path: Path) -> None:
    folder = own_copy(tmp_path / "given")
    (tmp_path / "given" / "stray.txt").write_bytes(b"x")
    checksums = json.loads((folder / "model.json").read_text())["files"]
    edit(folder, files={**checksums, "golden/../../stray.txt": sha256(b"x").hexdigest()})
    reason, sentence = refusal(lambda: pack(folder, tmp_path / "taken" / "model"))
    assert reason is Reason.MODEL_DAMAGED
    assert "its file 'golden/../../stray.txt' lies outside of it" in sentence
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize("name", ["../00.png", "..", "a\\b.png", "absent.png", 7, None])
def test_golden_images_are_plain_files_that_are_there(name: object) -> None:
    files = load_enclosures(model_folder()).files()
    index = json.loads(files["golden/golden.json"])
    index["images"][0]["file"] = name
    spoilt = {**files, "golden/golden.json": json.dumps(index).encode(), "golden/../00.png": b"x"}
    assert refusal(lambda: Enclosures.from_files(spoilt))[0] is Reason.MODEL_DAMAGED


def test_a_later_format_asks_for_an_update(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    edit(folder, format=2)
    assert refusal(lambda: load(folder)) == (
        Reason.MODEL_TOO_NEW,
        f"the model {folder} has format 2, this tellapart reads up to 1: update tellapart",
    )


def test_another_preprocessing_under_the_same_words_is_refused(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    model().with_card(preprocess_hash="0" * 64).save(folder)
    assert refusal(lambda: load(folder)) == (
        Reason.MODEL_TOO_NEW,
        f"the model {folder} was trained with another preprocessing than this tellapart applies for "
        f"'{model().card.preprocess}': use the version in model.json, or train it again",
    )


def test_an_unreadable_preprocess_string_is_damage(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    edit(folder, preprocess="decode|magic(7)")
    reason, sentence = refusal(lambda: load(folder))
    assert reason is Reason.MODEL_DAMAGED
    assert sentence.startswith(f"the model {folder} is damaged: its preprocess string cannot be read: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": [{"id": 0, "name": "blue"}, {"id": 1, "name": "red"}, {"id": 2, "name": "green"}]},
        {"labels": []},
        {"labels": "blue"},
        {"thresholds": {}},
        {"files": {}},
        {"files": ["head.safetensors"]},
        {"task": "binary"},
        {"task": 3},
        {"name": "else"},
        {"model_id": "colours@000000000000"},
        {"format": "new"},
        {"format": None},
    ],
)
def test_a_card_changed_by_hand_is_found(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = own_copy(tmp_path)
    edit(folder, **changes)
    reason, sentence = refusal(lambda: load(folder))
    assert reason is Reason.MODEL_DAMAGED
    assert sentence.startswith(f"the model {folder} is damaged: model.json is not a model card (")
    assert sentence.endswith("); copy it again")


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000])
def test_rubbish_instead_of_a_card_is_damage(tmp_path: Path, text: bytes) -> None:
    folder = own_copy(tmp_path)
    (folder / "model.json").write_bytes(text)
    assert refusal(lambda: load(folder))[0] is Reason.MODEL_DAMAGED


def test_no_bit_of_the_card_makes_a_traceback(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    whole = (folder / "model.json").read_bytes()
    moments = random.Random(1)
    for _ in range(150):
        data = bytearray(whole)
        data[moments.randrange(len(data))] = moments.randrange(256)
        (folder / "model.json").write_bytes(bytes(data))
        loaded, reason = attempt(lambda: load(folder))
        assert reason in (None, Reason.MODEL_DAMAGED, Reason.MODEL_TOO_NEW)
        if loaded is not None:
            assert (loaded.labels, loaded.card.model_id) == (model().labels, model().card.model_id)


def test_no_byte_of_a_zip_makes_a_traceback(tmp_path: Path) -> None:
    model().save(tmp_path / "whole.zip")
    whole = (tmp_path / "whole.zip").read_bytes()
    moments, path = random.Random(2), tmp_path / "bad.zip"
    start = whole.index(b"PK\x01\x02")  # the directory
    for turn in range(200):
        data = bytearray(whole)
        for _ in range(1 + turn % 3):
            data[moments.randrange(start, len(data)) if turn % 4 else moments.randrange(60)] = moments.randrange(256)
        path.write_bytes(bytes(data))
        _, reason = attempt(lambda: check_all(path))
        assert reason in (None, Reason.MODEL_DAMAGED, Reason.MODEL_INCOMPLETE)


def test_a_zip_with_a_damaged_directory_is_not_overwritten(tmp_path: Path) -> None:
    model().save(tmp_path / "m.zip")
    data = bytearray((tmp_path / "m.zip").read_bytes())
    data[data.index(b"PK\x01\x02")] = 0
    (tmp_path / "m.zip").write_bytes(bytes(data))
    assert refusal(lambda: model().save(tmp_path / "m.zip"))[0] is Reason.OUTPUT_EXISTS
    assert (tmp_path / "m.zip").read_bytes() == bytes(data)


def test_an_encrypted_member_is_damage(tmp_path: Path) -> None:
    model().save(tmp_path / "m.zip")
    data = bytearray((tmp_path / "m.zip").read_bytes())
    data[6] |= 1  # the flag in the first local header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and in its entry of the directory
    (tmp_path / "m.zip").write_bytes(bytes(data))
    assert refusal(lambda: load(tmp_path / "m.zip"))[0] is Reason.MODEL_DAMAGED


def test_answers_that_changed_are_a_golden_mismatch(tmp_path: Path) -> None:
    head = replace(model().head, bias=model().head.bias + np.array([4, 0, 0], np.float32))
    replace(model(), head=head).save(tmp_path / "other")
    reason, sentence = refusal(lambda: verify(tmp_path / "other"))
    assert reason is Reason.GOLDEN_MISMATCH
    assert sentence.startswith("the model colours no longer answers as it did: golden image 0")
    assert sentence.endswith(", at most 0.0001 is allowed; compare the versions in model.json with those installed")


def test_a_model_without_golden_images_cannot_be_verified(tmp_path: Path) -> None:
    bare = replace(load_enclosures(model_folder()), golden=())
    model().enclosing(bare).save(tmp_path / "bare")
    assert refusal(lambda: verify(tmp_path / "bare")) == (
        Reason.MODEL_INCOMPLETE,
        "the model colours has no golden images, so it cannot be verified; train it with golden images",
    )


def test_the_golden_images_answer_as_recorded() -> None:
    golden = load_enclosures(model_folder()).golden
    result = replay(model(), golden)
    assert result.n_images == 3
    assert result.max_difference <= 1e-6
    assert {model().labels[int(g.probabilities.argmax())] for g in golden} == set(model().labels)


def test_old_formats_of_zip_say_what_they_are(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    assert refusal(lambda: load(tmp_path / "m.zip"))[0] is Reason.MODEL_INCOMPLETE
