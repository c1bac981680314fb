"""The images that a model knows, as every kind of rejection is fitted on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.crossfit import parts
from tellapart.heads.objectives import Floats
from tellapart.heads.ood import OodDetector
from tellapart.heads.protocol import Head
from tellapart.heads.targets import check_embeddings

Targets = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
InSpace = Callable[[OodDetector, Mask, Mask], Floats]
"""Values of the images of the second mask, by what is fitted in a space on those of the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Familiar:
    """Training images, and what is wanted of a rejection: that about `share` of images like them score 1 or more.

    `embeddings` float32 (n, d); `targets` the column of each, int64 (n,), or 0/1 (n, k) for multilabel; `folds` int64 (n,)
    keeps groups together, -1 for samples outside all folds. `head` is fitted on all of them, `logits` float32 (n, k) are
    its uncalibrated answers out of fold, which mean something where `usable` bool (n,).

    Raises:
        SettingsError: `bad_setting` for arrays that do not fit together or a share outside 0–0.5.
    """

    embeddings: Floats
    targets: Targets
    folds: NDArray[np.int64]
    head: Head
    logits: Floats
    usable: Mask
    share: float = 0.01

    def __post_init__(self) -> None:
        check_embeddings(self.embeddings)
        n = len(self.embeddings)
        lengths = {len(one) for one in (self.targets, self.folds, self.logits, self.usable)}
        if n < 2 or lengths != {n} or not 0 < self.share <= 0.5:
            raise SettingsError(
                Reason.BAD_SETTING,
                "a rejection needs two embeddings or more, a target, a fold and answers for each, and a share in (0, 0.5]; "
                f"got {n} embeddings, lengths {sorted(lengths)}, share {self.share}",
            )

    @property
    def classes(self) -> NDArray[np.int64]:
        """The column of each image, int64 (n,).

        Raises:
            SettingsError: `bad_setting` for images of several labels.
        """
        if self.targets.ndim != 1:
            raise SettingsError(
                Reason.BAD_SETTING,
                "images of several labels have no class of their own to be near to: tell unknown ones by 'mahalanobis'",
            )
        return np.asarray(self.targets, np.int64)

    def held_out(self, value: InSpace) -> tuple[OodDetector, Floats]:
        """The principal directions of all images, and the values of those in folds: each part by what `value` fits on the
        others, in the directions of these; without folds by what it fits on all.
        """
        found = parts(self.folds, len(self.embeddings))
        space, *others = OodDetector.unscaled(self.embeddings, found)
        everything = np.ones(len(self.embeddings), bool)
        if not found:
            return space, value(space, everything, everything)
        scored = [value(own, ~part, part) for own, part in zip(others, found, strict=True)]
        return space, np.concatenate(scored)
