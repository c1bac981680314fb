"""What every sink must keep: whole events or none, the next one tried again, and nothing but `StreamError`."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.builders import jpeg_bytes, picture

from tellapart.errors import Reason, SpecError, StreamError
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.settings.stream import CloudEventsSink, CsvSink, EvidenceSink, JsonlSink
from tellapart.streams.event import Event, Seen
from tellapart.streams.frame import Frame, observation_id
from tellapart.streams.health import CameraChange
from tellapart.streams.protocol import Sink
from tellapart.streams.sinks import open_sinks

AT = 1.7e9
KINDS: dict[str, Any] = {
    "jsonl": lambda **more: JsonlSink(jsonl="out.jsonl", **more),
    "csv": lambda **more: CsvSink(csv="out.csv", **more),
    "evidence": lambda **more: EvidenceSink(evidence="out.evidence", **more),
    "cloudevents": lambda **more: CloudEventsSink(cloudevents="out.ce.jsonl", **more),
}
every_kind = pytest.mark.parametrize("kind", sorted(KINDS))


def opened(kind: str, folder: Path, **more: Any) -> Sink:
    """A sink of this kind below the folder."""
    return open_sinks([KINDS[kind](**more)], "line 1", folder)[0]


def decided(number: int = 1, *, changed: bool = True, final: bool = False, **more: Any) -> Event:
    """An event with two images behind it: one as a file, one as pixels."""
    at_s = AT + number
    roi = Roi(((0.1, 0.1), (0.6, 0.8), (0.2, 0.9)), "door")
    images = (jpeg_bytes(picture(64, 48)), picture(64, 48))
    ids = [observation_id("bay-1", "door", at_s - one) for one in (1, 0)]
    seen = []
    for place, image in enumerate(images):
        one = Observation(at_s - 1 + place, "bay-1/door", ids[place], {"ok": 0.1, "bad": 0.9}, ("bad",), model_id="m@1")
        seen.append(Seen(Frame("bay-1", place, one.at_s, image), roi, one))
    values: dict[str, Any] = {
        "id": f"{number:016x}",
        "at_s": at_s,
        "track": "state",
        "state": "bad",
        "since_s": at_s,
        "changed": changed,
        "rule": "rule 1 (bad)",
        "because": "2 of 2",
        "evidence": tuple(ids),
        "policy": "p@abc",
        "models": ("m@1",),
        "episode": 3 if final else None,
        "final": final,
        "subject": "bay-1/door",
    }
    return Event("line 1", at_s, decision=Decision(**values | more), evidence=lambda: tuple(seen))


def of_camera(number: int = 1) -> Event:
    """A camera that was lost."""
    return Event("line 1", AT + number, camera=CameraChange("bay-1", AT + number, "gone", "live", "no route"))


def written(kind: str, folder: Path) -> list[Any]:
    """What stands there, one value an event."""
    path = next(iter(folder.glob("out.*")), None)
    if path is None:
        return []
    if kind == "evidence":
        return [json.loads((one / "decision.json").read_text()) for one in sorted(path.iterdir())]
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
    return [json.loads(line) for line in path.read_text().splitlines()]


@every_kind
def test_it_is_a_sink_and_writes_nothing_before_an_event(kind: str, tmp_path: Path) -> None:
    sink = opened(kind, tmp_path)
    assert isinstance(sink, Sink)
    assert sink.name.startswith(f"{kind} {tmp_path}/out.")
    assert written(kind, tmp_path) == []
    sink.close()
    sink.close()


@every_kind
def test_changes_and_ends_of_episodes_are_written_or_everything(kind: str, tmp_path: Path) -> None:
    for emit, n in (("changes", 2), ("all", 3)):
        sink = opened(kind, tmp_path / emit, emit=emit)
        sink.emit(decided(1))
        sink.emit(decided(2, changed=False))
        sink.emit(decided(3, changed=False, final=True))
        sink.close()
        assert len(written(kind, tmp_path / emit)) == n


@every_kind
def test_a_camera_is_told_where_events_are_kept_and_no_fault_elsewhere(kind: str, tmp_path: Path) -> None:
    sink = opened(kind, tmp_path)
    sink.emit(of_camera())
    sink.close()
    assert len(written(kind, tmp_path)) == (1 if kind in ("jsonl", "cloudevents") else 0)


@every_kind
def test_a_second_start_goes_on_where_the_first_ended(kind: str, tmp_path: Path) -> None:
    for number in (1, 2):
        sink = opened(kind, tmp_path)
        sink.emit(decided(number))
        sink.close()
    assert len(written(kind, tmp_path)) == 2


@every_kind
def test_a_full_disk_is_told_and_the_next_event_is_whole_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened(kind, tmp_path)
    sink.emit(decided(1))

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StreamError) as caught:
            sink.emit(decided(2))
    assert caught.value.reason is Reason.SINK_FAILED
    assert str(caught.value).endswith("could not be written: No space left on device")
    sink.emit(decided(3))
    sink.close()
    assert len(written(kind, tmp_path)) == 2
    assert [one.name for one in tmp_path.rglob(".new-*")] == []


@every_kind
def test_a_place_that_cannot_be_is_told(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sink = open_sinks([KINDS[kind]()], "line", tmp_path / "file")[0]
    with pytest.raises(StreamError) as caught:
        sink.emit(decided())
    assert caught.value.reason is Reason.SINK_FAILED


@every_kind
def test_names_may_hold_anything(kind: str, tmp_path: Path) -> None:
    sink = opened(kind, tmp_path)
    sink.emit(decided(state='=1+1,"x"\nü', subject="a\udcff/\u202e", rule="\r\n", because="-2"))
    sink.close()
    assert len(written(kind, tmp_path)) == 1


@pytest.mark.parametrize("kind", ["jsonl", "csv", "cloudevents"])
def test_the_standard_output_takes_lines(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"jsonl": JsonlSink(jsonl="-"), "csv": CsvSink(csv="-"), "cloudevents": CloudEventsSink(cloudevents="-")}
    sink = open_sinks([settings[kind]], "line", tmp_path)[0]
    sink.emit(decided(1))
    sink.emit(decided(2))
    sink.close()
    assert sink.name == f"{kind} standard output"
    assert capsys.readouterr().out.count("\n") == (3 if kind == "csv" else 2)


def test_json_lines_name_the_stream_and_what_happened(tmp_path: Path) -> None:
    sink = opened("jsonl", tmp_path)
    sink.emit(decided())
    sink.emit(of_camera())
    first, second = written("jsonl", tmp_path)
    event = decided()
    assert event.decision is not None
    assert first == {"stream": "line 1", "decision": event.decision.to_json()}
    assert second["camera"] == {"camera": "bay-1", "at": AT + 1, "state": "gone", "was": "live", "message": "no route"}


def test_csv_is_rfc_4180_and_no_formula(tmp_path: Path) -> None:
    sink = opened("csv", tmp_path)
    sink.emit(decided(1, state="=HYPERLINK(1)", because='he said "no",\nand went', rule="@x", subject="'=1"))
    data = (tmp_path / "out.csv").read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") == 2
    assert b'"he said ""no"",\\nand went"' in data
    row = written("csv", tmp_path)[0]
    assert (row["state"], row["rule"], row["subject"]) == ("'=HYPERLINK(1)", "'@x", "''=1")
    assert (row["at"], row["changed"], row["images"]) == ("2023-11-14T22:13:21.000000Z", "true", "2")
    torn = data + b'2023,"half'
    (tmp_path / "out.csv").write_bytes(torn)
    again = opened("csv", tmp_path)
    again.emit(decided(2))
    assert [one["decision_id"] for one in written("csv", tmp_path)] == [f"{1:016x}", f"{2:016x}"]


def test_evidence_shows_what_was_seen(tmp_path: Path) -> None:
    sink = opened("evidence", tmp_path)
    sink.emit(decided())
    folder = next((tmp_path / "out.evidence").iterdir())
    assert folder.name == f"2023-11-14T22-13-21.000Z_{1:016x}"
    files = sorted(one.name for one in folder.iterdir())
    assert files == [*("01-bay-1.jpg", "01-bay-1.overlay.jpg", "02-bay-1.overlay.jpg", "02-bay-1.png", "decision.json")]
    assert (folder / "01-bay-1.jpg").read_bytes() == jpeg_bytes(picture(64, 48))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO((folder / "02-bay-1.png").read_bytes()))), picture(64, 48))
    drawn = Image.open(io.BytesIO((folder / "02-bay-1.overlay.jpg").read_bytes()))
    assert (drawn.width, drawn.height > 48 * 5) == (64 * 5, True)
    value = json.loads((folder / "decision.json").read_text())
    assert [one["region"]["name"] for one in value["images"]] == ["door", "door"]
    assert value["images"][1]["classifierResults"][0] == {"label": "bad", "confidence": 0.9}
    sink.emit(decided())  # the same decision once more takes its place
    assert len(list((tmp_path / "out.evidence").iterdir())) == 1


def test_evidence_of_broken_images_and_none_is_kept(tmp_path: Path) -> None:
    sink = opened("evidence", tmp_path)
    event = decided()
    broken = [Seen(Frame("a/b", 1, AT, b"\xff\xd8\xffnot all"), one.roi, one.observation) for one in event.evidence()]
    broken.append(Seen(Frame("a/b", 1, AT, b"nothing"), None, event.evidence()[0].observation))
    sink.emit(Event("line", AT, decision=event.decision, evidence=lambda: tuple(broken)))
    sink.emit(Event("line", AT, decision=decided(2).decision))
    first, second = sorted((tmp_path / "out.evidence").iterdir())
    assert sorted(one.name for one in first.iterdir()) == ["01-a-b.jpg", "02-a-b.jpg", "03-a-b.bin", "decision.json"]
    assert [one.name for one in second.iterdir()] == ["decision.json"]


def test_what_a_kill_left_of_evidence_goes_with_the_next_start(tmp_path: Path) -> None:
    for name, age_s in ((".new-1-old", 3600), (".new-2-other", 0)):
        left = tmp_path / "out.evidence" / name
        left.mkdir(parents=True)
        (left / "01-a.png").write_bytes(b"half")
        os.utime(left, (time.time() - age_s,) * 2)
    opened("evidence", tmp_path).emit(decided())
    kept = sorted(one.name for one in (tmp_path / "out.evidence").iterdir())
    assert kept == [".new-2-other", f"2023-11-14T22-13-21.000Z_{1:016x}"]


def test_evidence_goes_by_age_and_by_size_the_oldest_first(tmp_path: Path) -> None:
    sink = opened("evidence", tmp_path, keep_days=2.0)
    (tmp_path / "out.evidence" / "2001-01-01T00-00-00.000Z_mine").mkdir(parents=True)  # without decision.json: not ours
    for day in range(5):
        sink.emit(decided(day * 86400))
    kept = sorted(one.name[:10] for one in (tmp_path / "out.evidence").iterdir())
    assert kept == ["2001-01-01", "2023-11-16", "2023-11-17", "2023-11-18"]
    size = sum(one.stat().st_size for one in (tmp_path / "out.evidence").glob("2023-11-18*/*"))
    small = opened("evidence", tmp_path, keep_gb=size * 2.5 / 1e9)
    small.emit(decided(9 * 86400))
    kept = sorted(one.name[:10] for one in (tmp_path / "out.evidence").iterdir())
    assert kept == ["2001-01-01", "2023-11-18", "2023-11-23"]
    least = opened("evidence", tmp_path, keep_gb=1e-9)
    least.emit(decided(10 * 86400))
    assert sorted(one.name[:10] for one in (tmp_path / "out.evidence").iterdir()) == ["2001-01-01", "2023-11-24"]


@pytest.fixture
def envelopes(tmp_path: Path) -> list[dict[str, Any]]:
    """One of each type."""
    sink = opened("cloudevents", tmp_path, emit="all")
    for event in (
        decided(1),
        decided(1, changed=False),
        decided(2, changed=False, final=True),
        of_camera(1),
        of_camera(2),
    ):
        sink.emit(event)
    sink.close()
    return written("cloudevents", tmp_path)


def test_cloudevents_keep_the_rules_of_the_specification(envelopes: list[dict[str, Any]]) -> None:
    """CloudEvents 1.0.2: required attributes, names, no empty strings, RFC 3339 times, `source` and `id` unique."""
    for one in envelopes:
        assert set(one) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
        assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in one)
        assert all(isinstance(one[name], str) and one[name] for name in set(one) - {"data"})
        assert one["specversion"] == "1.0"
        assert one["source"] == "tellapart/line%201"
        assert one["datacontenttype"] == "application/json"
        assert datetime.fromisoformat(one["time"]).tzinfo is not None
    assert len({(one["source"], one["id"]) for one in envelopes}) == len(envelopes)
    assert [one["type"].removeprefix("io.tellapart.") for one in envelopes] == [
        *("decision.changed", "decision.confirmed", "decision.final", "camera.changed", "camera.changed")
    ]
    assert [one["subject"] for one in envelopes] == [*["bay-1/door"] * 3, *["bay-1"] * 2]
    assert envelopes[0]["id"] == envelopes[0]["data"]["decisionId"]
    assert envelopes[3]["data"]["state"] == "gone"


def test_the_same_event_has_the_same_id_and_no_subject_is_left_out(tmp_path: Path) -> None:
    for _ in range(2):
        sink = opened("cloudevents", tmp_path, source="https://plant.example/line-1?x=%20")
        sink.emit(of_camera())
        sink.emit(decided(subject=""))
        sink.close()
    first, without, again, _ = written("cloudevents", tmp_path)
    assert first == again
    assert first["source"] == "https://plant.example/line-1?x=%20"
    assert "subject" not in without


@pytest.mark.parametrize("source", ["", "line 1", "ü", "50%"])
def test_a_source_that_is_no_uri_is_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        opened("cloudevents", tmp_path, source=source)
    assert caught.value.reason is Reason.BAD_STREAM
    assert str(caught.value) == (
        "the source of CloudEvents must be a URI or a part of one, such as https://plant.example/line-1, "
        f"got {source!r}; write other characters as %20"
    )
