"""What a comparison of backbones found: a row for each, and which one to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.wording import metric_name
from tellapart.records import Refusal
from tellapart.workflows.execution import Execution
from tellapart.workflows.fitting import judged_on
from tellapart.workflows.timing import BATCH, Timing

SCORE = "f1_macro"
# A faster candidate may be this much lower, where chance explains it: few images excuse differences that matter.
MARGIN = 0.02
# And only one that is this many times as fast: less is no reason to take a lower score, and partly chance of the measuring.
CLEARLY = 1.2
FORMAT, VERSION = "tellapart-bench", 1


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that cannot be used, and why."""

    candidate: str
    sentence: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate: macro F1 (`score`) and accuracy with intervals, time, size.

    `difference` is its score minus the best one's with the paired interval, None for the best itself; `worse` says that
    chance does not explain it. `on_front`: no other is both as fast and as good. `size_px` is (width, height).
    """

    name: str
    backbone: str
    preprocess: str
    size_px: tuple[int, int]
    licence: str
    embedding_dim: int
    n_bytes: int
    sha256: str
    score: Estimate
    accuracy: Estimate
    timing: Timing
    difference: Estimate | None
    worse: bool
    on_front: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values, milliseconds per image."""
        return {**asdict(self), "size_px": list(self.size_px), "timing": _timing(self.timing)}


def _timing(timing: Timing) -> dict[str, Any]:
    return {**asdict(timing), "total_ms": timing.total_ms}


@dataclass(frozen=True, slots=True)
class Bench:
    """All candidates, the best score first. Of `n_available` labelled images `n_drawn` were drawn, `n_images` could be
    used by every candidate, and `n_judged` of these judged: held-back ones, or where there are none (`of_their_own`
    False) those of the training in held-out folds. `split` are the lines that `train` prints about its split.
    `accuracy_metric` is "subset_accuracy" where images have several labels.
    """

    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    n_available: int
    n_drawn: int
    n_images: int
    n_judged: int
    refusals: tuple[Refusal, ...]
    split: tuple[str, ...]
    executions: tuple[Execution, ...] = ()
    seed: int = 0
    accuracy_metric: str = "accuracy"
    of_their_own: bool = True

    @property
    def best(self) -> Row:
        """The highest score."""
        return self.rows[0]

    @property
    def recommended(self) -> Row:
        """The best, unless lower ones are clearly faster, one image at a time (each `CLEARLY` times as fast as the one
        before it), at most `MARGIN` below the best, and not beyond chance.
        """
        return _preferred(self.best, [row for row in self.rows if not row.worse and _loss(row) <= MARGIN])

    @property
    def verdict(self) -> tuple[str, ...]:
        """What to take and what it may cost; where too few images leave something open, a second sentence."""
        taken, best = self.recommended, self.best
        if len(self.rows) == 1:
            score, ms = _spoken(taken.score), f"{taken.timing.total_ms:.3g} ms"
            return (f"{taken.name} is the only candidate: macro F1 {score}, {ms}.",)
        if taken is best:
            told = f"Take {best.name}: it has the best macro F1, {_spoken(best.score)}{_speed(best, self.rows[1:])}."
        else:
            told = (
                f"Take {taken.name}: {_times(best.timing.total_ms / taken.timing.total_ms)} as fast as {best.name}, the "
                f"best, and as good within the noise of {self.n_judged:,} images ({_difference(taken)})."
            )
        faster = _preferred(taken, [row for row in self.rows if not row.worse])
        if faster is taken:
            return (told,)
        return (
            told,
            f"{faster.name} is {_times(taken.timing.total_ms / faster.timing.total_ms)} as fast as that and lower, but "
            f"{self.n_judged:,} images are too few to be sure ({_difference(faster)}).",
        )

    @property
    def judged_on(self) -> str:
        """Which images judge, in the words of `train`."""
        return judged_on(self.n_judged, of_their_own=self.of_their_own)

    @property
    def chosen_on(self) -> str | None:
        """What the choice does to the winner's figure; None where there was nothing to choose."""
        if len(self.rows) < 2:
            return None
        return f"the best of {len(self.rows):,} is chosen on these images: the winner's figure is somewhat too good"

    def notes(self) -> tuple[str, ...]:
        """Facts and warnings in the form of `train`'s summary."""
        n_timed = self.rows[0].timing.n_images
        lines = [
            f"data        {self.n_images:,} of {self.n_available:,} labelled images"
            + (", drawn by label and split, groups whole" if self.n_drawn < self.n_available else "")
            + f"; the same {self.n_judged:,} judge every candidate",
            *self.split,
            f"judged on   {self.judged_on}",
            *([f"chosen on   {self.chosen_on}"] if self.chosen_on else []),
            f"time        {n_timed} of the images, one thread, medians of {self._rounds} rounds in turn",
        ]
        if any(row.timing.disturbed for row in self.rows):
            share = max(row.timing.busy or 1.0 for row in self.rows)
            lines.append(
                f"warning     other programs used the processor: times are up to {share:.1f} times too long; run it again"
            )
        lines += [f"failed      {one.candidate}: {one.sentence}" for one in self.failures]
        return (*lines, *(f"threads     {one.sentence}" for one in self.executions))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "metric": SCORE,
            "accuracy_metric": self.accuracy_metric,
            "recommended": self.recommended.name,
            "best": self.best.name,
            "verdict": " ".join(self.verdict),
            "candidates": [row.to_json() for row in self.rows],
            "failed": [asdict(one) for one in self.failures],
            "images": {
                "available": self.n_available,
                "drawn": self.n_drawn,
                "used": self.n_images,
                "judged": self.n_judged,
            },
            "refused": [refusal.to_json() for refusal in self.refusals],
            "split": list(self.split),
            "judged_on": self.judged_on,
            "chosen_on": self.chosen_on,
            "batch": BATCH,
            "threads": [_execution(one) for one in self.executions],
            "seed": self.seed,
        }

    @property
    def _rounds(self) -> str:
        counts = sorted({row.timing.n_rounds for row in self.rows})
        return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _preferred(first: Row, rows: Sequence[Row]) -> Row:
    """From `first` down the `rows`, best score first: a lower one only where it is clearly faster."""
    taken = first
    for row in rows:
        if _is_faster(row, taken):
            taken = row
    return taken


def _is_faster(row: Row, than: Row) -> bool:
    """Clearly so."""
    return row.timing.total_ms * CLEARLY <= than.timing.total_ms


def _speed(best: Row, others: Sequence[Row]) -> str:
    if any(_is_faster(row, best) for row in others):
        return ""
    return ", and is the fastest" if all(_is_faster(best, row) for row in others) else ", and none is clearly faster"


def _loss(row: Row) -> float:
    """How much lower than the best."""
    return 0.0 if row.difference is None or row.difference.value is None else -row.difference.value


def cells(row: Row, bench: Bench) -> list[str]:
    """One row of the table in words: name, score, accuracy, against the best, three times, megabytes, columns, licence."""
    against = "best" if row.difference is None else _signed(row.difference) + ("" if row.worse else " ≈")
    timing = row.timing
    return [
        f"{row.name} ←" if row is bench.recommended else row.name,
        _spoken(row.score),
        _spoken(row.accuracy),
        against,
        f"{timing.prepare_ms:.2f}",
        f"{timing.single_ms:.2f}",
        f"{timing.batch_ms:.2f}",
        f"{row.n_bytes / 1e6:.2f}",
        f"{row.embedding_dim}",
        row.licence,
    ]


HEADS = (
    "candidate",
    "macro F1",
    "accuracy",
    "against the best",
    "decode ms",
    "1 image ms",
    f"{BATCH} images ms",
    "MB",
    "columns",
    "licence",
)


def lines(found: Bench) -> list[str]:
    """The table for a terminal."""
    heads = [metric_name(found.accuracy_metric) if head == "accuracy" else head for head in HEADS]
    rows = [heads, *(cells(row, found) for row in found.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADS))]
    return ["  ".join(_aligned(cell, widths[i], i) for i, cell in enumerate(row)).rstrip() for row in rows]


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if 4 <= column <= 8 else cell.ljust(width)


def _spoken(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not measurable"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} (no interval)"
    return f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def _signed(difference: Estimate) -> str:
    if difference.value is None or difference.low is None or difference.high is None:
        return "–"
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def _difference(row: Row) -> str:
    found = row.difference
    if found is None or found.value is None or found.low is None or found.high is None:
        return "too little data for an interval"
    return f"difference {found.value:+.3f}, 95 % interval {found.low:+.3f} to {found.high:+.3f}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:.0f} times"


def _execution(one: Execution) -> dict[str, Any]:
    return {
        "name": one.name,
        "used": str(one.used),
        "best": str(one.best),
        "gain": one.gain,
        "ways": [
            {**asdict(way), "images_per_second": rate}
            for way, rate in zip(one.ways, one.images_per_second, strict=True)
        ],
    }


def ways_table(executions: Sequence[Execution]) -> list[list[str]]:
    """Head and rows: images per second of each way of using the cores."""
    if not executions:
        return []
    heads = ["images per second", *(one.name for one in executions)]
    return [
        heads,
        *(
            [str(way), *(f"{one.images_per_second[i]:,.0f}" for one in executions)]
            for i, way in enumerate(executions[0].ways)
        ),
    ]
