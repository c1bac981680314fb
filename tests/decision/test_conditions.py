"""Every kind of condition by hand: the figures beside the cases were computed on paper."""

from __future__ import annotations

from typing import Any

import pytest
from tests.decision.observations import decided, rules, seen, states

FIVE = {"last": 5}


@pytest.mark.parametrize(("condition", "confidences", "expected"), [
    # the latest image alone
    ({"confidence": "defect", "at_least": 0.8}, [0.79, 0.8, 0.81], "add"),
    ({"confidence": "defect", "below": 0.2}, [0.2, 0.19], "ad"),
    ({"confidence": "defect", "at_least": 0.4, "below": 0.6}, [0.39, 0.4, 0.59, 0.6], "adda"),
    ({"confidence": "nothing", "at_least": 0.1}, [0.9], "a"),
    ({"margin": True, "at_least": 0.5}, [0.74, 0.75, 0.25, 0.26], "adda"),
    ({"predicted": "defect"}, [0.5, 0.51, None], "ada"),
    ({"unknown": True}, [0.9, None], "ad"),
    ({"unknown": False}, [0.9, None], "da"),
    # votes: the model's own answers
    ({"vote": "defect", "at_least": 2}, [0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1], "aadddaa"),
    ({"vote": "defect", "at_least": 2, "of": 4}, [0.9, 0.9, 0.1, 0.1], "aaad"),
    # ... of those that answer: 1 of 1, 1 of 2, 1 of 2, 2 of 3
    ({"vote": "defect", "share": 0.6}, [0.9, 0.1, None, 0.9], "daad"),
    # ... an unknown image counts against: 1 of 1, 1 of 2, 2 of 3 = 0.67
    ({"vote": "defect", "share": 0.6, "abstain": "count"}, [0.9, None, 0.9], "dad"),
    ({"vote": "defect", "share": 0.5}, [0.9, 0.1], "dd"),
    ({"vote": "defect", "share": 0.1}, [None], "a"),
    # ... from a confidence on
    ({"vote": "defect", "confidence": 0.8, "at_least": 1}, [0.79, 0.8], "ad"),
    ({"vote": "defect", "confidence": 0.3, "at_least": 2}, [0.3, 0.31], "ad"),
    # the majority, with ties
    ({"majority": "defect"}, [0.9, 0.1, 0.9, 0.1, 0.1], "dadaa"),
    ({"majority": "defect", "tie": "latest"}, [0.1, 0.9, 0.1, 0.9], "adad"),
    ({"majority": "defect", "of": 3}, [0.9, 0.9, None, 0.9], "aaad"),
    ({"majority": "defect"}, [None], "a"),
    # one, all, the highest
    ({"any": "defect"}, [0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1], "addddda"),
    ({"any": "defect", "confidence": 0.95}, [0.9, 0.95], "ad"),
    ({"every": "defect"}, [0.9, 0.9, 0.1], "dda"),
    ({"every": "defect"}, [0.9, None], "da"),
    ({"every": "defect", "of": 2}, [0.9, 0.9], "ad"),
    ({"max": "defect", "at_least": 0.7}, [0.69, 0.7, 0.0], "add"),
    # averages: 0.9, 0.6, 0.5 - unknown images do not count
    ({"mean": "defect", "at_least": 0.6}, [0.9, 0.3, None, 0.3], "ddda"),
    ({"mean": "defect", "at_least": 0.6}, [None], "a"),
    # surest label as weight: (0.9 * 0.9 + 0.4 * 0.6) / 1.5 = 0.7
    ({"mean": "defect", "at_least": 0.699, "weights": "confidence"}, [0.9, 0.4], "dd"),
    ({"mean": "defect", "at_least": 0.701, "weights": "confidence"}, [0.9, 0.4], "da"),
    # half-life 1 s: (0.5 * 0.0 + 1 * 0.9) / 1.5 = 0.6; then (0.25 * 0 + 0.5 * 0.9 + 1 * 0.9) / 1.75 = 0.771
    ({"mean": "defect", "at_least": 0.599, "weights": "recency", "half_life_s": 1}, [0.0, 0.9, 0.9], "add"),
    ({"mean": "defect", "at_least": 0.601, "weights": "recency", "half_life_s": 1}, [0.0, 0.9, 0.9], "aad"),
    # running average, alpha 0.5: 0, 0.4, 0.6
    ({"running": "defect", "alpha": 0.5, "at_least": 0.6}, [0.0, 0.8, 0.8], "aad"),
    ({"running": "defect", "alpha": 1.0, "at_least": 0.8}, [0.8, 0.0], "da"),
    # odds 4 (0.8), then 16: 0.941; prior 0.1 gives 1/9 * 4 = 0.444 -> 0.308, then 1/9 * 16 = 1.78 -> 0.64
    ({"bayes": "defect", "at_least": 0.94}, [0.8, 0.8], "ad"),
    ({"bayes": "defect", "prior": 0.1, "at_least": 0.63}, [0.8, 0.8], "ad"),
    ({"bayes": "defect", "prior": 0.1, "at_least": 0.641}, [0.8, 0.8], "aa"),
    # half as much news each: odds 2, then 4
    ({"bayes": "defect", "independence": 0.5, "at_least": 0.79}, [0.8, 0.8], "ad"),
    # a model trained at 0.8 says nothing new with 0.8
    ({"bayes": "defect", "trained_at": 0.8, "at_least": 0.51}, [0.8, 0.8], "aa"),
    # one image is no proof, nor are contradictions: certain for and certain against are even
    ({"bayes": "defect", "at_least": 0.49, "below": 0.51}, [1.0, 0.0], "ad"),
    # combined
    ({"all_of": [{"predicted": "defect"}, {"vote": "defect", "at_least": 2}]}, [0.9, 0.9, 0.1], "ada"),
    ({"one_of": [{"confidence": "defect", "at_least": 0.99}, {"vote": "defect", "at_least": 2}]}, [0.99, 0.1, 0.6], "dad"),
    ({"none_of": [{"predicted": "good"}, {"unknown": True}]}, [0.9, 0.1, None], "daa"),
    ({"all_of": [{"none_of": [{"unknown": True}]}, {"one_of": [{"predicted": "good"}]}]}, [0.1, None], "da"),
])  # fmt: skip
def test_by_hand(condition: dict[str, Any], confidences: list[float | None], expected: str) -> None:
    images = [seen(float(second), p) for second, p in enumerate(confidences)]
    assert states(rules(condition, window=FIVE), images) == expected


def test_quality_and_views_weigh() -> None:
    sharp, blurred = seen(0, 0.9, quality=1.0, view="front"), seen(1, 0.1, quality=0.2, view="back")
    # (0.9 + 0.02) / 1.2 = 0.767; (2 * 0.9 + 0.1) / 3 = 0.633; both (2 * 0.9 + 0.2 * 0.1) / 2.2 = 0.827
    quality = {"mean": "defect", "weights": "quality"}
    views = {"mean": "defect", "views": {"front": 2}}
    for condition, value in ((quality, 0.7667), (views, 0.6333), ({**quality, **views}, 0.8273)):
        for edge, expected in ((value - 1e-3, "dd"), (value + 1e-3, "da")):
            assert states(rules({**condition, "at_least": edge}, window=FIVE), [sharp, blurred]) == expected
    nothing = {"mean": "defect", "views": {"front": 0}, "at_least": 0.0}
    assert states(rules(nothing, window=FIVE), [sharp]) == "a"


def test_reasons_are_sentences_with_figures() -> None:
    images = [seen(0, 0.9), seen(1, 0.1), seen(2, 0.95)]
    last = decided(rules({"vote": "defect", "confidence": 0.9, "at_least": 2}, window=FIVE), images)[-1]
    assert (last.state, last.rule) == ("defective", "rule 1 (defective)")
    assert last.because == "2 of 3 images vote for 'defect', 2 needed"
    assert last.evidence == ("image-0", "image-2")
    last = decided(rules({"mean": "defect", "at_least": 0.9}, window=FIVE), images)[-1]
    assert (last.state, last.rule) == ("ask", "fallback")
    assert last.because == (
        "no rule holds; the average confidence of 'defect' over 3 images is 0.650 (at least 0.9 counts)"
    )


def test_reasons_say_that_images_had_no_answer() -> None:
    unknown = [seen(0, None), seen(1, None)]
    told = [
        decided(rules(condition, window=FIVE), unknown)[-1].because.removeprefix("no rule holds; ")
        for condition in (
            {"vote": "defect", "at_least": 2},
            {"mean": "defect", "at_least": 0.9},
            {"majority": "defect"},
        )
    ]
    assert told == [
        "0 of 0 images vote for 'defect', 2 needed, 2 without an answer", "all images are unknown", "no image votes",
    ]  # fmt: skip
    one = decided(rules({"mean": "defect", "at_least": 0.9}, window=FIVE), [seen(0, 0.5)])[-1]
    assert "over 1 image is 0.500" in one.because


def test_inputs_are_heard_apart() -> None:
    both = {"all_of": [{"predicted": "defect", "input": "left"}, {"predicted": "defect", "input": "right"}]}
    values = rules(both, inputs={"left": {}, "right": {}})
    images = [seen(0, 0.9, input="left"), seen(0, 0.1, input="right"), seen(1, 0.9, input="right")]
    found = decided(values, images)
    assert [(one.at_s, one.state) for one in found] == [(0, "ask"), (1, "defective")]
    assert found[1].evidence == ("left-0", "right-1")


def test_triggers() -> None:
    images = [seen(0, 0.1), seen(1, 0.1, trigger="stop"), seen(2, 0.1)]
    assert states(rules({"trigger": "stop"}), images) == "ada"
