"""Policies judged on a recording, told: as lines, as plain values, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason
from tellapart.evaluation.policy_comparison import PolicyDifference, compare_policies
from tellapart.evaluation.policy_evaluation import PolicyEvaluation, StateFigures, TrackEvaluation
from tellapart.evaluation.policy_wording import FIGURES, change, change_spread, duration, told, with_spread
from tellapart.files import replacing
from tellapart.records import Refusal
from tellapart.settings.policy_file import read_policy
from tellapart.workflows.policy_evaluate import evaluate_policy, states_of
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.recordings import read_recording
from tellapart.workflows.truth import read_truth

_SHOWN = 5
_SEVERAL = 6


@dataclass(frozen=True, slots=True)
class JudgedPolicies:
    """A policy's evaluation, those of others on the same sequences, and how they differ from it, in the same order."""

    evaluation: PolicyEvaluation
    others: tuple[PolicyEvaluation, ...] = ()
    differences: tuple[tuple[PolicyDifference, ...], ...] = ()
    refusals: tuple[Refusal, ...] = ()
    n_foreign: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to read the figures."""
        return tuple(_notes(self.evaluation))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        value = self.evaluation.to_json() | {"notes": list(self.notes)}
        compared = zip(self.others, self.differences, strict=True)
        value["compared"] = [other.to_json() | {"differences": [d.to_json() for d in of]} for other, of in compared]
        return value | {"refused": [one.to_json() for one in self.refusals], "otherInputs": self.n_foreign}

    def lines(self) -> Iterator[str]:
        """For people."""
        yield from _told(self.evaluation)
        for other, differences in zip(self.others, self.differences, strict=True):
            yield ""
            yield from _told(other)
            yield from _compared(differences)


def judge_policies(
    policy: str | Path | Any,
    recording: str | Path,
    truth: str | Path,
    *,
    others: Sequence[str | Path | Any] = (),
    rest: str | None = None,
    late_s: float = 0.0,
    fps: float = 1.0,
    inputs: Mapping[str, str] | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    progress: Progress = silent,
) -> JudgedPolicies:
    """Evaluate policies on the same recorded, labelled sequences (`evaluate_policy`); `output` names a page to write.
    Other policies that do not have the state `rest` are judged by their own.

    Raises:
        SpecError, DataError, SettingsError: as `read_policy`, `read_recording`, `read_truth` and `evaluate_policy`;
            `write_failed` for the page.
    """
    policies = [read_policy(one) if isinstance(one, str | Path) else one for one in (policy, *others)]
    recorded = read_recording(recording, policy=policies[0], fps=fps, inputs=inputs)
    labelled = read_truth(truth).matching(recorded)
    found = []
    for number, one in enumerate(policies, 1):
        own = recorded
        if set(one.inputs) != set(policies[0].inputs):
            names = {name: of for name, of in (inputs or {}).items() if name in one.inputs}
            own = read_recording(recording, policy=one, fps=fps, inputs=names)
        at_rest = rest if number == 1 or rest in states_of(one) else None
        found.append(evaluate_policy(one, own, labelled, rest=at_rest, late_s=late_s, seed=seed))
        progress("deciding", number, len(policies))
    first, *rest_of = found
    judged = JudgedPolicies(
        first,
        tuple(rest_of),
        tuple(compare_policies(first, one) for one in rest_of),
        (*recorded.refusals, *labelled.refusals),
        recorded.n_foreign,
    )
    if output is not None:
        _write(Path(output), judged, {"recording": str(recording), "truth": str(truth)})
    return judged


def _write(path: Path, judged: JudgedPolicies, facts: Mapping[str, str]) -> None:
    from tellapart.evaluation.policy_report import policy_page

    text = policy_page(judged.evaluation, judged.others, judged.differences, notes=judged.notes, facts=facts)
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc


def _told(one: PolicyEvaluation) -> Iterator[str]:
    n = len(one.tracks[0].sequences)
    yield f"policy      {one.policy}: {n:,} sequence{'s' * (n != 1)}, {duration(one.hours)}, {one.n_images:,} images"
    yield f"intervals   {one.level:.0%}, by {one.unit}"
    for track in one.tracks:
        if len(one.tracks) > 1:
            yield f"track       {track.track}"
        for state in track.states:
            yield from _state(state, track)
        yield from _whole(track)


def _state(one: StateFigures, track: TrackEvaluation) -> Iterator[str]:
    n = one.counts
    how = [f"{n['n_merged']:,} merged"] * bool(n["n_merged"]) + [f"{n['n_missed']:,} missed"] * bool(n["n_missed"])
    how += [f"{n['n_early']:,} early"] * bool(n["n_early"]) + [f"{n['n_late']:,} late"] * bool(n["n_late"])
    told = f"{n['n_found']:,} of {n['n_true']:,} found{''.join(f', {part}' for part in how)}; " if n["n_true"] else ""
    decided = f"{n['n_decided']:,} decided, {n['n_false']:,} false"
    yield f"{one.state:<11} {told}{decided}{f', {n_repeated:,} repeated' if (n_repeated := n['n_repeated']) else ''}"
    for name in ("recall", "precision"):
        if one.figures[name].value is not None:
            yield f"            {name:<10} {with_spread(name, one.figures[name])}"
    if one.figures["delay_s_median"].value is not None:
        half, most = (with_spread(f"delay_s_{of}", one.figures[f"delay_s_{of}"]) for of in ("median", "p90"))
        yield f"            delay      from the {track.delay_from}: half within {half}, 9 of 10 within {most}"
        half, most = (with_spread(f"delay_frames_{of}", one.figures[f"delay_frames_{of}"]) for of in ("median", "p90"))
        yield f"            in images  half within {half}, 9 of 10 within {most}"


def _whole(track: TrackEvaluation) -> Iterator[str]:
    yield f"{'all':<11} {track.counts['n_found']:,} of {track.counts['n_true']:,} found, {track.counts['n_false']:,} false"
    for name in ("recall", "precision", "false_alarms_per_hour", "flicker_per_hour", "cost", "time_cost", "agreement"):
        if name in track.figures and track.figures[name].value is not None:
            yield f"            {FIGURES[name]:<25} {with_spread(name, track.figures[name])}"


def _compared(differences: Sequence[PolicyDifference]) -> Iterator[str]:
    if not differences:
        yield "            not compared figure by figure: other tracks, or other states at rest"
    for one in differences:
        verdict = {"first": "worse", "other": "better", None: "no proven difference"}[one.better]
        about = change_spread(one.figure, one.difference)
        values = f"{told(one.figure, one.first)} → {told(one.figure, one.other)}"
        by = change(one.figure, one.difference.value or 0.0) + f" ({about})" * bool(about)
        yield f"  {FIGURES[one.figure]:<25} {values}, {by}: {verdict}"


def _notes(one: PolicyEvaluation) -> Iterator[str]:
    if one.unlabelled:
        yield (
            f"{len(one.unlabelled):,} recorded sequences are not in the truth and were left out: {_some(one.unlabelled)}. "
            "Where nothing happened, a row with the state at rest says so"
        )
    if one.unrecorded:
        yield f"{len(one.unrecorded):,} labelled sequences are not in the recording: {_some(one.unrecorded)}"
    if one.n_outside:
        yield (
            f"{one.n_outside:,} true episodes lie outside the recorded time of their sequence and were left out: the times of "
            "the truth are those of the recording's clock"
        )
    if all(map(_all_early, one.tracks)):
        yield (
            "no true episode lies in the second half of what was recorded: have truth and recording the same clock, and is "
            "--fps that of a recording without times?"
        )
    for track in one.tracks:
        strange = [
            s.state
            for s in track.states
            if not s.counts["n_true"] and s.counts["n_false"] and s.state != track.rest and s.counts["n_false"] >= 2
        ]
        if strange:
            where = ", where it was recorded," if one.n_outside else ""
            yield (
                f"the truth{where} never names {', '.join(map(repr, strange))}, so all of these are false alarms; where "
                f"nothing is labelled {track.rest!r} is taken as true, which --rest changes"
            )


def _all_early(track: TrackEvaluation) -> bool:
    """Several true episodes, and all of them in the first half of their sequences: hardly by chance."""
    early = [2 * true.start_s < s.start_s + s.end_s for s in track.sequences for true in s.episodes]
    return len(early) >= _SEVERAL and all(early)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(name or "the one without a name" for name in names[:_SHOWN]) + more
