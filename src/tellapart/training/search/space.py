"""What a search tries out: fields of a recipe, each with the values that it may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from tellapart.records import Task
from tellapart.settings.given import Given, Path, together
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_file import read_recipe

METHOD: Path = ("method",)
BACKBONE: Path = ("backbone",)
SIZE: Path = ("size",)
RATE: Path = ("finetune", "optimizer", "lr")
_LOSSES = {
    Task.BINARY: ("auto", "focal", "logit_adjustment"),
    Task.MULTICLASS: ("auto", "focal", "class_balanced", "logit_adjustment"),
    Task.MULTILABEL: ("auto", "asymmetric"),
}
_PRESETS = ("standard", "light", "strong", "none")
_TUNINGS = ("full", "last_stages", "head_then_all")
# Learning rates from a tenth of the automatic one to four times it.
_SLOWEST, _FASTEST = 0.1, 4.0


@dataclass(frozen=True, slots=True)
class Dimension:
    """A field that is tried out: one of `values`, or a number from `low` to `high` on a logarithmic scale.

    It counts only with `method` and `backbone`, where these are named.
    """

    path: Path
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    method: str | None = None
    backbone: str | None = None

    @property
    def name(self) -> str:
        """For the study: the same field of two methods is two questions."""
        return f"{self.method}: {'.'.join(self.path)}" if self.method else ".".join(self.path)

    def applies(self, chosen: Mapping[Path, Any], base: Recipe) -> bool:
        """Whether the field matters with what was chosen before it."""
        method, backbone = chosen.get(METHOD, base.method), chosen.get(BACKBONE, base.backbone)
        return self.method in (None, method) and self.backbone in (None, backbone)

    def drawn(self, trial: Any) -> Any:
        """The value of a trial of Optuna."""
        if self.values:
            return trial.suggest_categorical(self.name, self.values)
        return float(f"{trial.suggest_float(self.name, self.low, self.high, log=True):.2g}")


@dataclass(frozen=True, slots=True)
class Around:
    """What the space depends on: the task, `sizes` in pixels that `backbone` may see the images at, networks whose
    `backbones` may be frozen and whose `networks` may be trained (none: nothing is), the automatic learning rate (None: the
    optimiser has none).
    """

    task: Task
    backbone: str
    sizes: tuple[int, ...] = ()
    backbones: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Space:
    """All dimensions around a recipe, the method first."""

    base: Recipe
    dimensions: tuple[Dimension, ...]

    def drawn(self, trial: Any) -> dict[Path, Any]:
        """What a trial of Optuna is to try."""
        chosen: dict[Path, Any] = {}
        for dimension in self.dimensions:
            if dimension.applies(chosen, self.base):
                chosen[dimension.path] = dimension.drawn(trial)
        return chosen

    def recipe(self, chosen: Mapping[Path, Any]) -> Recipe:
        """The base with what was chosen."""
        return read_recipe(
            self.base, options=together(Given.one(path, chosen[path], "") for path in chosen), search=True
        )

    def names(self, chosen: Mapping[Path, Any]) -> dict[str, Any]:
        """By the names of the study, to ask for a certain trial."""
        return {
            dimension.name: chosen[dimension.path]
            for dimension in self.dimensions
            if dimension.path in chosen and dimension.applies(chosen, self.base)
        }

    def starting_points(self) -> list[dict[str, Any]]:
        """What is tried before anything is guessed: the recipe as a frozen probe, then as a training of the network."""
        methods = next((one.values for one in self.dimensions if one.path == METHOD), (self.base.method,))
        return [self.names(self._as_named(method)) for method in sorted(methods, key=lambda name: name == "finetune")]

    def _as_named(self, method: str) -> dict[Path, Any]:
        chosen: dict[Path, Any] = {METHOD: method}
        for one in self.dimensions:
            if one.path != METHOD and one.method in (None, method):
                # Values begin with the recipe's own; the automatic rate is what the range lies around.
                chosen[one.path] = one.values[0] if one.values else float(f"{one.low / _SLOWEST:.2g}")
        return chosen

    def told(self) -> list[str]:
        """Each dimension in words, to compare two spaces."""
        return [f"{one.name} of {list(one.values) or [one.low, one.high]}" for one in self.dimensions]


def default_space(base: Recipe, around: Around) -> Space:
    """What is worth a try: all that the recipe does not name itself."""
    named = named_fields(base)
    found = [one for one in _all(base, around) if one.path not in named and len(one.values) != 1]
    if base.preprocess is not None:
        found = [one for one in found if one.path != SIZE]
    return Space(base, tuple(found))


def _all(base: Recipe, around: Around) -> Iterator[Dimension]:
    trained = bool(around.networks)
    if trained:
        yield Dimension(METHOD, ("probe", "finetune"))
    methods = ("probe", "finetune") if METHOD not in named_fields(base) and trained else (base.method,)
    for method in methods:
        names = around.networks if method == "finetune" else around.backbones
        if method in ("probe", "finetune"):
            yield Dimension(BACKBONE, _first(base.backbone, names), method=method)
        sizes = (base.size, *(size for size in around.sizes if size != base.size))
        yield Dimension(SIZE, sizes, method=method, backbone=around.backbone)
    if "finetune" in methods and trained:
        yield from _learning(base, around)
    if set(methods) - {"finetune"}:
        method = next(name for name in methods if name != "finetune")
        yield Dimension(("class_weight",), _first(base.class_weight, ("balanced", "none")), method=method)
        if method == "hog":
            yield Dimension(("head",), _first(base.head, ("logistic", "svm")), method=method)


def _learning(base: Recipe, around: Around) -> Iterator[Dimension]:
    finetune, rate, method = base.finetune, around.rate, "finetune"
    yield Dimension(
        ("finetune", "augmentation", "preset"), _first(finetune.augmentation.preset, _PRESETS), method=method
    )
    yield Dimension(("finetune", "loss", "name"), _first(finetune.loss.name, _LOSSES[around.task]), method=method)
    if rate is not None:
        yield Dimension(RATE, low=float(f"{rate * _SLOWEST:.3g}"), high=float(f"{rate * _FASTEST:.3g}"), method=method)
    if finetune.start == "pretrained":  # of random weights all have to learn
        yield Dimension(("finetune", "tune"), _first(finetune.tune, _TUNINGS), method=method)


def _first(own: Any, others: Sequence[Any]) -> tuple[Any, ...]:
    return (own, *(value for value in others if value != own))


def named_fields(section: BaseModel, above: Path = ()) -> set[Path]:
    """Paths of the fields that somebody named, also where they named the default."""
    found: set[Path] = set()
    for name in section.model_fields_set:
        value = getattr(section, name)
        found |= named_fields(value, (*above, name)) if isinstance(value, BaseModel) else {(*above, name)}
    return found
