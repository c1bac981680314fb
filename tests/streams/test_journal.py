"""The journal: changes and ends of episodes by the day, policies once each, one process at a time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import DataError, Reason, StreamError
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.streams.health import CameraChange
from tellapart.streams.journal import MAX_LABELS, Behind, Journal
from tellapart.streams.journal_search import around, find

DAY_S = 86400.0
AT = 1.7e9 - 1.7e9 % DAY_S + DAY_S  # midnight


def decision(number: int, at_s: float = AT, **more: Any) -> Decision:
    """A change of state."""
    values: dict[str, Any] = {
        "track": "state",
        "state": "bad",
        "since_s": at_s,
        "changed": True,
        "rule": "rule 1 (bad)",
    }
    values |= {"because": "it is", "evidence": ("a@1",), "policy": "p@abc", "subject": "a"}
    return Decision(f"{number:016x}", at_s, **(values | more))


def lines(folder: Path) -> list[dict[str, Any]]:
    """Of all days."""
    files = sorted((folder / "decisions").glob("decisions-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_changes_and_ends_are_kept_by_the_utc_day_with_what_was_before(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.decided(decision(1, AT - 0.5, state="good"))
        journal.decided(decision(2, AT - 0.25, changed=False))
        journal.decided(decision(3, AT))
        journal.decided(decision(4, AT + 1, changed=False, final=True, episode=7))
        journal.decided(decision(5, AT + 2, subject="b"))
    files = sorted(one.name for one in (tmp_path / "decisions").iterdir())
    assert files == ["decisions-2023-11-14.jsonl", "decisions-2023-11-15.jsonl"]
    kept = lines(tmp_path)
    assert [int(one["decisionId"], 16) for one in kept] == [1, 3, 4, 5]
    assert [one["was"] and (int(one["was"]["decisionId"], 16), one["was"]["state"]) for one in kept] == [
        *(None, (1, "good"), (3, "bad"), None)
    ]
    assert Decision.from_json(kept[2]).final


def test_images_are_kept_in_short(tmp_path: Path) -> None:
    confidences = {f"label {number}": 1 / (number + 3) for number in range(30)}
    seen = Observation(AT, "a", "a@1", confidences, ("label 20",), view="top", model_id="m", uri="file")
    with Journal(tmp_path) as journal:
        journal.decided(decision(1), [Behind("a", 5, Roi(((0, 0), (1, 1)), "all"), seen)])
    image = lines(tmp_path)[0]["images"][0]
    assert len(image["confidences"]) == MAX_LABELS + 1
    assert image["confidences"]["label 20"] == 0.043478
    assert (image["region"]["name"], image["view"], image["number"], image["uri"]) == ("all", "top", 5, "file")


def test_a_policy_is_kept_once_and_never_changed(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep_policy("name@with@abc", "policy: 1\r\n")
        journal.keep_policy("name@with@abc", "other")
    assert (tmp_path / "policies/abc.yaml").read_bytes() == b"policy: 1\r\n"


def test_what_became_of_cameras_is_kept(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.camera(CameraChange("a", AT, "gone", "live"))
    assert json.loads((tmp_path / "decisions/cameras-2023-11-15.jsonl").read_text())["state"] == "gone"


def test_a_second_process_is_kept_out_until_the_first_one_dies(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tellapart.streams.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1])); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StreamError) as caught:
            Journal(tmp_path)
        process.send_signal(signal.SIGKILL)
    assert caught.value.reason is Reason.STREAM_IN_USE
    assert str(caught.value) == (
        f"another process watches with the folder {tmp_path}: end it, or name another folder in the stream file"
    )
    with Journal(tmp_path) as journal:
        journal.decided(decision(1))
        journal.close()
    assert len(lines(tmp_path)) == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamError, match="could not be written: Not a directory") as caught:
        Journal(tmp_path / "file" / "folder")
    assert caught.value.reason is Reason.SINK_FAILED
    with Journal(tmp_path) as journal:
        (tmp_path / "decisions").write_text("")
        with pytest.raises(StreamError, match="could not be written"):
            journal.decided(decision(1))
        (tmp_path / "decisions").unlink()
        journal.decided(decision(2))
    assert lines(tmp_path)[0]["was"]["decisionId"] == f"{1:016x}"  # it held, though its line could not be written


def test_entries_are_found_by_the_beginning_of_their_id_the_latest_day_first(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number in range(600):  # more than is searched at a time
            seen = Observation(AT, "a", "a@1", {"x" * 3000: 0.5}, ())
            journal.decided(
                decision(number, AT + number % 3 * DAY_S, subject="ab"[number % 2]), [Behind("a", 1, None, seen)]
            )
    with (tmp_path / "decisions/decisions-2023-11-17.jsonl").open("a") as file:
        file.write(f'{{"decisionId":"{700:016x}","at":')  # torn, or being written
    assert [one.value["decisionId"] for one in find(tmp_path, f"{598:016x}")] == [f"{598:016x}"]
    assert len(find(tmp_path, f"{0:013x}")) == 600
    assert find(tmp_path, f"{700:016x}") == find(tmp_path, "a@1") == find(tmp_path, "ü") == []
    near = around(find(tmp_path, f"{300:016x}")[0], n_bytes=20_000)
    assert [int(one["decisionId"], 16) for one in near] == [288, 294, 300, 306, 312]


def test_a_line_that_is_no_entry_is_told(tmp_path: Path) -> None:
    (tmp_path / "decisions").mkdir()
    (tmp_path / "decisions/decisions-2023-11-17.jsonl").write_text('{"decisionId":"abc",,\n')
    with pytest.raises(DataError, match=r"holds a line that is no decision: .*; remove the line") as caught:
        find(tmp_path, "abc")
    assert caught.value.reason is Reason.RECORDING_DAMAGED
