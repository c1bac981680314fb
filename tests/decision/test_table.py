"""A table of policies computed by hand: every window, tie, gap, edge and what keeps a state, with the sum beside it.

An image is `time:confidence in defect`; `?` is unknown to the model, `-` has no answer. A decision is `time:state`, by its
first letter (ok, defective, ask), with `!` where it ends an episode.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.decision.observations import decided, policy, seen

from tellapart.records.observation import Observation

DEFECT, GOOD = {"predicted": "defect"}, {"predicted": "good"}
BOTH = [{"state": "defective", "if": DEFECT}, {"state": "ok", "if": GOOD}]
LATCH = {"state": "defective", "if": {"confidence": "defect", "at_least": 0.8},
         "until": {"confidence": "defect", "below": 0.4}}  # fmt: skip


def images(text: str) -> list[Observation]:
    """`0:0.9 1:? 2:0.1@in`: behind @ stands a trigger."""
    found = []
    for word in text.split():
        at, said = word.split(":")
        said, _, trigger = said.partition("@")
        one = seen(float(at), None if said == "?" else 0.4 if said == "-" else float(said), trigger=trigger or None)
        found.append(replace(one, predicted=()) if said == "-" else one)
    return found


def told(values: dict[str, Any], text: str, *, every: bool) -> str:
    """The decisions: all of them, or changes and ends of episodes alone."""
    found = [one for one in decided(values, images(text)) if every or one.changed or one.final]
    return " ".join(f"{one.at_s:g}:{one.state[0]}{'!' if one.final else ''}" for one in found)


def one_rule(condition: dict[str, Any], **track: Any) -> dict[str, Any]:
    """Defective by the rule, else ask."""
    return policy(rules=[{"state": "defective", "if": condition}], **{"window": {"last": 5}, **track})


EVERY_IMAGE = [
    # --- the latest image; an unknown one tells nothing of labels, whatever its figures
    (one_rule({"confidence": "defect", "at_least": 0.5}), "0:0.5 1:? 2:0.499", "0:d 1:a 2:a"),
    (one_rule({"confidence": "defect", "below": 0.6}), "0:0.599 1:? 2:0.6", "0:d 1:a 2:a"),
    # 0.6 - 0.4 = 0.19999999999999996 in binary: to nine decimals 0.2
    (one_rule({"margin": True, "at_least": 0.2}), "0:0.6 1:0.4 2:0.5999 3:?", "0:d 1:d 2:a 3:a"),
    (one_rule({"none_of": [GOOD]}), "0:0.9 1:- 2:? 3:0.1", "0:d 1:d 2:d 3:a"),
    # --- votes: k of n, n not reached yet, shares and their edges
    (one_rule({"vote": "defect", "at_least": 3}), "0:0.9 1:0.9 2:0.9 3:0.1 4:0.1 5:0.1", "0:a 1:a 2:d 3:d 4:d 5:a"),
    # of 4 that answer: -, 1/1, 2/2, 2/3 do not count; 3/4 does
    (one_rule({"vote": "defect", "share": 0.75, "of": 4}), "0:- 1:0.9 2:0.9 3:0.1 4:0.9", "0:a 1:a 2:a 3:a 4:d"),
    # abstentions against: 1/1, 1/2, 2/3 = 0.667, 2/4
    (one_rule({"vote": "defect", "share": 0.66, "abstain": "count"}), "0:0.9 1:- 2:0.9 3:?", "0:d 1:a 2:d 3:a"),
    # abstentions are no votes: 1/1, 1/1, 2/2, 2/2
    (one_rule({"vote": "defect", "share": 0.66}), "0:0.9 1:- 2:0.9 3:?", "0:d 1:d 2:d 3:d"),
    # a confidence makes an answer of what has none: 0.4 >= 0.4
    (one_rule({"vote": "defect", "confidence": 0.4, "share": 1.0}), "0:- 1:?", "0:d 1:d"),
    # --- without an answer: 1/1, 1/2, 2/3, 2/4
    (one_rule({"undecided": True, "share": 0.6}), "0:- 1:0.9 2:? 3:0.1", "0:d 1:a 2:d 3:a"),
    (one_rule({"undecided": True, "at_least": 2}), "0:- 1:0.9 2:? 3:0.1", "0:a 1:a 2:d 3:d"),
    # --- the majority and ties: 1:0, 1:1, 1:1 (unknown), 2:1
    (one_rule({"majority": "defect"}), "0:0.9 1:0.1 2:? 3:0.9", "0:d 1:a 2:a 3:d"),
    (one_rule({"majority": "defect", "tie": "latest"}), "0:0.1 1:0.9 2:? 3:0.1", "0:a 1:d 2:d 3:a"),
    (one_rule({"majority": "defect"}), "0:- 1:?", "0:a 1:a"),
    # --- one, all: an image without an answer does not agree
    (one_rule({"any": "defect", "of": 2}), "0:0.9 1:0.1 2:-", "0:a 1:d 2:d"),
    (one_rule({"every": "defect"}), "0:0.9 1:- 2:0.9", "0:d 1:a 2:a"),
    # --- averages: three times 0.6 is 1.7999999999999998 / 3 in binary
    (one_rule({"mean": "defect", "at_least": 0.6}), "0:0.6 1:0.6 2:0.6", "0:d 1:d 2:d"),
    (one_rule({"mean": "defect", "at_least": 0.1}), "0:0.1 1:0.1 2:0.1", "0:d 1:d 2:d"),
    # half-life 0.001 s over 5000 half-lives: the newest image alone, and not nothing
    (one_rule({"mean": "defect", "at_least": 0.9, "weights": "recency", "half_life_s": 0.001}), "0:0.1 5:0.9", "0:a 5:d"),
    # recency and surest label, half-life 1 s: 0.9; (0.5*0.9*0.9 + 0.6*0.4) / (0.45 + 0.6) = 0.645 / 1.05 = 0.6143
    (one_rule({"mean": "defect", "at_least": 0.614, "weights": ["recency", "confidence"], "half_life_s": 1}),
     "0:0.9 1:0.4", "0:d 1:d"),
    (one_rule({"mean": "defect", "at_least": 0.615, "weights": ["recency", "confidence"], "half_life_s": 1}),
     "0:0.9 1:0.4", "0:d 1:a"),
    # running average, alpha 0.3: 1, 0.7, 0.49, 0.343 + 0.3 = 0.643
    (one_rule({"running": "defect", "at_least": 0.6}), "0:1 1:0 2:0 3:1", "0:d 1:d 2:a 3:d"),
    # odds 9 and 1/9: even; then 9 again
    (one_rule({"bayes": "defect", "at_least": 0.9}), "0:0.9 1:0.1 2:0.9", "0:d 1:a 2:d"),
    # --- the rules in their order: the first that holds, whatever the others say
    (policy(rules=[{"state": "ask", "if": {"unknown": True}}, *BOTH]), "0:0.9 1:? 2:0.1 3:-", "0:d 1:a 2:o 3:a"),
    # --- hysteresis: from 0.8 on, down to 0.4
    (policy(rules=[LATCH]), "0:0.79 1:0.8 2:0.4 3:0.399 4:0.79 5:0.9", "0:a 1:d 2:d 3:a 4:a 5:d"),
    # an unknown image does not end it: its confidence says nothing
    (policy(rules=[LATCH]), "0:0.8 1:? 2:0.5", "0:d 1:d 2:d"),
    # a rule before it goes before it; after it, the lasting rule has ended with its state
    (policy(rules=[{"state": "ask", "if": {"unknown": True}}, LATCH], fallback="ok"), "0:0.8 1:? 2:0.5", "0:d 1:a 2:o"),
    # ... but where that other state was not entered (2 in a row), it lasts on
    (policy(rules=[{"state": "ask", "if": {"unknown": True}}, LATCH], fallback="ok", stable={"enter": {"ask": 2}}),
     "0:0.8 1:? 2:0.5", "0:d 1:d 2:d"),
    # until came at 1 s; that the state is held 3 s does not begin it anew at 2 s
    (policy(rules=[LATCH], stable={"hold_s": {"defective": 3}}), "0:0.8 1:0.3 2:0.5 3:0.5", "0:d 1:d 2:d 3:a"),
    # another rule brought the state, the one with until holds later: from then on it lasts
    (policy(rules=[{"state": "defective", "if": {"trigger": "stop"}}, LATCH]), "0:0.1@stop 1:0.8 2:0.5", "0:d 1:d 2:d"),
    # if and until at once: if goes before
    (policy(rules=[{**LATCH, "until": {"confidence": "defect", "below": 0.9}}]), "0:0.85 1:0.85 2:0.7", "0:d 1:d 2:a"),
]  # fmt: skip

CHANGES = [
    # --- seconds: at 2 s the image of 0 s is 2 s old and out, the one of 2 s is in: no flicker between them
    (one_rule({"any": "defect"}, window={"seconds": 2}), "0:0.9 1:0.1 2:0.9 3:0.1", "0:d"),
    (one_rule({"any": "defect"}, window={"seconds": 2}), "0:0.9 1:0.1 2:0.1 3:0.1", "0:d 2:a"),
    (one_rule({"any": "defect"}, window={"seconds": 2}), "0:0.9 9:0.1", "0:d 2:a"),
    # a window that has run empty: what speaks against something holds
    (policy(rules=[{"state": "ok", "if": {"none_of": [{"any": "defect"}]}}], window={"seconds": 2}),
     "0:0.9 9:0.9", "0:a 2:o 9:a"),
    # --- silence: begins after its seconds, an image at that very instant ends it before it began
    (one_rule({"silent_s": 3}), "0:0.1 3:0.1 6.5:0.1", "0:a 6:d 6.5:a"),
    # silence ends a lasting rule
    (policy(rules=[{**LATCH, "until": {"silent_s": 3}}]), "0:0.9 1:0.1 9:0.1", "0:d 4:a"),
    # --- in a row: a third state between begins the row anew
    (policy(rules=[{"state": "ask", "if": {"unknown": True}}, *BOTH], stable={"enter": {"defective": 2}}),
     "0:0.1 1:0.9 2:? 3:0.9 4:0.9", "0:o 2:a 4:d"),
    # --- held 2 s: an image that agrees at 2 s lets nothing in
    (policy(rules=BOTH, stable={"hold_s": {"defective": 2}}), "0:0.9 1:0.1 2:0.9 3:0.1", "0:d 3:o"),
    (policy(rules=BOTH, stable={"hold_s": {"defective": 2}}), "0:0.9 1.5:0.1 2.5:0.1", "0:d 2:o"),
    # --- cool-down counts from when the state was left, here after its hold: left at 2 s, again at 5 s
    (policy(rules=BOTH, stable={"hold_s": {"defective": 2}, "cool_down_s": {"defective": 3}}),
     "0:0.9 1:0.1 3:0.9 4:0.9 6:0.9", "0:d 2:o 5:d"),
    # hold and cool-down end at 4 s and 5 s: both must
    (policy(rules=BOTH, stable={"hold_s": {"ok": 3}, "cool_down_s": {"defective": 4}}),
     "0:0.9 1:0.1 2:0.9 6:0.9", "0:d 1:o 5:d"),
]  # fmt: skip


def episodes(opens: dict[str, Any], closes: dict[str, Any], condition: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Defective by the rule, else ask, ok between episodes."""
    decides = {"decides": more.pop("decides")} if "decides" in more else {}
    window = {"episode": {"opens": opens, "closes": closes, **decides}}
    return policy(rules=[{"state": "defective", "if": condition}], window=window, outside="ok", **more)


TWO = {"vote": "defect", "at_least": 2}
EPISODES = [
    # a gap of 2 s: closed 2 s after the last image that shows the part; the good image belongs to it still
    (episodes(DEFECT, {"gap_s": 2}, TWO), "0:0.9 1:0.9 2:0.1 9:0.1", "3:d! 9:o"),
    # an image exactly at the end of the gap opens the next one
    (episodes(DEFECT, {"gap_s": 2}, TWO), "0:0.9 1:0.9 3:0.9 9:0.1", "3:d! 5:a! 9:o"),
    # just before the end of the gap it belongs to the first, whose end is now at 3.9 s
    (episodes(DEFECT, {"gap_s": 2}, TWO), "0:0.9 1:0.1 1.9:0.9 9:0.1", "3.9:d! 9:o"),
    # closed by an answer, which is outside
    (episodes({}, {"predicted": "good"}, TWO), "0:0.9 1:0.9 2:0.1 3:0.1", "2:d! 3:o"),
    # one trigger for both: each part from one trigger up to the next, the end of the stream ends the last
    (episodes({"trigger": "part"}, {"trigger": "part"}, TWO),
     "0:0.9 1:0.9@part 2:0.9 3:0.1@part 4:0.9 5:0.1@part", "0:o 3:d! 5:a! 5:a!"),
    # at the latest after 3 s, or with 3 images
    (episodes({}, {"after_s": 3}, TWO), "0:0.9 2:0.9 4:0.9 5:0.1", "3:d! 5:a!"),
    (episodes({}, {"after_images": 3}, TWO), "0:0.9 1:0.9 2:0.1 3:0.9 4:0.1", "2:d! 4:a!"),
    # the result is held 3 s beyond its episode, then time alone brings what is between
    (episodes({}, {"predicted": "good"}, TWO, stable={"hold_s": {"defective": 3}}),
     "0:0.9 1:0.9 2:0.1 3:0.1 9:0.1", "2:d! 5:o"),
    # an episode that decides as it runs: silence within it counts, 5.5 = 2.5 + 3
    (episodes(DEFECT, {"gap_s": 9}, {"silent_s": 3}, decides="running"), "0:0.9 2.5:0.1 8:0.1", "0:a 5.5:d 8:a 8:a!"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "shown", "expected"), EVERY_IMAGE)
def test_every_image(values: dict[str, Any], shown: str, expected: str) -> None:
    assert told(values, shown, every=True) == expected


@pytest.mark.parametrize(("values", "shown", "expected"), [*CHANGES, *EPISODES])
def test_changes(values: dict[str, Any], shown: str, expected: str) -> None:
    assert told(values, shown, every=False) == expected


def test_a_lasting_rule_ends_with_its_episode() -> None:
    window = {"episode": {"opens": DEFECT, "closes": {"gap_s": 2}, "decides": "running"}}
    values = policy(rules=[LATCH], window=window)
    # 0.6 opens an episode; below 0.8 it is not defective, though the one before was
    assert told(values, "0:0.9 1:0.6 9:0.6 10:0.6", every=False) == "0:d 3:d! 9:a 10:a!"


class TestSeveralInputs:
    """Who opens and closes an episode, and whose silence it is."""

    VALUES = policy(
        inputs={"sensor": {}, "camera": {}},
        rules=[{"state": "defective", "if": {"any": "defect", "input": "camera"}}],
        window={"episode": {"opens": {"predicted": "defect", "input": "sensor"}, "closes": {"gap_s": 2}}},
        outside="ok",
    )

    def test_only_the_named_input_opens_and_keeps_an_episode(self) -> None:
        shown = [seen(0, 0.9, input="camera"), seen(1, 0.9, input="sensor"), seen(2, 0.9, input="camera"),
                 seen(2.5, 0.9, input="camera"), seen(9, 0.1, input="sensor")]  # fmt: skip
        found = [(one.at_s, one.state, one.final, one.evidence) for one in decided(self.VALUES, shown)]
        # closed at 3 s: what the camera shows is no sign of the part
        assert found == [
            (0, "ok", False, ()),
            (3, "defective", True, ("camera-2", "camera-2.5")),
            (9, "ok", False, ()),
        ]

    def test_silence_of_one(self) -> None:
        values = policy(inputs={"left": {}, "right": {}}, rules=[{"state": "ask", "if": {"silent_s": 2, "input": "right"}}],
                        fallback="ok")  # fmt: skip
        shown = [seen(0, 0.1, input="right"), *(seen(t, 0.1, input="left") for t in (1.0, 2.0, 3.0))]
        # at 2 s an image of the left comes: the silence of the right is decided with it
        assert [(one.at_s, one.state) for one in decided(values, shown) if one.changed] == [(0, "ok"), (2, "ask")]


class TestGroups:
    """Several labels that count as one."""

    @pytest.mark.parametrize(("condition", "expected"), [
        # scratch, dent, fine, fine: no label has two votes before the group has
        ({"vote": "fault", "at_least": 2}, "addd"),
        # 1:0, 2:0, 2:1, 2:2 - scratch 1, dent 1, fine 2 would lose the third
        ({"majority": "fault"}, "ddda"),
        ({"any": "fault"}, "dddd"),
        # 0.5 + 0.2; 0.1 + 0.6; 0.1 + 0.1
        ({"confidence": "fault", "at_least": 0.7}, "ddaa"),
        # 0.7, 0.7, 0.533, 0.45
        ({"mean": "fault", "at_least": 0.5}, "ddda"),
        ({"predicted": "fault"}, "ddaa"),
    ])  # fmt: skip
    def test_by_hand(self, condition: dict[str, Any], expected: str) -> None:
        def shown(at_s: float, scratch: float, dent: float, answer: str) -> Observation:
            said = {"scratch": scratch, "dent": dent, "fine": 1 - scratch - dent}
            return Observation(at_s, "image", f"i{at_s:g}", said, (answer,))

        recorded = [shown(0, 0.5, 0.2, "scratch"), shown(1, 0.1, 0.6, "dent"), shown(2, 0.1, 0.1, "fine"),
                    shown(3, 0.1, 0.1, "fine")]  # fmt: skip
        values = one_rule(condition, window={"last": 4}) | {"groups": {"fault": ["scratch", "dent"]}}
        assert "".join(one.state[0] for one in decided(values, recorded)) == expected
