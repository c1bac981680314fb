"""A search as a folder that survives every end of its process: what was tried, and what is to be tried next.

journal.log       the study, a line of JSON per event (Optuna's journal)
search.json       what the search is about; another one cannot be gone on with
answers/0.npy     probabilities of trial 0 for the validation images
trials/0/         a training that is under way
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.extras import require
from tellapart.files import replacing
from tellapart.training.search.space import Space

# Guesses begin after so many trials; before them values are drawn.
_BEFORE_GUESSING = 6
# Trainings that have to be over before another can be worse than their middle.
_BEFORE_PRUNING = 2
_MOST_STARTS = 3
_MOST_REPEATS = 40
_JOURNAL, _ABOUT = "journal.log", "search.json"


class Pruned(Exception):
    """A training is given up: its message says why. Raised through the training that is under way."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Something to try. `number` counts from 0; `chosen` by the paths of the recipe's fields; `handle` is Optuna's."""

    number: int
    chosen: Mapping[tuple[str, ...], Any]
    handle: Any

    def report(self, epoch: int, metric: float) -> None:
        """How a training stands after an epoch.

        Raises:
            Pruned: when the median of the trainings before was better at this epoch.
        """
        before = self.handle.study.get_trials(deepcopy=False)[self.handle.number].intermediate_values
        if epoch not in before:
            self.handle.report(metric, epoch)
        if self.handle.should_prune():
            raise Pruned(f"after epoch {epoch} it was behind half of the trainings before")


class Study:
    """A search in `folder`: trials come from `next`, and what came of them goes to `complete`, `prune` or `fail`.

    What is tried next follows from `seed` and from the trials that are over, so a search that was ended and gone on with
    tries the same as one that was not.

    Raises:
        MissingExtra: without Optuna.
        SettingsError: `bad_setting` when the folder holds another search; `about` says in words what it is about.
        TrainingError: `job_damaged`, `write_failed`.
    """

    def __init__(self, folder: Path, space: Space, *, about: Mapping[str, Any], seed: int, epochs: int) -> None:
        require("optuna", extra="train", feature="a search")
        self.folder, self._space, self._seed = folder, space, seed
        self._check(about)
        try:
            self._study = _opened(folder / _JOURNAL, epochs)
            if not self._study.get_trials(deepcopy=False):
                for values in space.starting_points():
                    self._study.enqueue_trial(values)
        except (OSError, ValueError, KeyError) as exc:
            message = f"the search in {folder} cannot be read ({exc}); begin it anew with --restart"
            raise TrainingError(Reason.JOB_DAMAGED, message) from exc

    def next(self) -> Trial | None:
        """What to try now: a trial that was interrupted, else a new one. None when all there is was tried."""
        import optuna

        under_way = [one for one in self._study.get_trials(deepcopy=False) if one.state.name == "RUNNING"]
        while self._repeats() < _MOST_REPEATS:
            number = under_way[0].number if under_way else self._number_to_come()
            self._study.sampler = _sampler(self._seed, number, guesses=not self._repeats())
            with _quiet():
                trial = optuna.trial.Trial(self._study, under_way[0]._trial_id) if under_way else self._study.ask()
                chosen = self._space.drawn(trial)
            if not self._tried_before(trial):
                return self._started(trial, chosen)
            # Optuna does not learn from a failed trial, and `rows` leaves it out.
            trial.set_user_attr("repeats", True)
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            under_way = []
        return None

    def complete(self, trial: Trial, score: float, facts: Mapping[str, Any], answers: Any) -> None:
        """It went to its end; `answers` are its probabilities (m, k) for the validation images."""
        path = self.answers_of(trial.number)
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.asarray(answers, np.float32), allow_pickle=False)
        self._end(trial, facts, score=score)

    def prune(self, trial: Trial, why: str, facts: Mapping[str, Any]) -> None:
        """It was given up."""
        self._end(trial, {**facts, "why": why}, state="PRUNED")

    def fail(self, trial: Trial, why: str, facts: Mapping[str, Any]) -> None:
        """It could not be done."""
        self._end(trial, {**facts, "why": why}, state="FAIL")

    def rows(self) -> list[dict[str, Any]]:
        """All trials that are over, in their order: number, what was chosen, state, score, and the facts told of each."""
        return [
            {
                **one.user_attrs,
                "number": number,
                "state": one.state.name,
                "score": one.value if one.value is not None else _last(one.intermediate_values),
            }
            for number, one in enumerate(self._counted())
            if one.state.is_finished()
        ]

    def answers_of(self, number: int) -> Path:
        """Where the answers of a trial lie."""
        return self.folder / "answers" / f"{number}.npy"

    def _started(self, trial: Any, chosen: Mapping[tuple[str, ...], Any]) -> Trial | None:
        """Told as a failure where it ended its process time and again: memory may have run out."""
        starts = int(trial.user_attrs.get("starts", 0)) + 1
        number = [one.number for one in self._counted()].index(trial.number)
        found = Trial(number, chosen, trial)
        if starts > _MOST_STARTS:
            self.fail(found, f"its process was ended {_MOST_STARTS} times while it was under way", {})
            return self.next()
        trial.set_user_attr("starts", starts)
        return found

    def _end(
        self, trial: Trial, facts: Mapping[str, Any], *, score: float | None = None, state: str = "COMPLETE"
    ) -> None:
        import optuna

        for name, value in facts.items():
            trial.handle.set_user_attr(name, value)
        with _quiet():
            self._study.tell(trial.handle, score, state=optuna.trial.TrialState[state])

    def _counted(self) -> Iterator[Any]:
        return (
            one
            for one in self._study.get_trials(deepcopy=False)
            if "repeats" not in one.user_attrs and one.state.name != "WAITING"
        )

    def _repeats(self) -> int:
        """How many of the last trials in a row had been tried before."""
        trials = [one for one in self._study.get_trials(deepcopy=False) if one.state.is_finished()]
        return next(
            (place for place, one in enumerate(reversed(trials)) if "repeats" not in one.user_attrs), len(trials)
        )

    def _number_to_come(self) -> int:
        trials = self._study.get_trials(deepcopy=False)
        return next((one.number for one in trials if one.state.name == "WAITING"), len(trials))

    def _tried_before(self, trial: Any) -> bool:
        params = self._study.get_trials(deepcopy=False)[trial.number].params
        return any(one.params == params for one in self._counted() if one.number < trial.number)

    def _check(self, about: Mapping[str, Any]) -> None:
        path = self.folder / _ABOUT
        asked = {**about, "space": self._space.told(), "seed": self._seed}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with replacing(path) as temporary:
                    temporary.write_text(json.dumps(asked, indent=1), encoding="utf-8")
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError as exc:
            message = f"the search cannot be written to {self.folder}: {exc.strerror or exc}"
            raise TrainingError(Reason.WRITE_FAILED, message) from exc
        except ValueError as exc:
            raise TrainingError(Reason.JOB_DAMAGED, f"{path} is damaged; begin the search anew with --restart") from exc
        differing = [name for name in asked if found.get(name) != asked[name]]
        if differing:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"the search in {self.folder} was another one: its {_listed(differing)} differed. Ask for the same again, or "
                "begin anew with --restart",
            )


def _opened(path: Path, epochs: int) -> Any:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    _mend(path)
    with _quiet():
        lock = JournalFileOpenLock(str(path))
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=max(2, epochs // 5), n_min_trials=_BEFORE_PRUNING
        )
        return optuna.create_study(
            storage=storage, study_name="search", direction="maximize", load_if_exists=True, pruner=pruner
        )


def _mend(path: Path) -> None:
    """A process that was killed may leave its lock behind, and half a line at the end."""
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        with replacing(path) as temporary:
            temporary.write_bytes(whole)


def _sampler(seed: int, number: int, *, guesses: bool) -> Any:
    """Its own for every trial: what it draws must not depend on how often the process was started.

    A guess that had been tried before would come again: then any draw is as good.
    """
    import optuna

    own = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    if not guesses:
        return optuna.samplers.RandomSampler(seed=own)
    return optuna.samplers.TPESampler(seed=own, n_startup_trials=_BEFORE_GUESSING)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells every trial on stderr, and warns of its experimental parts and of values that are no numbers."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _last(values: Mapping[int, float]) -> float | None:
    return values[max(values)] if values else None


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
