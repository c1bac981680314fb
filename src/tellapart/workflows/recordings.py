"""Recorded observations read back: what a policy is run, evaluated and tuned on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, NoReturn

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.records import Refusal
from tellapart.records.observation import Observation
from tellapart.workflows.recorded_inputs import names_of, with_inputs
from tellapart.workflows.recorded_line import NotAnswered, check, no_number, told
from tellapart.workflows.text_lines import numbered_lines

_OF_A_STREAM = "observations-*.jsonl"


@dataclass(frozen=True, slots=True)
class Recorded(Mapping[str, list[Observation]]):
    """Observations by the name of their sequence ("" where none is named), each sequence sorted by time.

    `refusals` are the lines that could not be used, each with file and line. `n_foreign` counts the observations of inputs
    that the policy does not have: a stream records for all of its policies.
    """

    sequences: Mapping[str, list[Observation]]
    refusals: tuple[Refusal, ...] = ()
    n_foreign: int = 0

    def __getitem__(self, name: str) -> list[Observation]:
        return self.sequences[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def n_observations(self) -> int:
        """Over all sequences."""
        return sum(map(len, self.sequences.values()))


def read_recording(
    path: str | Path, *, policy: Any = None, fps: float = 1.0, inputs: Mapping[str, str] | None = None
) -> Recorded:
    """Read a file of observations, the folder of a stream's recording, or a folder of files that are a sequence each.

    Lines are what a stream records (`Observation.to_json`) or what `predict --json` writes: without `at`, the time is the
    image's number divided by `fps`, refused ones being counted; without `input` it is the input called like the region, or
    the only one of `policy`; without `id` the uri names the image. Without `sequence` and `at`, images of different folders are
    different sequences, called like their folder. A bad line is refused and the rest is read.

    `inputs` names for each input of the policy what it was called when it was recorded, such as "gate/left" for a region of a
    camera. Without, the names are the same; where a policy of one input finds its name nowhere, each name that was recorded
    is a sequence of its own, as each region has a decision of its own.

    Raises:
        DataError: `dataset_not_found`, `read_failed`, `dataset_empty` where no line can be used.
        SettingsError: `bad_setting` for a rate that is none, or an input that the policy does not have.
    """
    _check_rate(fps)
    known = tuple(policy.inputs) if policy is not None else ()
    _check_inputs(inputs or {}, known)
    reading = _Reading(known, fps)
    for file, sequence in _files(Path(path)):
        reading.take(file, sequence)
    sequences, n_foreign = with_inputs(reading.sequences, known, inputs or {})
    found = Recorded(sequences, tuple(reading.refusals), n_foreign)
    if not found.n_observations:
        _nothing(path, found, names_of(reading.sequences))
    return found


def _check_inputs(inputs: Mapping[str, str], known: tuple[str, ...]) -> None:
    strange = [name for name in inputs if known and name not in known]
    if strange:
        raise SettingsError(
            Reason.BAD_SETTING, f"the policy has no input {strange[0]!r}; it has {', '.join(map(repr, known))}"
        )


def _check_rate(fps: float) -> None:
    if not (math.isfinite(fps) and fps > 0):
        raise SettingsError(Reason.BAD_SETTING, f"the images per second are a number above 0, got {fps:g}")


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Files with the name of the sequence that their lines belong to where they name none."""
    if not path.is_dir():
        yield path, ""
        return
    for folder in (path, path / "recording"):
        of_a_stream = sorted(folder.glob(_OF_A_STREAM))
        if of_a_stream:
            yield from ((file, "") for file in of_a_stream)
            return
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise DataError(
            Reason.DATASET_EMPTY,
            f"the folder {path} holds no recording: neither observations-….jsonl of a stream nor other .jsonl files",
        )
    yield from ((file, file.stem) for file in files)


def _nothing(path: str | Path, found: Recorded, recorded: Sequence[str]) -> NoReturn:
    why = "it is empty"
    if found.n_foreign:
        named = ", ".join(map(repr, recorded[:5]))
        why = f"what was recorded is called {named}, and no input of the policy is; name them, as INPUT={recorded[0]}"
    elif found.refusals:
        why = f"all {len(found.refusals)} lines were refused, the first: {found.refusals[0].sentence}"
    raise DataError(Reason.DATASET_EMPTY, f"{path} holds no observation that can be used: {why}")


@dataclass(slots=True)
class _Reading:
    """What was read so far, file by file."""

    inputs: tuple[str, ...]
    fps: float
    sequences: dict[str, list[Observation]] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    numbers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    timed: dict[str, bool] = field(default_factory=dict)
    ids: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def take(self, file: Path, sequence: str) -> None:
        """Read one file."""
        for number, text in numbered_lines(file):
            try:
                self._line(text, sequence)
            except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as exc:
                self._refuse(f"{file}:{number}", Reason.BAD_ROW.value, f"it is no line of a recording: {told(exc)}")
            except NotAnswered as exc:
                self._refuse(f"{file}:{number}", exc.code, f"the image was refused: {exc}")

    def _refuse(self, where: str, code: str, message: str) -> None:
        self.refusals.append(Refusal(where, code, message))

    def _line(self, text: str, sequence: str) -> None:
        value = json.loads(text, parse_constant=no_number)
        if not isinstance(value, dict):
            raise ValueError("it is not an object")
        sequence = _sequence_of(value, sequence)
        number = self._number(sequence, value)
        if "refused" in value:
            raise NotAnswered(value["refused"])
        timed = "at" in value
        self._check_times(sequence, timed)
        one = Observation.from_json(self._completed(value, number))
        check(one, value)
        one = self._named(sequence, one, number, by_uri=value.get("id") is None)
        self.timed[sequence] = timed  # a line that is refused says nothing about the others
        self.sequences.setdefault(sequence, []).append(one)

    def _number(self, sequence: str, value: Mapping[str, Any]) -> int:
        """Of the image, from 0; regions of one image follow one another and have its number."""
        number, before = self.numbers.get(sequence, (-1, None))
        image = value.get("uri") if value.get("roi") is not None else None
        if image is None or image != before:
            number += 1
        self.numbers[sequence] = number, image
        return number

    def _named(self, sequence: str, one: Observation, number: int, *, by_uri: bool) -> Observation:
        """With an id of its own: a camera may write every image over the last one, and name them all alike."""
        known = self.ids.setdefault(sequence, set())
        if (one.input, one.id) in known:
            if not by_uri:
                raise ValueError(f"the id {one.id!r} was given to an image before: each has one of its own")
            one = replace(one, id=f"{one.id} ({number})")
        known.add((one.input, one.id))
        return one

    def _check_times(self, sequence: str, timed: bool) -> None:
        if self.timed.get(sequence, timed) != timed:
            raise ValueError(f"it has {'a' if timed else 'no'} time, which the lines before it have{' not' * timed}")

    def _completed(self, value: Mapping[str, Any], number: int) -> dict[str, Any]:
        known = dict(value)
        known.setdefault("at", number / self.fps)
        roi = known.get("roi")
        if known.get("input") is None:
            known["input"] = roi if roi in self.inputs else self._only_input()
        if known.get("id") is None:
            known["id"] = f"{known['uri']} [{roi}]" if roi else known["uri"]
        return known

    def _only_input(self) -> str:
        if len(self.inputs) > 1:
            raise ValueError(f"it names no input, and the policy has {', '.join(map(repr, self.inputs))}")
        return self.inputs[0] if self.inputs else "image"


def _sequence_of(value: Mapping[str, Any], of_file: str) -> str:
    """The sequence that a line names, else that of its file, else the folder of an image that has no time of its own."""
    if value.get("sequence") is not None:
        return str(value["sequence"]).strip()
    if of_file or "at" in value:
        return of_file
    return PurePath(str(value.get("uri", ""))).parent.name
