"""What decides where a stream file names no policy: the model's own answers, as they change."""

from __future__ import annotations

from typing import Any

from tellapart.records.labels import LabelSchema, Task
from tellapart.settings.policy import Policy
from tellapart.settings.policy_file import read_policy

UNKNOWN, NOT_SURE = "unknown", "not sure"


def default_policy(schema: LabelSchema) -> Policy:
    """The state is the label that the model answers; `unknown` and `not sure` where it does not answer.

    A multi-label model has a track for each label, with the states yes and no.
    """
    strange = {"state": UNKNOWN, "name": "unlike the training images", "if": {"unknown": True}}
    if schema.task is Task.MULTILABEL:
        tracks = {name: _yes_or_no(name, strange) for name in schema.names}
        return read_policy({"policy": 1, "name": "answers", "tracks": tracks})
    states = {**dict.fromkeys(schema.names), UNKNOWN: None, NOT_SURE: None}
    rules = [
        strange,
        *({"state": name, "name": f"answers {name}"[:80], "if": {"predicted": name}} for name in schema.names),
    ]
    return read_policy({"policy": 1, "name": "answers", "states": states, "fallback": NOT_SURE, "rules": rules})


def _yes_or_no(label: str, strange: dict[str, Any]) -> dict[str, Any]:
    rules = [strange, {"state": "yes", "name": "answers it", "if": {"predicted": label}}]
    return {"states": {"yes": None, "no": None, UNKNOWN: None}, "fallback": "no", "rules": rules}
