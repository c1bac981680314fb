"""What the labels of an earlier version are called now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.workflows.classes.history import Entry, History

RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Terms:
    """Old label names → new ones, of one version of a model.

    A label that became one label is that one. One that became several is `"old → a | b"`: which of them an image shows,
    nobody has said. Those of `retired` have no successor.
    """

    version: int
    model_id: str
    names: Mapping[str, str]
    retired: frozenset[str]

    def probabilities(self, old: Iterable[tuple[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
        """Probabilities in new terms, those of merged labels added up, and those of retired labels under their old names."""
        found: dict[str, float] = {}
        retired: dict[str, float] = {}
        for name, value in old:
            into, key = (retired, name) if name in self.retired else (found, self._name(name))
            into[key] = into.get(key, 0.0) + value
        return found, retired

    def answers(self, old: Sequence[str]) -> tuple[list[str], list[str]]:
        """Answered labels in new terms, each once, and the retired ones among them."""
        new = [self._name(name) for name in old if name not in self.retired]
        return list(dict.fromkeys(new)), [name for name in old if name in self.retired]

    def _name(self, old: str) -> str:
        if old not in self.names:
            raise DataError(
                Reason.UNKNOWN_LABEL,
                f"version {self.version} of the model had no label {old!r}, so this is no prediction of it",
            )
        return self.names[old]


def terms_of(history: History, entry: Entry) -> Terms:
    """Of the labels of a version, in those of the latest."""
    latest = history.latest
    names = {label.id: label.name for label in latest.labels}
    mapping = history.mapping(entry.version, latest.version)
    told: dict[str, str] = {}
    for label in entry.labels:
        became = [names[one] for one in mapping[label.id]]
        if became:
            told[label.name] = became[0] if len(became) == 1 else f"{label.name} → {' | '.join(became)}"
    retired = frozenset(label.name for label in entry.labels if label.name not in told)
    return Terms(entry.version, entry.model_id, told, retired)


def terms_of_model(history: History, model_id: str, location: str) -> Terms:
    """By the id of the model that answered.

    Raises:
        DataError: `label_conflict` for a model that is none of this history.
    """
    entry = history.of_model(model_id)
    if entry is None:
        known = ", ".join(dict.fromkeys(one.model_id for one in history.entries))
        raise DataError(
            Reason.LABEL_CONFLICT,
            f"these predictions are of the model {model_id}, which is no version of {location}; its versions are {known}",
        )
    return terms_of(history, entry)


def terms_of_labels(history: History, labels: Sequence[str], version: int | None, location: str) -> Terms:
    """By the names of the labels, for predictions that do not say which model gave them.

    Raises:
        DataError: `label_conflict` when no version has these labels.
        SettingsError: `bad_setting` when versions that mean different things have them, and none is named.
    """
    asked = history.entries if version is None else (history.version(version),)
    fitting = [entry for entry in asked if {label.name for label in entry.labels} == set(labels)]
    if not fitting:
        which = "no version" if version is None else f"not version {version}"
        raise DataError(
            Reason.LABEL_CONFLICT,
            f"these predictions have the labels {', '.join(labels)}, which are those of {which} of {location}",
        )
    found = [terms_of(history, entry) for entry in fitting]
    if any((one.names, one.retired) != (found[-1].names, found[-1].retired) for one in found):
        versions = ", ".join(str(one.version) for one in found)
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the versions {versions} of {location} have these labels and mean different things by them, and the predictions "
            "do not say which of them answered: name it with --version",
        )
    return found[-1]
