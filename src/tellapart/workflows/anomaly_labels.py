"""Which images are good: classes become "good" and "anomalous", and what was wrong with the others is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tellapart.data.dataset import Dataset
from tellapart.data.labels import SEPARATOR
from tellapart.errors import DataError, Reason, SettingsError, TrainingError
from tellapart.records import LabelSchema, Task
from tellapart.records.labels import nothing_special
from tellapart.settings.recipe import Recipe
from tellapart.workflows.facts import KIND

GOOD, ANOMALOUS = "good", "anomalous"
_DENIALS = ("no", "not", "non", "without")
_BAD_WORDS = ("bad", "defect", "defects", "defective", "nok", "faulty", "fault", "broken", "scrap", "reject", "rejected",
              "anomaly", "anomalies", "anomalous", "damaged", "error")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sides:
    """Classes that are good, and what the two sides are called in the model."""

    good_classes: tuple[str, ...]
    good: str
    bad: str

    @property
    def schema(self) -> LabelSchema:
        """Binary, looking for the bad side."""
        return LabelSchema.from_names([self.good, self.bad], task=Task.BINARY, positive=self.bad)


def all_labelled(dataset: Dataset, recipe: Recipe) -> Dataset:
    """The data set where images without any class at all are good ones; the rest as it is.

    Raises:
        TrainingError, SettingsError: as `sides`: before an image is read.
    """
    if dataset.labelled.any():
        sides(dataset, recipe)
        return dataset
    name = recipe.anomaly.good or GOOD
    return _labelled(dataset, [[name]] * len(dataset), LabelSchema.from_names([name], task=Task.MULTICLASS))


def sides(dataset: Dataset, recipe: Recipe) -> Sides:
    """Good and bad by the recipe, else by the words of the class names.

    Raises:
        SettingsError: `bad_setting` where it cannot be told which class is good, `unknown_name` for a class that is not there.
        TrainingError: `too_few_images` where all classes are called by words for bad ones.
    """
    if dataset.schema is None or dataset.schema.task is Task.MULTILABEL:
        message = "an anomaly model needs one class per image, or none at all where all are good; these have several"
        raise SettingsError(Reason.BAD_SETTING, message)
    names = dataset.schema.names
    asked = recipe.anomaly.good
    good = _asked(asked, names) if asked else _guessed(names)
    others = [name for name in names if name not in good]
    of_one = others[0] if len(others) == 1 else ANOMALOUS
    bad = recipe.anomaly.bad or of_one
    called = good[0] if len(good) == 1 else GOOD
    if called == bad:
        message = f"good and bad images cannot both be called {bad!r}: set anomaly.bad to another name"
        raise SettingsError(Reason.BAD_SETTING, message)
    return Sides(good, called, bad)


def two_sided(dataset: Dataset, found: Sides) -> Dataset:
    """The images labelled good or bad, with their class in the metadata column `KIND`."""
    labels = dataset.table["labels"].to_list()
    kinds = [None if names is None else names[0] for names in labels]
    new = [None if kind is None else [found.good if kind in found.good_classes else found.bad] for kind in kinds]
    return _labelled(dataset, new, found.schema).with_metadata(KIND, kinds)


def in_terms_of(schema: LabelSchema, good_classes: Sequence[str], dataset: Dataset) -> Dataset:
    """Labelled images in the two labels of an anomaly model: its good classes, and everything else.

    Raises:
        DataError: `unknown_label` where several classes are given and not one is known to the model as good or bad.
    """
    positive = schema.positive or ""
    good = next(name for name in schema.names if name != positive)
    known = {*good_classes, *schema.names}
    if dataset.schema is None or not dataset.labelled.any():
        return dataset
    if dataset.schema.task is Task.MULTILABEL:
        raise DataError(Reason.UNKNOWN_LABEL, "an anomaly model is judged on images with one label each")
    if not known.intersection(dataset.schema.names):
        told = ", ".join(map(repr, sorted(known)))
        names = ", ".join(map(repr, dataset.schema.names))
        raise DataError(
            Reason.UNKNOWN_LABEL,
            f"none of the labels {names} is one of the model's, {told}: rename the good images' class, or all would count "
            "as anomalous",
        )
    classes = tuple({*good_classes, good})
    return two_sided(dataset, Sides(classes, good, positive))


def _labelled(dataset: Dataset, labels: Sequence[Sequence[str] | None], schema: LabelSchema) -> Dataset:
    import polars as pl

    column = pl.Series("labels", labels, dtype=pl.List(pl.String))
    return replace(dataset, table=dataset.table.with_columns(column), schema=schema)


def _asked(asked: str, names: Sequence[str]) -> tuple[str, ...]:
    wanted = [name.strip() for name in asked.split(SEPARATOR) if name.strip()]
    return tuple(dict.fromkeys(_class(name, names) for name in wanted)) or _class_missing(asked, names)


def _class(wanted: str, names: Sequence[str]) -> str:
    """The class of that name; the only one that differs in nothing but capitals will do."""
    if wanted in names:
        return wanted
    alike = [name for name in names if name.casefold() == wanted.casefold()]
    return alike[0] if len(alike) == 1 else _class_missing(wanted, names)[0]


def _class_missing(wanted: str, names: Sequence[str]) -> tuple[str, ...]:
    from difflib import get_close_matches

    alike = {name.casefold(): name for name in names}
    near = get_close_matches(wanted.casefold(), alike, n=1)
    hint = f"; did you mean {alike[near[0]]!r}?" if near else ""
    message = f"there is no class {wanted!r} among the images, there are: {', '.join(names)}{hint}"
    raise SettingsError(Reason.UNKNOWN_NAME, message)


def _guessed(names: Sequence[str]) -> tuple[str, ...]:
    found = nothing_special(names)
    # "no_cap" is a fault beside "good", and "no_scratch" is good beside "scratch".
    plain = tuple(name for name in found if not _words(name) & {*_DENIALS})
    if len(found) == 1 or len(plain) == 1:
        return found if len(found) == 1 else plain
    if len(names) == 1:
        if _words(names[0]) & {*_BAD_WORDS}:
            raise TrainingError(
                Reason.TOO_FEW_IMAGES,
                f"all images are {names[0]!r}, and an anomaly model learns from good ones: add a folder of good images, or say "
                f"with --good {names[0]!r} that these are good",
            )
        return (names[0],)
    told = "no name says so" if not found else f"{' and '.join(map(repr, found))} both sound like it"
    if len(found) > 2:
        told = f"{', '.join(map(repr, found))} all sound like it"
    raise SettingsError(
        Reason.BAD_SETTING,
        f"it cannot be told which class is good ({told}): name it with --good (anomaly.good of a recipe), one of "
        f"{', '.join(names)}, or several as 'a|b'",
    )


def _words(name: str) -> set[str]:
    return set(name.lower().replace("-", "_").replace(" ", "_").split("_"))
