"""Policies as files: YAML in, every fault in one sentence, and the hash by which decisions name what decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tellapart.errors import Reason, SpecError
from tellapart.settings.given import Given
from tellapart.settings.policy import Policy, Track
from tellapart.settings.policy_faults import faults_of
from tellapart.settings.policy_meaning import contradictions
from tellapart.settings.recipe_yaml import parse
from tellapart.settings.text_file import read_text

MAX_BYTES = 1024 * 1024
ONLY_TRACK = "state"
"""Name of the track of a policy that is written flat."""
_OF_A_TRACK = tuple(Track.model_fields)


def read_policy(source: str | Path | Mapping[str, Any]) -> Policy:
    """A policy from a YAML file, or from plain values.

    A policy of one track is written flat: its states, rules and window stand beside the name.

    Raises:
        SpecError: `bad_policy`, with every fault and its line.
    """
    told = "the policy" if isinstance(source, Mapping) else f"the policy {source}"
    given = Given(source) if isinstance(source, Mapping) else parse(_text(Path(source)), such_as="policy: 1")
    whole = _with_tracks(given)
    faults = list(whole.faults)
    if "stream" in given.values and "policy" not in given.values:
        faults = ["it is a stream file, which names policies; `tellapart watch` reads it"]
    if not faults:
        try:
            policy = Policy.model_validate(whole.values)
        except ValidationError as exc:
            faults = faults_of(exc, whole.values, given)
        else:
            faults = [_placed(fault, given) for fault in contradictions(policy)]
            if not faults:
                return policy
    raise SpecError(Reason.BAD_POLICY, f"{told} cannot be used: {'; '.join(faults)}")


def policy_hash(policy: Policy) -> str:
    """12 hex digits over everything that decides; descriptions do not."""
    value = policy.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    value.pop("description", None)
    for track in value["tracks"].values():
        track["states"] = sorted(track["states"])
        track.pop("costs", None)
    for one in value.get("inputs", {}).values():
        one.pop("description", None)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:12]


def identity(policy: Policy) -> str:
    """`name@hash`, as decisions name it."""
    return f"{policy.name}@{policy_hash(policy)}"


def _placed(fault: str, given: Given) -> str:
    """A sentence that begins with a place such as rules[0].if, with the line where that was written."""
    path = fault.split(" ")[0].replace("[", ".").replace("]", "")
    line = given.place(tuple(path.split(".")))
    return f"{line}: {fault}" if line else fault


def _with_tracks(given: Given) -> Given:
    """A flat policy as one with a single track; places stay where they were written."""
    flat = [name for name in _OF_A_TRACK if name in given.values]
    if "tracks" in given.values:
        if flat:
            where = given.place((flat[0],))
            place = f"{where}: " if where else ""
            return given.then(Given.failed(f"{place}{flat[0]} belongs into one of the tracks, beside which it stands"))
        return given
    rest = {name: value for name, value in given.values.items() if name not in flat}
    return Given(
        {**rest, "tracks": {ONLY_TRACK: {name: given.values[name] for name in flat}}}, given.places, given.faults
    )


def _text(path: Path) -> str:
    return read_text(
        path,
        f"the policy {path}",
        be="a policy",
        max_bytes=MAX_BYTES,
        refuse=lambda sentence: SpecError(Reason.BAD_POLICY, sentence),
    )
