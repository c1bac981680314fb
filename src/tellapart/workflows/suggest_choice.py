"""Which images a person should label next: by doubt where a head knows something, by what is typical before."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.wording import count
from tellapart.data.suggest.likely import most_likely
from tellapart.data.suggest.pool import Pool
from tellapart.data.suggest.typical import most_typical
from tellapart.data.suggest.uncertain import least_sure
from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.records import LabelSchema
from tellapart.workflows.suggest_answers import Answers
from tellapart.workflows.suggest_known import Known

# Below so many different labelled images per label a head's doubt says little, and typical images teach more. On CIFAR-10
# and the magnetic tiles 2, 4, 8, 10 and 20 end within each other's spread.
FEW_PER_LABEL = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """`rows` int64 (m,) to label, in that order; `how` they were chosen, for people, and `why` each of them.

    `n_open` images may still be labelled, these included: no accepted ones, no near-duplicates of labelled ones.
    """

    rows: NDArray[np.int64]
    how: str
    why: tuple[str, ...]
    n_open: int


def choose(known: Known, closed: NDArray[np.bool_], *, n: int, hunt: str | None, seed: int) -> Choice:
    """Up to `n` rows, none of them `closed` (n,); `hunt` names the label of which more images are wanted.

    Raises:
        SettingsError: unknown_name, for another label than those that are there.
        TrainingError: when hunting needs a head and there is none.
    """
    pool = Pool.of(known.images.embeddings, known.things, known.labelled, closed=closed)
    n_open = len(pool.rows)
    if hunt is not None:
        return _hunted(known, pool, hunt, n)
    few = _few(known)
    if few or known.answers is None:
        rows = most_typical(pool, n, seed)
        return Choice(rows, f"typical images, since {few or known.why_not}", (_TYPICAL,) * len(rows), n_open)
    rows = least_sure(pool, known.answers.margins, n, seed)
    why = tuple(f"unsure: {_torn(known.answers, row)}" for row in rows.tolist())
    return Choice(rows, "the least sure, spread over what they show", why, n_open)


_TYPICAL = "stands for many images like it"


def _few(known: Known) -> str:
    """Why typical images come first; empty where doubt may decide."""
    if known.schema is None:
        return known.why_not
    n, n_labels = known.n_labelled_things, len(known.schema.labels)
    if n >= FEW_PER_LABEL * n_labels:
        return ""
    return f"{count(n, 'different labelled image')} of {count(n_labels, 'label')} are few"


def _hunted(known: Known, pool: Pool, hunt: str, n: int) -> Choice:
    if known.schema is None or hunt not in known.schema.names:
        raise SettingsError(Reason.UNKNOWN_NAME, f"no image has the label {hunt!r}{_near(hunt, known.schema)}")
    if known.answers is None:
        raise TrainingError(Reason.TOO_FEW_IMAGES, f"{hunt!r} cannot be hunted for yet: {known.why_not}")
    chances = known.answers.probabilities[:, known.schema.names.index(hunt)]
    rows = most_likely(pool, chances, n)
    why = tuple(f"may be {hunt}: {chances[row]:.2f}" for row in rows.tolist())
    return Choice(rows, f"the likeliest to be {hunt!r}", why, len(pool.rows))


def _near(name: str, schema: LabelSchema | None) -> str:
    names = [] if schema is None else list(schema.names)
    near = get_close_matches(name, names, 1)
    return f"{f'; did you mean {near[0]!r}?' if near else ''} (known: {', '.join(names) or 'none'})"


def _torn(answers: Answers, row: int) -> str:
    """`cat 0.41 or dog 0.38`."""
    return " or ".join(f"{name} {value:.2f}" for name, value in answers.likeliest(row))
