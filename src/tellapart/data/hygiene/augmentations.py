"""Augmentations that turn one class into another: hue where colour is the class, flips where the side is."""

from __future__ import annotations

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Severity
from tellapart.data.hygiene.variants import Variants
from tellapart.data.hygiene.wording import percent, some

# Images of a class that are recognised no more: 0.5 where two classes become one. On CIFAR-10 and magnetic-tile, which
# nothing here destroys, no class lost more than 0.20 (docs/check.md).
_LOST = 0.3
# One-sided McNemar test: so improbable a loss among those that changed sides.
_BY_CHANCE = 0.001


def find(evidence: Evidence) -> list[Finding]:
    """One finding for each augmentation that some class does not survive."""
    variants = evidence.variants
    if variants is None:
        return []
    destroyed = {name: _destroyed(evidence, variants, name) for name in variants.varied}
    return [_finding(evidence, variants, name, columns) for name, columns in destroyed.items() if columns]


def _destroyed(evidence: Evidence, variants: Variants, name: str) -> dict[int, tuple[float, float]]:
    """Columns of the classes, and how many of their images are recognised without it and with; the worst loss first."""
    found: dict[int, tuple[float, float]] = {}
    for column in range(evidence.labels.shape[1]):
        has = evidence.labels[variants.rows, column].astype(bool)
        before = variants.plain[has, column]
        for after in variants.varied[name][:, has, column]:
            shares = (float(before.mean()), float(after.mean())) if has.any() else (0.0, 0.0)
            lost, gained = int((before & ~after).sum()), int((~before & after).sum())
            if shares[0] - shares[1] >= max(_LOST, _loss(found.get(column))) and _chance(lost, gained) <= _BY_CHANCE:
                found[column] = shares
    return dict(sorted(found.items(), key=lambda item: -_loss(item[1])))


def _loss(shares: tuple[float, float] | None) -> float:
    return shares[0] - shares[1] if shares else 0.0


def _chance(lost: int, gained: int) -> float:
    """How probable at least so many of the changes are losses, if losing is as likely as gaining."""
    from scipy.special import bdtrc

    return float(bdtrc(lost - 1, lost + gained, 0.5)) if lost else 1.0


def _finding(evidence: Evidence, variants: Variants, name: str, destroyed: dict[int, tuple[float, float]]) -> Finding:
    columns = list(destroyed)
    names = [evidence.schema.names[column] for column in columns]
    before, after = destroyed[columns[0]]
    kept = variants.varied[name].all(axis=0) | ~evidence.labels[variants.rows].astype(bool)
    lost = (variants.plain & ~kept)[:, columns].any(axis=1)
    return Finding(
        "augmentations",
        Severity.NOTE,
        f"{name} would destroy {some(names)}: a head that learns from them recognises {percent(after)} of the images of "
        f"{names[0]!r}, and {percent(before)} without",
        f"leave {name} out where images are augmented",
        rows=tuple(variants.rows[lost].tolist()),
        figures={"before": before, "after": after},
    )


CHECK = Check("augmentations", "Augmentations", find, ("variants",))
