"""Choose the numbers of a policy for an aim, on recorded labelled sequences, and say what that brings on held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason, SettingsError, SpecError
from tellapart.evaluation.episodes import Terms
from tellapart.evaluation.policy_evaluation import evaluate_tracks
from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy
from tellapart.settings.policy_text import with_head, with_numbers
from tellapart.settings.recipe_yaml import parse
from tellapart.workflows.policy_evaluate import labels_by_track, terms_of
from tellapart.workflows.policy_tune_aim import Aim, Tally
from tellapart.workflows.policy_tune_held_out import validate
from tellapart.workflows.policy_tune_knobs import Knob, Values, knobs_of
from tellapart.workflows.policy_tune_pieces import Pieces, pieces_of
from tellapart.workflows.policy_tune_result import Candidate, TunedPolicy, TunedTrack, head
from tellapart.workflows.policy_tune_search import Choice, Search, numbers_of
from tellapart.workflows.policy_tune_trials import Trials
from tellapart.workflows.progress import Progress, silent

BUDGET = 200
GAP_S = 30.0


def tune_policy(
    policy: str | Path,
    recording: Mapping[str, Sequence[Observation]],
    truth: Mapping[str, Sequence[TrueEpisode]],
    *,
    aim: Aim,
    only: Sequence[str] = (),
    keep: Sequence[str] = (),
    rest: str | None = None,
    late_s: float = 0.0,
    gap_s: float = GAP_S,
    budget: int = BUDGET,
    seed: int = 0,
    anyway: bool = False,
    progress: Progress = silent,
) -> TunedPolicy:
    """Tune the policy of a YAML file: each of its tracks for itself, by the numbers that the file holds.

    What a policy decides is compared with `truth` as `evaluate_policy` does it, with its `rest` and `late_s`. `only` and
    `keep` name what may be turned and what may not, by paths such as "window" or "rules[0].if.at_least". `budget` is the
    number of policies tried on all sequences, and again for each part that is held out. Numbers are taken over where tuning
    pays on what was held out, or `anyway`. The same arguments give the same result.

    Raises:
        SpecError: `bad_policy`.
        SettingsError: `bad_setting`, such as names that no number of the policy has.
        DataError: `dataset_empty`, `too_few_episodes`.
    """
    _check(budget, gap_s)
    text, values, given = _read(Path(policy))
    _check_rest(given, rest)
    labels = labels_by_track(given, {name: truth[name] for name in recording if name in truth})
    if not labels:
        raise DataError(Reason.DATASET_EMPTY, "no sequence is both recorded and labelled")
    knobs = _chosen({name: knobs_of(values, name, recording.values()) for name in labels}, only, keep)
    tracks = []
    for name, of_track in knobs.items():
        pieces = pieces_of(recording, labels[name], gap_s=gap_s)
        terms = terms_of(given.tracks[name], labels[name], rest=rest, late_s=late_s)
        running = _Running(values, name, of_track, pieces, terms, aim, budget, seed, progress)
        tracks.append(running.tuned(anyway))
    return _result(text, given, aim, tracks)


class _Running:
    def __init__(
        self,
        values: Values,
        track: str,
        knobs: Sequence[Knob],
        pieces: Pieces,
        terms: Terms,
        aim: Aim,
        budget: int,
        seed: int,
        progress: Progress,
    ) -> None:
        self._trials = Trials(values, track, knobs, pieces, terms)
        self._aim, self._budget, self._seed, self._progress = aim, budget, seed, progress
        self._tried: list[Choice] = []

    def tuned(self, anyway: bool) -> TunedTrack:
        trials, knobs = self._trials, self._trials.knobs
        every = range(len(trials.pieces.pieces))
        chosen = self._find(every, "tuning")
        candidates = [self._candidate(choice, every) for choice in self._tried]
        held_out = validate(trials, self._aim, self._find)
        shown = {"given": held_out.given, "tuned": held_out.tuned}
        evaluated = evaluate_tracks({name: (trials.terms, one) for name, one in shown.items()}, seed=self._seed)
        return TunedTrack(
            trials.track,
            tuple(knobs),
            tuple(knob.given for knob in knobs),
            chosen,
            tuple(one for one in candidates if one is not None),
            trials.pieces.how,
            held_out,
            evaluated[0],
            evaluated[1],
            taken=chosen != tuple(knob.given for knob in knobs) and (held_out.pays or anyway),
        )

    def _find(self, numbers: Sequence[int], stage: str) -> Choice:
        def score(choice: Choice) -> tuple[float, ...] | None:
            tally = self._trials.tally(choice, numbers)
            return None if tally is None else self._aim.key(tally)

        told = stage if self._trials.track == "state" else f"{self._trials.track}: {stage}"
        search = Search(
            self._trials.knobs,
            score,
            budget=self._budget,
            seed=self._seed,
            on_try=lambda done: self._progress(told, done, self._budget),
        )
        found = search.run()
        self._tried = self._tried or list(search.tried)
        return found

    def _candidate(self, choice: Choice, numbers: Sequence[int]) -> Candidate | None:
        tally: Tally | None = self._trials.tally(choice, numbers)
        return None if tally is None else Candidate(choice, tally)


def _check(budget: int, gap_s: float) -> None:
    if budget < 1:
        raise SettingsError(Reason.BAD_SETTING, f"the budget is a number of policies to try from 1, got {budget}")
    if not 0 <= gap_s < float("inf"):
        raise SettingsError(Reason.BAD_SETTING, f"the gap is a number of seconds from 0, got {gap_s:g}")


def _check_rest(policy: Any, rest: str | None) -> None:
    states = dict.fromkeys(state for track in policy.tracks.values() for state in track.states)
    if rest is not None and rest not in states:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the state at rest, {rest!r}, is none of the policy's states: {', '.join(map(repr, states))}",
        )


def _read(path: Path) -> tuple[str, Values, Any]:
    """The text, its plain values, and the policy."""
    policy = read_policy(path)
    text = path.read_bytes().decode("utf-8-sig")
    return text, parse(text).values, policy


def _chosen(knobs: Mapping[str, Sequence[Knob]], only: Sequence[str], keep: Sequence[str]) -> dict[str, list[Knob]]:
    names = [knob.name for of_track in knobs.values() for knob in of_track]
    if not names:
        raise SpecError(
            Reason.BAD_POLICY,
            "the policy holds no number that can be tuned: write a threshold, a vote, a window, `enter` or `hold_s` into it",
        )
    for asked in (*only, *keep):
        if not any(_within(name, asked) for name in names):
            raise SettingsError(
                Reason.BAD_SETTING, f"no number that can be tuned is called {asked!r}; there are {', '.join(names)}"
            )
    found = {
        track: [
            knob
            for knob in of_track
            if (not only or any(_within(knob.name, one) for one in only))
            and not any(_within(knob.name, one) for one in keep)
        ]
        for track, of_track in knobs.items()
    }
    if not any(found.values()):
        raise SettingsError(Reason.BAD_SETTING, "nothing is left to tune: every number is kept")
    return {track: of_track for track, of_track in found.items() if of_track}


def _within(name: str, asked: str) -> bool:
    return name == asked or name.startswith((f"{asked}.", f"{asked}["))


def _result(text: str, given: Any, aim: Aim, tracks: Sequence[TunedTrack]) -> TunedPolicy:
    numbers = {
        path: number for one in tracks if one.taken for path, number in numbers_of(one.knobs, one.chosen).items()
    }
    changed = with_numbers(text, numbers)
    before = identity(given)
    after = identity(read_policy(parse(changed).values))
    return TunedPolicy(before, after, aim, tuple(tracks), with_head(changed, head(before, aim, tracks)))
