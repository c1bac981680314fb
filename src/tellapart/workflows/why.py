"""Why a stream decided as it did: found in its journal, told in sentences, shown with the images behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.streams.journal_search import Entry, around, find, journal_files
from tellapart.workflows.why_images import Behind, behind
from tellapart.workflows.why_policy import RuleText, rule_of
from tellapart.workflows.why_sentences import sentences

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision as the journal has it, with what is left of what it rests on.

    `decision` is the journal's entry. `images` are those that it rests on, oldest first. `rule` is the rule's text in the
    version of the policy that decided, None where that was not kept. `near` are entries of the same track around it.
    """

    folder: Path
    decision: dict[str, Any]
    images: tuple[Behind, ...]
    rule: RuleText | None
    near: tuple[dict[str, Any], ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is to be said about it, one thought each."""
        return sentences(self.decision, self.images, self.rule)

    def to_json(self) -> dict[str, Any]:
        """The entry of the journal, and beside it the sentences, the rule and where images are."""
        return {
            **self.decision,
            "images": [one.to_json() for one in self.images],
            "folder": str(self.folder),
            "ruleText": self.rule.text if self.rule else None,
            "told": list(self.sentences),
        }

    def picture(self, path: str | Path) -> None:
        """Write a PNG: the images with what was seen on them, confidences over time, and the states.

        Raises:
            DataError: `write_failed`.
        """
        from tellapart.workflows.why_picture import write_picture

        write_picture(self, Path(path))


def why(decision_id: str, *, folders: Sequence[str | Path] = ()) -> Explanation:
    """Look a decision up by its id, or by a beginning that no other id has.

    `folders` are those of streams; without any, the folders *.watch here.

    Raises:
        DataError: `decision_not_found`, `dataset_not_found` for a folder without decisions, `recording_damaged`.
        SettingsError: `bad_setting` for a beginning that several ids have.
    """
    prefix = decision_id.strip().lower()
    places = [Path(folder) for folder in folders] or sorted(Path().glob("*.watch"))
    places = [_stream_folder(place, named=bool(folders)) for place in places]
    found = [(place, entry) for place in places for entry in find(place, prefix)] if prefix else []
    if not found:
        raise DataError(Reason.DECISION_NOT_FOUND, _not_found(decision_id, places))
    ids = sorted({entry.value["decisionId"] for _, entry in found})
    if len(ids) > 1:
        shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        raise SettingsError(
            Reason.BAD_SETTING, f"{decision_id!r} is the beginning of {len(ids):,} decisions: {shown}; write more of it"
        )
    return _explained(*found[0])


def _explained(folder: Path, entry: Entry) -> Explanation:
    value = entry.value
    return Explanation(folder, value, behind(folder, value), rule_of(folder, value), tuple(around(entry)))


def _stream_folder(place: Path, *, named: bool) -> Path:
    """A stream's folder, or its folder `decisions` or `recording`."""
    for folder in (place, place.parent):
        if journal_files(folder):
            return folder
    if named:
        raise DataError(
            Reason.DATASET_NOT_FOUND, f"{place} is no folder of a stream: it has no decisions/decisions-….jsonl"
        )
    return place


def _not_found(decision_id: str, places: Sequence[Path]) -> str:
    if not places:
        return (
            f"there is no decision {decision_id!r}: there is no folder *.watch here; name a stream's folder with --in"
        )
    where = ", ".join(map(str, places[:_SHOWN]))
    return (
        f"there is no decision {decision_id!r} in {where}; journals hold changes of state and ends of episodes, "
        "not the decisions that changed nothing"
    )
