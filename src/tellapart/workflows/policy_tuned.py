"""`tune_policy` on files: a policy, a recording and its truth in, the tuned policy and a page out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason
from tellapart.files import replacing
from tellapart.records import Refusal
from tellapart.settings.policy_file import read_policy
from tellapart.workflows.policy_tune import BUDGET, GAP_S, tune_policy
from tellapart.workflows.policy_tune_aim import SHIFT_HOURS, aim_of
from tellapart.workflows.policy_tune_page import tuning_page
from tellapart.workflows.policy_tune_result import TunedPolicy
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.recordings import read_recording
from tellapart.workflows.truth import read_truth

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class TunedFiles:
    """What came of it, with the lines of recording and truth that were refused, and the sequences that were left out: those
    that the truth does not name (`unlabelled`), and the other way round (`unrecorded`)."""

    tuned: TunedPolicy
    refusals: tuple[Refusal, ...] = ()
    n_foreign: int = 0
    unlabelled: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to read the figures."""
        left_out = (("recorded but not labelled", self.unlabelled), ("labelled but not recorded", self.unrecorded))
        return tuple(
            f"{len(names)} sequences are {what} and were left out: {', '.join(map(repr, names[:_SHOWN]))}"
            + (" …" if len(names) > _SHOWN else "")
            for what, names in left_out
            if names
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        more: dict[str, Any] = {"unlabelled": list(self.unlabelled), "unrecorded": list(self.unrecorded)}
        more |= {"refused": [one.to_json() for one in self.refusals], "otherInputs": self.n_foreign}
        return self.tuned.to_json() | more


def tune_files(
    policy: str | Path,
    recording: str | Path,
    truth: str | Path,
    *,
    aim: str | None = None,
    false_alarms: str | float | None = None,
    delay: float | None = None,
    recall: float | None = None,
    shift_hours: float = SHIFT_HOURS,
    only: Sequence[str] = (),
    keep: Sequence[str] = (),
    rest: str | None = None,
    late_s: float = 0.0,
    gap_s: float = GAP_S,
    fps: float = 1.0,
    inputs: Mapping[str, str] | None = None,
    budget: int = BUDGET,
    seed: int = 0,
    anyway: bool = False,
    output: str | Path | None = None,
    page: str | Path | None = None,
    progress: Progress = silent,
) -> TunedFiles:
    """Tune the policy of a file (`tune_policy`) for an aim (`aim_of`); `output` is the new policy file, `page` an HTML file.

    Where tuning does not pay, `output` is the policy as given under lines that say so. `output` may be the policy itself.

    Raises:
        SpecError, SettingsError, DataError: as `read_policy`, `read_recording`, `read_truth`, `aim_of` and `tune_policy`;
            `write_failed`.
    """
    wanted = aim_of(aim=aim, false_alarms=false_alarms, delay=delay, recall=recall, shift_hours=shift_hours)
    recorded = read_recording(recording, policy=read_policy(policy), fps=fps, inputs=inputs)
    labelled = read_truth(truth).matching(recorded)
    tuned = tune_policy(
        policy,
        recorded,
        labelled,
        aim=wanted,
        only=only,
        keep=keep,
        rest=rest,
        late_s=late_s,
        gap_s=gap_s,
        budget=budget,
        seed=seed,
        anyway=anyway,
        progress=progress,
    )
    for path, made in ((output, lambda: tuned.text), (page, lambda: tuning_page(tuned))):
        if path is not None:
            _write(Path(path), made)
    return TunedFiles(
        tuned,
        (*recorded.refusals, *labelled.refusals),
        recorded.n_foreign,
        tuple(name for name in recorded if name not in labelled),
        tuple(name for name in labelled if name not in recorded),
    )


def _write(path: Path, made: Callable[[], str]) -> None:
    data = made().encode("utf-8", "backslashreplace")
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc
