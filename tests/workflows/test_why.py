"""Why something was decided: found by the beginning of an id, told in sentences, drawn."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tests.workflows.watch.streams import START_S, frames, stream

from tellapart.cli.why import why as command
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.image.story import story
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.streams.journal import Behind as Kept
from tellapart.streams.journal import Journal
from tellapart.streams.memory import MemoryCameras
from tellapart.workflows.watch.watch import watch
from tellapart.workflows.why import why

POLICY = """\
policy: 1
name: votes
states: {red: "a red part lies there", other: null, silent: null}
fallback: other
window: {last: 5}
rules:
  - {state: silent, if: {silent_s: 4}}
  - {name: three of five, state: red, if: {vote: red, at_least: 3, confidence: 0.6}}
"""
REGION = {"bay": {"rect": [0.01, 0.01, 0.99, 0.99]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a stream that has seen other, then red, then nothing for a while."""
    (tmp_path / "votes.yaml").write_text(POLICY)
    camera = {"source": "rtsp://front", "policy": "votes.yaml", "regions": REGION}
    of = stream(tmp_path, cameras={"front": camera}, record={"before_s": 2.0, "after_s": 1.0})
    shown = frames(["blue", "blue", "red", "red", "blue", "red", "red"], every_s=0.5)
    later = frames(["blue"] * 20, every_s=0.5)[-1:]
    watch(of, cameras=MemoryCameras([*shown, *later], names=of.cameras, at_once=1), workers=1)
    return tmp_path / "line.watch"


def entry(folder: Path, state: str, place: int = 0) -> dict[str, Any]:
    """A line of the journal."""
    lines = (folder / "decisions/decisions-2023-11-14.jsonl").read_text().splitlines()
    return [value for line in lines if (value := json.loads(line))["state"] == state][place]


def test_a_decision_is_told_in_sentences(folder: Path) -> None:
    red = entry(folder, "red")
    found = why(red["decisionId"][:8], folders=[folder])
    policy, model = red["policy"], red["models"][0]
    assert found.sentences[:4] == (
        "front/bay is 'red' (a red part lies there) since 2023-11-14 22:13:22 UTC; before, it was 'other' for 2.5 s.",
        f"The rule 'three of five' of the policy {policy} holds: {red['because']}.",
        f"It rests on 3 images from 22:13:21.000 to 22:13:22.500 by the model {model}.",
        "The rule is written: {state: red, name: three of five, if: {vote: red, confidence: 0.6, at_least: 3}}",
    )
    assert [line[:30] for line in found.sentences[4:]] == [
        f"22:13:{second}  front/bay: red (" for second in ("21.000", "21.500", "22.500")
    ]
    images = [one.file for one in found.images]
    assert all(file is not None and file.is_file() for file in images)
    assert [line.endswith(str(file)) for line, file in zip(found.sentences[4:], images, strict=True)] == [True] * 3


def test_what_time_alone_brought_rests_on_no_image(folder: Path) -> None:
    silent = entry(folder, "silent")
    told = why(silent["decisionId"], folders=[folder]).sentences
    assert told[1].startswith(f"Rule 1 (silent) of the policy {silent['policy']} holds: ")
    assert told[0] == "front/bay is 'silent' since 2023-11-14 22:13:27 UTC; before, it was 'red' for 4.5 s."


def test_the_first_state_and_the_fallback_are_called_so(folder: Path) -> None:
    first = entry(folder, "other")
    told = why(first["decisionId"], folders=[folder / "decisions"]).sentences
    assert told[0] == "front/bay is 'other' since 2023-11-14 22:13:20 UTC: the first state after the start."
    assert told[1].startswith(f"No rule of the policy {first['policy']} holds, and its fallback does: ")
    assert "no rule holds" not in told[1]
    assert not any(line.startswith("The rule is written") for line in told)


def test_above_the_picture_stands_nothing_about_single_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[str]] = []

    def noted(told: list[str], *more: Any) -> Any:
        drawn.append(told)
        return story(told, *more)

    monkeypatch.setattr("tellapart.workflows.why_picture.story", noted)
    why(entry(folder, "other")["decisionId"], folders=[folder]).picture(folder / "why.png")
    assert [line.partition(" ")[0] for line in drawn[0]] == ["front/bay", "No", "It"]


def test_images_that_were_deleted_or_not_kept_are_told(folder: Path) -> None:
    red = entry(folder, "red")["decisionId"]
    found = why(red, folders=[folder])
    assert found.images[0].file is not None
    found.images[0].file.unlink()
    said = "1 of 3 images was deleted: kept no longer than `record` in the stream file says."
    assert why(red, folders=[folder]).sentences[-1] == said
    shutil.rmtree(folder / "recording/frames")
    assert why(red, folders=[folder]).sentences[-1] == "The images were not kept."
    next((folder / "recording").glob("observations-*")).unlink()
    told = why(red, folders=[folder])
    assert told.sentences[-1].startswith("The images were deleted: ")
    assert [one.fate for one in told.images] == ["deleted"] * 3
    shutil.rmtree(folder / "policies")
    assert (
        f"The text of the policy {told.decision['policy']} is not there any more."
        in why(red, folders=[folder]).sentences
    )
    told.picture(folder / "gone.png")  # and it is drawn all the same


def test_the_picture_shows_images_figures_and_states(folder: Path, tmp_path: Path) -> None:
    found = why(entry(folder, "red")["decisionId"], folders=[folder])
    found.picture(tmp_path / "why.png")
    drawn = np.asarray(Image.open(io.BytesIO((tmp_path / "why.png").read_bytes())))
    assert drawn.shape[1] == 1120
    assert drawn.shape[0] > 500
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 100
    with pytest.raises(DataError) as caught:
        found.picture(tmp_path / "nowhere" / "why.png")
    assert caught.value.reason is Reason.WRITE_FAILED


def test_ids_that_are_not_there_or_not_alone_are_refused(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(DataError) as caught:
        why("feed", folders=[folder])
    assert caught.value.reason is Reason.DECISION_NOT_FOUND
    assert str(caught.value) == (
        f"there is no decision 'feed' in {folder}; journals hold changes of state and ends of episodes, "
        "not the decisions that changed nothing"
    )
    with pytest.raises(DataError, match="is no folder of a stream"):
        why("feed", folders=[tmp_path])
    with Journal(folder) as journal:
        for last in "12":
            name = f"abcdef012345678{last}"
            journal.decided(Decision(name, START_S, "state", "red", START_S, True, "r", "b", (), "p@1", subject="x"))
    with pytest.raises(SettingsError) as several:
        why("abcdef", folders=[folder])
    assert str(several.value) == (
        "'abcdef' is the beginning of 2 decisions: abcdef0123456781, abcdef0123456782; write more of it"
    )
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(DataError, match=r"there is no folder \*\.watch here; name a stream's folder with --in"):
        why("abcdef")
    monkeypatch.chdir(tmp_path)
    assert why("abcdef0123456782").decision["subject"] == "x"


def test_the_command_prints_sentences_or_json(folder: Path, tmp_path: Path) -> None:
    red = entry(folder, "red")["decisionId"]
    run = CliRunner().invoke(command, [red[:10], "--in", str(folder), "-o", str(tmp_path / "why.png")])
    assert run.exit_code == 0, run.output
    assert run.stdout.splitlines() == list(why(red, folders=[folder]).sentences)
    assert (tmp_path / "why.png").stat().st_size > 5000
    value = json.loads(CliRunner().invoke(command, [red, "--in", str(folder), "--json"]).stdout)
    assert (value["decisionId"], value["folder"], len(value["images"])) == (red, str(folder), 3)
    assert value["told"] == list(why(red, folders=[folder]).sentences)


def test_an_episode_and_several_regions_are_told(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number, state in enumerate(("good", "bad"), 1):
            at_s = START_S + number * 10
            seen = Observation(at_s, "a/b", f"a/b@{at_s:.6f}", {"x": 0.25}, (), unknown=True, ood_score=1.5)
            decision = Decision(
                *(f"{number:016d}", at_s, "dirt", state, at_s, state == "bad", "outside", "because"),
                *((seen.id, "gone"), "p@1", ("m1", "m2"), number, True, "a/b"),
            )
            journal.decided(decision, [Kept("a", 1, None, seen)])
    told = why("0000000000000002", folders=[tmp_path]).sentences
    assert told == (
        "Episode 2 of a/b (dirt) ended as 'bad' at 2023-11-14 22:13:40 UTC; before, it was 'good'.",
        "By the policy p@1 this is the state between episodes: because.",
        "It rests on 2 images, of which 1 is known, of 22:13:40.000 by the models m1, m2.",
        "The text of the policy p@1 is not there any more.",
        "22:13:40.000  a: unknown (x 25.0%, OOD score 1.50)",
        "The image was not kept.",
    )
