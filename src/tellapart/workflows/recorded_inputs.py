"""What was recorded under which name, and which inputs of a policy hear it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tellapart.records.observation import Observation

_Sequences = Mapping[str, Sequence[Observation]]
_Heard = Mapping[str, Sequence[str]]


def names_of(sequences: _Sequences) -> list[str]:
    """What inputs were called when they were recorded."""
    return sorted({one.input for of in sequences.values() for one in of})


def with_inputs(
    sequences: _Sequences, inputs: Sequence[str], named: Mapping[str, str]
) -> tuple[dict[str, list[Observation]], int]:
    """The sequences by name, each sorted by time, with the inputs of a policy (`inputs`, () for any); and how many
    observations no input hears. `named` are recorded names by input, see `read_recording`."""
    recorded = names_of(sequences)
    apart = not named and len(inputs) == 1 and inputs[0] not in recorded
    heard = {name: [inputs[0]] for name in recorded} if apart else _heard(recorded, inputs, named)
    found: dict[str, list[Observation]] = {}
    for sequence, observations in sequences.items():
        for one in observations:
            name = "/".join(filter(None, (sequence, one.input))) if apart else sequence
            for as_input in heard[one.input]:
                taken = one if as_input == one.input else replace(one, input=as_input)
                found.setdefault(name, []).append(taken)
    n_foreign = sum(not heard[one.input] for of in sequences.values() for one in of)
    return {name: sorted(found[name], key=lambda one: one.order) for name in sorted(found)}, n_foreign


def _heard(recorded: Iterable[str], inputs: Sequence[str], named: Mapping[str, str]) -> _Heard:
    """Inputs that hear each recorded name; one may be heard by several."""
    if not inputs and not named:
        return {name: [name] for name in recorded}
    return {name: [one for one in (inputs or named) if named.get(one, one) == name] for name in recorded}
