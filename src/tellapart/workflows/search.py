"""A search for the way to train: trials on the training images, judged on the validation images, the test images unseen."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.errors import Reason, TellapartError, TrainingError
from tellapart.evaluation.intervals import Estimate, estimate_all
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.searched import Searched
from tellapart.evaluation.units import units_of
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_file import differences, read_recipe
from tellapart.training.finetune.metrics import metric_name
from tellapart.training.search.choosing import Candidate, Judges, choose
from tellapart.training.search.space import METHOD, Space, default_space
from tellapart.training.search.study import Pruned, Study, Trial
from tellapart.training.tuned_head import Roles, assign_roles
from tellapart.workflows.fitting import Fitting
from tellapart.workflows.progress import Progress
from tellapart.workflows.search_budget import Budget
from tellapart.workflows.search_folder import SearchFolder
from tellapart.workflows.search_space import around
from tellapart.workflows.search_story import differs, tried
from tellapart.workflows.search_trials import Outcome, Trials
from tellapart.workflows.wish import Wish

# They are no fault of what was tried: the next trial would end alike.
_NOT_ITS_FAULT = (Reason.WRITE_FAILED, Reason.MISSING_EXTRA, Reason.JOB_DAMAGED)

_HOPELESS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """The recipe that was taken, the images as its frozen network sees them, and the whole search.

    `as_before`: an earlier start of this search took the same recipe.
    """

    recipe: Recipe
    fitting: Fitting
    searched: Searched
    as_before: bool


class SearchInterrupted(KeyboardInterrupt):
    """Ctrl-C in a search: `searched` is what there is so far, in `folder`; it can be gone on with."""

    def __init__(self, searched: Searched, folder: Path) -> None:
        super().__init__()
        self.searched, self.folder = searched, folder


def search(quick: Fitting, wish: Wish, folder: SearchFolder, budget: Budget, progress: Progress) -> Found:
    """Try what the recipe of `wish` leaves open, and take the cheapest of what cannot be told from the best.

    `quick` are the images, parted, as the recipe's frozen network sees them. Trials learn from the split `train` and are
    judged on `val`; for those of `test` nothing is answered.

    Raises:
        SettingsError: `bad_setting` when `folder` holds a search on other data or around another recipe.
        TrainingError: `too_few_images`, `too_few_classes`; `search_failed` when not one trial went to its end.
        SearchInterrupted: after Ctrl-C.
        MissingExtra: without Optuna.
    """
    roles = assign_roles(
        np.array(quick.parted.splits.assigned), quick.labels, quick.parted.groups, quick.schema, quick.options.seed
    )
    cached = replace(quick.embedder, cache_dir=quick.embedder.cache_dir or folder.path / "cache")
    trials = Trials(replace(quick, embedder=cached), wish, roles, folder.path)
    space = default_space(wish.recipe, around(quick, wish))
    about = {"data": _identity(quick, roles), "recipe": differences(wish.recipe)}
    with _disk(folder.path):
        study = Study(folder.path, space, about=about, seed=quick.options.seed, epochs=wish.recipe.finetune.epochs)
        running = _Search(study, space, trials, budget, folder, progress)
        running.run()
        before = folder.taken()
        searched, recipe = running.taken()
    fitting = trials.fitting(recipe, progress)
    fitting = replace(fitting, embedder=replace(fitting.embedder, cache_dir=quick.embedder.cache_dir))
    return Found(recipe, fitting, searched, before == folder.taken())


class _Search:
    def __init__(
        self, study: Study, space: Space, trials: Trials, budget: Budget, folder: SearchFolder, progress: Progress
    ) -> None:
        self._study, self._space, self._trials, self._budget = study, space, trials, budget
        self._folder, self._progress = folder, progress
        rows = np.flatnonzero(trials.roles.validates)
        quick = trials.quick
        self._judges = Judges(
            quick.targets(rows), quick.schema, quick.groups(rows), metric_name(quick.schema.task), quick.options.seed
        )

    def run(self) -> None:
        try:
            while self._budget.left(rows := self._study.rows()) and not _hopeless(rows):
                self._progress(self._budget.told(rows), 0, 0)
                trial = self._study.next()
                if trial is None:
                    break
                self._try(trial, rows)
                self._folder.tell(self._searched(), {})
        except KeyboardInterrupt:
            searched = self._searched()
            self._folder.tell(searched, {})
            raise SearchInterrupted(searched, self._folder.path) from None

    def taken(self) -> tuple[Searched, Recipe]:
        rows = self._study.rows()
        candidates = [self._candidate(row) for row in rows if row["state"] == "COMPLETE"]
        if not candidates:
            why = next((row["why"] for row in rows if "why" in row), "there was no time for one")
            raise TrainingError(Reason.SEARCH_FAILED, f"not one trial went to its end; the first: {why}")
        choice = choose(candidates, self._judges)
        searched = replace(self._searched(), chosen=choice.taken, best=choice.best, why=choice.why)
        recipes = {
            name: self._recipe(rows, number) for name, number in (("taken", choice.taken), ("best", choice.best))
        }
        self._folder.tell(searched, recipes)
        return searched, recipes["taken"]

    def _try(self, trial: Trial, rows: list[dict[str, Any]]) -> None:
        began = time.perf_counter()
        number = self._budget.told(rows)

        def progress(stage: str, done: int, total: int) -> None:
            self._progress(f"{number}: {stage}", done, total)

        def facts() -> dict[str, Any]:
            return {"seconds": round(time.perf_counter() - began, 2)}

        self._describe(trial)
        on_epoch = self._watch(trial, rows, began)
        try:
            outcome = self._trials.run(trial.number, self._space.recipe(trial.chosen), on_epoch, progress)
            estimate = self._estimate(outcome)
            told = {"estimate": asdict(estimate), "n_bytes": outcome.n_bytes, "size_px": outcome.size_px}
            self._study.complete(trial, estimate.value or 0.0, facts() | told, outcome.answers)
        except Pruned as exc:
            self._study.prune(trial, str(exc), facts())
        except (TellapartError, RuntimeError, ValueError, MemoryError) as exc:
            if isinstance(exc, TellapartError) and exc.reason in _NOT_ITS_FAULT:
                raise
            self._study.fail(trial, _sentence(exc), facts())
        self._trials.tidy(trial.number)

    def _watch(self, trial: Trial, rows: list[dict[str, Any]], began: float) -> Callable[[int, float], None]:
        left = self._budget.seconds_left(rows)
        something = any(row["state"] == "COMPLETE" for row in rows)

        def on_epoch(epoch: int, metric: float) -> None:
            trial.report(epoch, metric)
            epochs = self._trials.wish.recipe.finetune.epochs
            if left is not None and something and epoch < epochs and time.perf_counter() - began > left:
                raise Pruned(f"the minutes were over after epoch {epoch}")

        return on_epoch

    def _describe(self, trial: Trial) -> None:
        """Before it begins, so that it is known also of one that ends its process."""
        recipe = trial.chosen.get(METHOD, self._space.base.method)
        trial.handle.set_user_attr("method", recipe)
        trial.handle.set_user_attr("differs", differs(trial.chosen, self._space.base))
        whole = self._space.recipe(trial.chosen)
        trial.handle.set_user_attr("recipe", whole.model_dump(mode="json", exclude_unset=True))

    def _estimate(self, outcome: Outcome) -> Estimate:
        judges = self._judges
        measurer = Measurer.of(judges.scored(outcome.answers), unit=units_of(judges.groups, len(judges.targets)))
        return estimate_all(measurer, seed=judges.seed, only=judges.metric).overall[judges.metric]

    def _candidate(self, row: dict[str, Any]) -> Candidate:
        path = self._study.answers_of(row["number"])
        try:
            answers = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as exc:
            message = f"{path} of the search cannot be read ({exc}); begin it anew with --restart"
            raise TrainingError(Reason.JOB_DAMAGED, message) from exc
        trained = row["method"] == "finetune"
        return Candidate(row["number"], row["score"], answers, trained, row["n_bytes"], row["size_px"])

    def _searched(self) -> Searched:
        rows = self._study.rows()
        return Searched(tuple(map(tried, rows)), self._judges.metric, len(self._judges.targets))

    @staticmethod
    def _recipe(rows: list[dict[str, Any]], number: int) -> Recipe:
        return read_recipe(Recipe.model_validate(rows[number]["recipe"]), search=True)


def _hopeless(rows: list[dict[str, Any]]) -> bool:
    """Whether nothing but failures came of late: more of them would only fill the minutes."""
    late = rows[-_HOPELESS:]
    return len(late) == _HOPELESS and all(row["state"] == "FAIL" for row in late)


def _identity(quick: Fitting, roles: Roles) -> str:
    """Which images, with which labels, in which role."""
    digest = hashlib.sha256("|".join([*quick.images.dataset.ids, *quick.schema.names]).encode())
    for part in (quick.labels, roles.learns, roles.validates):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _sentence(exc: BaseException) -> str:
    """One line: foreign libraries write whole pages."""
    text = " ".join(str(exc).split()) or type(exc).__name__
    return text if len(text) <= 300 else f"{text[:297]}…"


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        message = f"the search cannot be written to {path}: {exc.strerror or exc}"
        raise TrainingError(Reason.WRITE_FAILED, message) from exc
