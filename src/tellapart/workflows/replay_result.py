"""What a replay came to, beside what was decided live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tellapart.records.decision import Decision
from tellapart.streams.layout import instant
from tellapart.streams.recording import Kept
from tellapart.streams.run_lines import RecordedRun
from tellapart.workflows.watch.result import WatchResult


@dataclass(frozen=True, slots=True)
class RunReplayed:
    """One run. `decisions` are changes and ends of episodes of the replay, `lived` those of the journal.

    `kept` says how much of the images is there; None where recorded answers were taken.
    """

    run: RecordedRun
    result: WatchResult
    decisions: tuple[Decision, ...]
    lived: tuple[Decision, ...]
    kept: Kept | None

    @property
    def missing(self) -> tuple[Decision, ...]:
        """Decided live and not in the replay."""
        here = {one.id for one in self.decisions}
        return tuple(one for one in self.lived if one.id not in here)

    @property
    def new(self) -> tuple[Decision, ...]:
        """Decided in the replay and not live."""
        live = {one.id for one in self.lived}
        return tuple(one for one in self.decisions if one.id not in live)

    @property
    def is_same(self) -> bool:
        """The same decisions, by their ids."""
        return not self.missing and not self.new

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why a replay of this run need not decide as it was decided live."""
        return tuple(_warnings(self))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        value: dict[str, Any] = {"run": self.run.id, "began": self.run.began_s, "ended": self.run.ended_s}
        value |= {"frames": self.result.n_frames, "decisions": [one.to_json() for one in self.decisions]}
        value |= {"same": self.is_same, "lived": len(self.lived)}
        value |= {"missing": [one.id for one in self.missing], "new": [one.id for one in self.new]}
        if self.kept is not None:
            value["images"] = {"seen": self.kept.n_seen, "missing": self.kept.n_missing, "inexact": self.kept.n_inexact}
        return value | {"warnings": list(self.warnings)}


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """All runs of a recording in their order."""

    recording: str
    runs: tuple[RunReplayed, ...]
    predictions: bool

    @property
    def is_same(self) -> bool:
        """Whether every run was decided as it was live."""
        return all(one.is_same for one in self.runs)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Of all runs."""
        return tuple(one for run in self.runs for one in run.decisions)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "recording": self.recording,
            "predictions": self.predictions,
            "same": self.is_same,
            "runs": [one.to_json() for one in self.runs],
        }

    def lines(self) -> list[str]:
        """The same for people."""
        return [line for one in self.runs for line in _told(one)]


def _told(one: RunReplayed) -> list[str]:
    counts = ((one.result.n_frames, "image"), (len(one.decisions), "decision"))
    counted = ", ".join(f"{n:,} {name}{'s' * (n != 1)}" for n, name in counts)
    what = f"run of {instant(one.run.began_s)}: {counted}"
    if one.is_same:
        how = ["the same as live"]
    else:
        how = [f"{len(one.missing):,} of live are missing"] * bool(one.missing)
        how += [f"{len(one.new):,} are new"] * bool(one.new)
    return [f"{what}: {', '.join(how)}", *(f"  {warning}" for warning in one.warnings)]


def _warnings(one: RunReplayed) -> list[str]:
    said = []
    live, now = ({each.policy for each in of} for of in (one.lived, one.decisions))
    for policy in sorted(live - now):
        others = sorted(now - live, key=lambda other: other.rpartition("@")[0] != policy.rpartition("@")[0])
        if others:  # one of the same name before others: a policy may have been renamed
            said.append(f"live the policy was {policy}, now it is {others[0]}")
    if one.result.n_late:
        said.append(f"{one.result.n_late:,} images came too late for their instant")
    if one.run.ended_s is None:
        said.append("the run was not ended but killed: what time alone brought after the last image is missing")
    kept = one.kept
    if kept is not None and kept.n_missing:
        said.append(
            f"{kept.n_missing:,} of {kept.n_seen:,} images were not kept: a replay does not see them "
            "(`record: {all: true}` keeps everything, `--predictions` needs no images)"
        )
    if kept is not None and kept.n_inexact:
        said.append(
            f"{kept.n_inexact:,} images of video were kept as JPEG: models may say something else of them "
            "(`record: {format: png}` loses nothing)"
        )
    return said
