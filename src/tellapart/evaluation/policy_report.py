"""A page about a policy on recorded sequences: time lines, matrix, figures, and how others compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tellapart.evaluation.curves import Confusion
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.markup import facts as as_facts
from tellapart.evaluation.markup import page, paragraph, scrolling, section, table, text
from tellapart.evaluation.policy_comparison import PolicyDifference
from tellapart.evaluation.policy_counts import MERGED, NO_EPISODE, NOTHING
from tellapart.evaluation.policy_evaluation import PolicyEvaluation, TrackEvaluation
from tellapart.evaluation.policy_lanes import lanes
from tellapart.evaluation.policy_wording import FIGURES, change, change_spread, duration, shown, spread, told
from tellapart.evaluation.wording import capital, percent

_TILES = (
    "recall",
    "precision",
    "false_alarms_per_hour",
    "flicker_per_hour",
    "cost",
    "time_cost",
    "delay_s_median",
    "agreement",
)
_OF_A_STATE = ("recall", "precision", "delay_s_median", "delay_s_p90", "delay_frames_median", "delay_frames_p90",
               "false_alarms_per_hour")  # fmt: skip
_WORDS = (
    ("Found", "A decided episode of its state begins within the true one, or a little early and is then right for at least as "
     "long, or rests on its images. Each true episode is found once; a decided one finds what was true without a break."),
    ("Merged", "Its state was in force, but by a decided episode that had begun for an earlier one, or far too early."),
    ("False alarm", "A decided episode that belongs to no true one of its state."),
    ("Found before", "A further decided episode of what was found already: it flickers, and is no false alarm."),
    ("Delay", "From the start of the true episode, or from its end where the policy decides when a part has left."),
    ("Flicker", "Changes of state that neither find something nor lead to what is true for the first time since it is."),
    ("Cost", "The matrix times the policy's costs: what is merged or nothing costs as the state at rest, and so does the row "
     "without an episode."),
)  # fmt: skip


def policy_page(
    evaluation: PolicyEvaluation,
    others: Sequence[PolicyEvaluation] = (),
    differences: Sequence[Sequence[PolicyDifference]] = (),
    *,
    notes: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
) -> str:
    """The page as one HTML text; `differences` are those of `others`, in their order."""
    style = Path(__file__).with_name("policy_report.css").read_text(encoding="utf-8")
    header = f'<p class="verdict">{_verdict(evaluation)}</p>' + "".join(paragraph(note, "note") for note in notes)
    main = [f"<style>{style}</style>"]
    for track in evaluation.tracks:
        named = f": {track.track}" if len(evaluation.tracks) > 1 else ""
        main += [
            _tiles(track),
            section(f"time-{track.track}", f"What was true and what was decided{named}", lanes(track)),
            section(f"states-{track.track}", f"State by state{named}", _states(track)),
            section(f"matrix-{track.track}", f"What is taken for what{named}", _matrix(track.confusion)),
        ]
    main.append(_compared(evaluation, others, differences))
    main.append(section("words", "What the words mean", as_facts(dict(_WORDS))))
    main.append(section("made", "How it was made", as_facts(_made(evaluation) | dict(facts or {}))))
    return page(f"Policy {evaluation.policy}", header, "\n".join(part for part in main if part))


def _verdict(one: PolicyEvaluation) -> str:
    found = sum(track.counts["n_found"] for track in one.tracks)
    true = sum(track.counts["n_true"] for track in one.tracks)
    false = sum(track.counts["n_false"] for track in one.tracks)
    alarms = f"{false:,} false alarm{'s' * (false != 1)}" if false else "no false alarm"
    hours = duration(one.hours)
    return f"Finds <b>{found:,} of {true:,}</b> episodes, with <b>{alarms}</b> in {hours}"


def _tiles(track: TrackEvaluation) -> str:
    cells = "".join(
        f"<li><span>{text(capital(FIGURES[name]))}</span><b>{shown(name, track.figures[name])}</b>"
        f"<small>{spread(name, track.figures[name]) or 'no interval'}</small></li>"
        for name in _TILES
        if name in track.figures and track.figures[name].value is not None
    )
    return f'<ul class="tiles" aria-label="Main figures">{cells}</ul>'


def _cell(name: str, estimate: Estimate) -> str:
    about = spread(name, estimate)
    return shown(name, estimate) + (f"<small>{about}</small>" if about else "")


def _states(track: TrackEvaluation) -> str:
    heads = [
        "State",
        "True",
        "Found",
        "Merged",
        "Missed",
        "False",
        "Found before",
        *(capital(FIGURES[n]) for n in _OF_A_STATE),
    ]
    keys = ("n_true", "n_found", "n_merged", "n_missed", "n_false", "n_repeated")
    rows = [
        [
            text(one.state),
            *(f"{one.counts[key]:,}" if one.counts["n_true"] or key in keys[4:] else "–" for key in keys),
            *(_cell(name, one.figures[name]) for name in _OF_A_STATE),
        ]
        for one in track.states
    ]
    if not rows:
        return paragraph("Nothing is labelled, and nothing was decided.")
    caption = f"Episodes by state; delays count from the {track.delay_from} of the true episode."
    return table(caption, heads, rows, numeric=range(1, len(heads)))


def _matrix(matrix: Confusion) -> str:
    if not matrix.rows:
        return paragraph("There is no episode, true or decided.")
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in matrix.columns)
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_cells(matrix, i)}</tr>' for i, name in enumerate(matrix.rows)
    )
    caption = (
        f"Rows: true episodes, and last what was decided where there is none ({NO_EPISODE}). Columns: the state given; "
        f"{MERGED}: as part of another decided episode, {NOTHING}: none. Episodes, and their share of the row."
    )
    return scrolling(
        caption,
        '<table class="matrix sticky" aria-label="Confusion matrix"><thead><tr><th scope="col">is ↓ &nbsp; given →</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table>",
    )


def _cells(matrix: Confusion, row: int) -> str:
    cells = []
    for name, n, share in zip(matrix.columns, matrix.counts[row], matrix.shares_of(row), strict=True):
        if not n:
            cells.append('<td class="zero" style="--v:0">·</td>')
            continue
        kind = "hit" if name == matrix.rows[row] else "miss"
        cells.append(f'<td class="{kind}" style="--v:{share:.3f}">{n:,} <small>{percent(share)}</small></td>')
    return "".join(cells)


def _compared(
    first: PolicyEvaluation, others: Sequence[PolicyEvaluation], differences: Sequence[Sequence[PolicyDifference]]
) -> str:
    if not others:
        return ""
    names = [name for name in FIGURES if not name.startswith("delay_frames")]
    parts = []
    for track in first.tracks:
        rows = [_policy_row(one, track.track, names) for one in (first, *others)]
        caption = "Policies" if len(first.tracks) == 1 else f"Policies, {track.track}"
        heads = ["Policy", *(capital(FIGURES[name]) for name in names)]
        parts.append(table(caption, heads, [row for row in rows if row], numeric=range(1, len(heads))))
    lines = [
        [
            text(other.policy),
            text(FIGURES[d.figure]),
            told(d.figure, d.first),
            told(d.figure, d.other),
            _change(d),
            _better(d),
        ]
        for other, of in zip(others, differences, strict=True)
        for d in of
    ]
    heads = ["Against the first", "Figure", "First", "This one", "Difference", "Verdict"]
    parts.append(table("In pairs, on the same episodes and hours", heads, lines, numeric=[2, 3, 4]) if lines else "")
    return section("compared", "Compared with other policies", *parts)


def _policy_row(one: PolicyEvaluation, track: str, names: Sequence[str]) -> list[str]:
    found = next((t for t in one.tracks if t.track == track), None)
    if found is None:
        return []
    return [text(one.policy), *(_cell(n, found.figures[n]) if n in found.figures else "–" for n in names)]


def _change(one: PolicyDifference) -> str:
    about = change_spread(one.figure, one.difference)
    return change(one.figure, one.difference.value or 0.0) + (f"<small>{about}</small>" if about else "")


def _better(one: PolicyDifference) -> str:
    return {"first": "worse", "other": "better", None: "may be chance"}[one.better]


def _made(one: PolicyEvaluation) -> dict[str, object]:
    unit = {"sequence": "sequences", "episode": "true episodes with the time until the next"}[one.unit]
    return {
        "policy": one.policy,
        "sequences": len(one.tracks[0].sequences),
        "hours": one.hours,
        "images": one.n_images,
        "at_rest": ", ".join(dict.fromkeys(track.rest for track in one.tracks)),
        "intervals": f"{percent(one.level)}, {one.n_resamples:,} bootstrap replicates of {unit}, seed {one.seed}",
    }
