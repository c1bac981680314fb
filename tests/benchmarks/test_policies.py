"""The policies of the benchmark say of plain recordings what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.records.observation import Observation
from tellapart.settings.policy_file import read_policy
from tellapart.workflows.policy_evaluate import decide

POLICIES = Path(__file__).parents[2] / "benchmarks" / "policies"
LABELS = ("empty", "good", "crooked_label", "low_fill", "no_cap", "contaminated")


def recording(answers: str) -> list[Observation]:
    """One image a letter: e(mpty), g(ood), n(o_cap), l(ow_fill)."""
    names = {label[0]: label for label in LABELS if label != "crooked_label"}
    return [
        Observation(
            0.2 * i, "image", str(i), {label: 0.9 * (label == names[a]) + 0.1 / 6 for label in LABELS}, (names[a],)
        )
        for i, a in enumerate(answers)
    ]


def states(name: str, answers: str) -> str:
    policy = read_policy(POLICIES / f"{name}.yaml")
    return "".join(one.state[0] for one in decide(policy, recording(answers)) if one.changed or one.final)


@pytest.mark.parametrize(
    ("name", "answers", "expected"),
    [
        ("single", "eegnggee", "egdge"),
        ("majority", "eegnggee", "ege"),
        ("majority", "eegnnlee", "ede"),
        ("weighted", "eegnggee", "ege"),
        ("weighted", "eegnnlee", "ede"),
    ],
)
def test_single_images_flicker_and_votes_do_not(name: str, answers: str, expected: str) -> None:
    assert states(name, answers) == expected
