"""Time of a stream: what is behind, what is silent, and what is decided when."""

from __future__ import annotations

import math
from typing import Any

from tellapart.decision.engine import Engine
from tellapart.decision.sorter import Sorter
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import read_policy
from tellapart.streams.frame import Frame
from tellapart.workflows.watch.desk import HUSH_S, Backlogs, Desk, Moment
from tellapart.workflows.watch.seat import Seat

SILENT = read_policy(
    {
        "policy": 1,
        "name": "p",
        "states": {"seen": None, "silent": None},
        "fallback": "seen",
        "rules": [{"state": "silent", "if": {"silent_s": 3.0}}],
    }
)


def seat(*, backlogs: tuple[str, ...] = (), patience_s: float = 1.0) -> Seat:
    return Seat("door", Engine(SILENT, "p@1", "door"), Sorter(("image",), patience_s), {"image": "door"}, backlogs)


def seen(at_s: float) -> Observation:
    return Observation(at_s, "door", f"door@{at_s}", {}, ("a",))


def frame(camera: str, at_s: float) -> Frame:
    return Frame(camera, 0, at_s, b"")


def told(decisions: list[Decision]) -> list[tuple[float, str]]:
    return [(one.at_s, one.state) for one in decisions]


def test_silence_is_decided_for_its_instant_however_late_one_looks() -> None:
    for looks in ([10.0, 11.0, 12.9, 13.5, 14.5, 30.0], [30.0]):
        desk = Desk([seat()])
        decisions = desk.hear([seen(10.0)])
        for now_s in looks:
            decisions += desk.tick(Moment(now_s))
        assert told(decisions) == [(10.0, "seen"), (13.0, "silent")]
        assert [(one.subject, one.state) for one in desk.seats[0].latest.values()] == [("door", "silent")]


def test_time_does_not_overtake_what_a_folder_still_has_to_deliver() -> None:
    desk, backlogs = Desk([seat(backlogs=("door",))]), Backlogs(["door"], 100.0)
    decisions = desk.tick(backlogs.moment(1e6, 100.5))
    for number in range(5):  # taken two seconds apart, long ago
        backlogs.note([frame("door", 2.0 * number)], 101.0 + number / 10)
        decisions += desk.hear([seen(2.0 * number)])
        decisions += desk.tick(backlogs.moment(1e6, 101.0 + number / 10))
    assert desk.n_late == 0
    assert told(decisions) == [(2.0 * number, "seen") for number in range(5)]
    assert told(desk.tick(backlogs.moment(1e6, 101.4 + HUSH_S))) == [(11.0, "silent")]


def test_who_is_behind_holds_back_only_those_that_hear_it() -> None:
    backlogs = Backlogs(["video", "folder"], 0.0)
    backlogs.note([frame("video", 7.0), frame("camera", 9.0)], 1.0)
    moment = backlogs.moment(50.0, 1.5)
    assert [moment.of(of) for of in (("video",), ("camera",), ("video", "camera"))] == [7.0, 50.0, 7.0]
    assert moment.of(("folder",)) == -math.inf
    assert backlogs.moment(50.0, 2.5).of(("folder", "video")) == 7.0
    assert backlogs.moment(50.0, 1.0 + HUSH_S).of(("folder", "video")) == 50.0


def test_an_image_that_comes_after_its_instant_is_counted() -> None:
    desk = Desk([seat()])
    desk.hear([seen(10.0)])
    desk.tick(Moment(20.0))
    assert desk.hear([seen(12.0)]) == []
    assert desk.n_late == 1


def test_a_look_that_nobody_hears_is_no_fault() -> None:
    other: Any = Observation(1.0, "window", "x", {}, ())
    assert Desk([seat()]).hear([other]) == []
