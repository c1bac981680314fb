"""Which images make up the batches of an epoch, the same for one process or several.

An epoch holds as many images as there are to train on. `shuffle` takes each exactly once. `balanced` takes every class equally
often and `square_root` in proportion to the root of its images: a rare class's images come several times, a common class's
not all in the same epoch. For several labels per image its class is the rarest of its labels; images without any are a class
of their own.

An epoch is cut into batches whose sizes differ by one at most, so there is no small last one, nothing is left out, and every
process has the same number of steps: of each batch, process r of w has the positions r, r + w, r + 2w, …
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.settings.recipe import SamplerName

Ints = NDArray[np.int64]
# A class of n images is drawn in proportion to n to this power.
_POWER: dict[SamplerName, float] = {"shuffle": 1.0, "square_root": 0.5, "balanced": 0.0}


@dataclass(frozen=True, slots=True)
class Part:
    """What one process computes at once: `indices` int64 (m,) of images, `positions` int64 (m,) their places in the epoch.

    `weight` is what its mean loss is multiplied by, so that the mean over processes and accumulated parts is the mean of the
    whole batch although their sizes differ by one. It is 1 where they do not.
    """

    indices: Ints
    weight: float
    positions: Ints


class EpochSampler:
    """The images of every epoch, from the seed and the epoch's number alone.

    Args:
        targets: (n, k) labels of the training images; any number above 0 is present.
        batch_size: images of a step over all processes; no batch is larger, except to spare a smaller one of one image.
        parts: processes × accumulated parts: a batch has at least two images for each where it can.

    Raises:
        SettingsError: `bad_setting` when there are fewer images, in all or in a batch, than parts.
    """

    def __init__(
        self, targets: NDArray[Any], name: SamplerName, *, batch_size: int, seed: int = 0, parts: int = 1
    ) -> None:
        self.n, self.seed = len(targets), seed
        if min(self.n, batch_size) < parts:
            raise SettingsError(Reason.BAD_SETTING, _too_few(self.n, batch_size, parts))
        smallest = min(batch_size, 2 * parts)
        self.steps = max(1, min(-(-self.n // batch_size), self.n // smallest))
        self._members = members(targets) if name != "shuffle" else [np.arange(self.n)]
        wanted = np.array([len(rows) for rows in self._members]) ** _POWER[name]
        self._quotas = self.n * wanted / wanted.sum()

    def indices(self, epoch: int) -> Ints:
        """int64 (n,): the images of an epoch in their order."""
        rng = np.random.default_rng((self.seed, epoch))
        # One shift for all classes rounds their shares to whole images that sum to n, and is fair over the epochs.
        edges = np.floor(np.cumsum(self._quotas) + rng.random() + _SLACK)
        edges[-1] = self.n
        counts = np.diff(edges, prepend=0).astype(int)
        drawn = [_drawn(rows, count, rng) for rows, count in zip(self._members, counts, strict=True)]
        return rng.permutation(np.concatenate(drawn))

    def batches(self, epoch: int) -> list[Ints]:
        """The epoch's `steps` batches."""
        return np.array_split(self.indices(epoch), self.steps)

    def parts(self, epoch: int, *, rank: int = 0, world: int = 1, accumulate: int = 1) -> list[Part]:
        """What process `rank` of `world` computes: `steps` × `accumulate` parts, in their order."""
        order = self.indices(epoch)
        return [
            Part(order[own], len(own) * world * accumulate / len(batch), own)
            for batch in np.array_split(np.arange(self.n), self.steps)
            for own in np.array_split(batch[rank::world], accumulate)
        ]


def members(targets: NDArray[Any]) -> list[Ints]:
    """The images of each class that has any; an image of several labels belongs to the rarest of them."""
    present = np.asarray(targets) > 0
    counts = present.sum(axis=0)
    rarest = np.where(present, counts, len(present) + 1).argmin(axis=1)
    classes = np.where(present.any(axis=1), rarest, present.shape[1])
    return [np.flatnonzero(classes == c) for c in np.unique(classes)]


def _drawn(rows: Ints, count: int, rng: np.random.Generator) -> Ints:
    """`count` of the rows, each as often as the others to within one."""
    rounds = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)] or [rows[:0]])[:count]


# The last edge is n plus less than 1; rounding in the sum of shares must not move an edge below a whole number.
_SLACK = 1e-9


def _too_few(n: int, batch_size: int, parts: int) -> str:
    return (
        f"a batch of {min(n, batch_size)} of {n} images cannot be shared by {parts} (processes times accumulated parts): "
        f"ask for fewer of either, or for batches of {parts} images or more"
    )
