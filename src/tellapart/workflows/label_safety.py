"""Whether the labels of a data set survive what an augmentation does, by the hygiene check `augmentations`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.augmentations import CHECK
from tellapart.data.hygiene.protocol import Evidence, Finding
from tellapart.data.hygiene.variants import AUGMENTATIONS, Variants
from tellapart.data.hygiene.wording import count, percent
from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.presets import resolved

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Survival:
    """One augmentation on this data: `before` and `after` are shares of labels that held-out heads recognise, 0–1.

    `used` is whether the augmentation asked about does it, `harm` what the check found ("" for nothing).
    """

    name: str
    used: bool
    before: float
    after: float
    harm: str

    @property
    def sentence(self) -> str:
        """All in one line."""
        if not self.harm:
            return f"{self.name}: no class is lost, {percent(self.after)} recognised"
        return f"{self.name}: {self.harm}" if self.used else f"{self.name}, rightly left out: {self.harm}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.name, "used": self.used, "before": self.before, "after": self.after, "harm": self.harm}


@dataclass(frozen=True, slots=True)
class LabelSafety:
    """What `augmentation` does to the labels, measured on `n_images`; or `why` it could not be measured."""

    survivals: tuple[Survival, ...] = ()
    n_images: int = 0
    why: str = ""

    @property
    def unsafe(self) -> tuple[Survival, ...]:
        """What is done although classes do not survive it."""
        return tuple(one for one in self.survivals if one.used and one.harm)

    def lines(self) -> list[str]:
        """For a terminal: what is used, and what is rightly not."""
        if self.why:
            return [f"labels    not measured: {self.why}"]
        told = [one.sentence for one in self.survivals if one.used or one.harm]
        told += [_remedy(one) for one in self.unsafe]
        if not told:
            return [f"labels    nothing that is used could be measured on {count(self.n_images, 'image')}"]
        recognised = percent(self.survivals[0].before)
        head = f"labels    of {count(self.n_images, 'image')}, {recognised} recognised by a head that saw others"
        if self.survivals[0].before < _HALF:
            told.append("so few are recognised that this says little")
        return [head, *(f"          {line}" for line in told)]


def label_safety(evidence: Evidence, augmentation: Augmentation) -> LabelSafety:
    """What the check says about one augmentation; of evidence that has `variants`."""
    variants = evidence.variants
    if variants is None:
        raise ValueError("label_safety wants evidence with variants")
    labels = evidence.labels[variants.rows].astype(bool)
    before, used, findings = float(variants.plain[labels].mean()), _used(resolved(augmentation)), CHECK.run(evidence)
    survivals = tuple(
        Survival(name, used[name], before, _recognised(variants, name, labels), _harm(findings, name))
        for name in AUGMENTATIONS
    )
    return LabelSafety(survivals, len(variants.rows))


def _recognised(variants: Variants, name: str, labels: NDArray[np.bool_]) -> float:
    """Of the augmented images alone: the second of the two forms."""
    return float(variants.varied[name][1][labels].mean())


def _harm(findings: Sequence[Finding], name: str) -> str:
    """The finding begins with the augmentation's name, which the line names itself."""
    beginning = f"{name} would "
    sentences = [finding.sentence for finding in findings if finding.sentence.startswith(beginning)]
    return f"would {sentences[0].removeprefix(beginning)}" if sentences else ""


def _used(full: Augmentation) -> Mapping[str, bool]:
    """Which of the five are done. A turn by 45° or more shows no more which side is up; both mirrors are half a turn."""
    turned = full.quarter_turns or (full.rotation_degrees or 0) >= 45
    mirrored = bool(full.horizontal_flip), bool(full.vertical_flip)
    return dict(
        zip(AUGMENTATIONS, (*mirrored, bool(turned), bool(turned) or all(mirrored), bool(full.hue)), strict=True)
    )


_REMEDIES: Mapping[str, Sequence[str]] = dict(
    zip(
        AUGMENTATIONS,
        (
            ("horizontal_flip=0",),
            ("vertical_flip=0",),
            ("quarter_turns=false", "rotation_degrees=10"),
            ("quarter_turns=false", "vertical_flip=0", "rotation_degrees=10"),
            ("hue=0",),
        ),
        strict=True,
    )
)


def _remedy(unsafe: Survival) -> str:
    told = " ".join(f"--set {change}" for change in _REMEDIES[unsafe.name])
    by = " (measured with a third of the circle)" if unsafe.name == AUGMENTATIONS[-1] else ""
    return f"→ against {unsafe.name}{by}: {told}, or another preset"
