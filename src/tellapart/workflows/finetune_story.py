"""What a fine-tuning tells: curves for the report, facts for the card, lines for the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tellapart.evaluation.learning import Epochs, Learning, verdict_line
from tellapart.training.finetune.job import JobResult


def epochs_of(result: JobResult) -> Epochs:
    """Curves for the report."""
    train_loss, val_loss, score, rate = (
        _column(result, name) for name in ("train_loss", "val_loss", result.metric_name, "lr")
    )
    return Epochs(train_loss, val_loss, score, rate, score_name=result.metric_name, best=result.best_epoch)


def _column(result: JobResult, name: str) -> list[float | None]:
    values = [row.get(name) for row in result.history]
    return [float(value) if isinstance(value, int | float) else None for value in values]


def facts_of(result: JobResult, learning: Learning) -> dict[str, Any]:
    """For the card: all that is needed to do it again, and what it brought."""
    told = result.model_dump(mode="json", exclude={"history"})
    facts: dict[str, Any] = {"method": "finetune", "run": told}
    if learning.comparison is not None and learning.rivals is not None:
        facts["comparison"] = asdict(learning.comparison) | {"rivals": [asdict(rival) for rival in learning.rivals]}
    return facts


def summary_of(network: str, result: JobResult, learning: Learning) -> tuple[str, ...]:
    epochs = f"{result.epochs} epoch{'s' * (result.epochs > 1)}, the best {result.best_epoch}"
    lines = [
        f"network     {network}, {result.trained_parameters:,} of {result.parameters:,} weights trained, {epochs}; "
        f"{result.images_per_second:,.0f} images/s on {result.device}",
        *(f"warning     {note}" for note in result.notes),
    ]
    if learning.comparison is not None and learning.rivals is not None:
        lines.append(f"compared    {verdict_line(learning.comparison, learning.rivals)}")
        if learning.comparison.better == learning.comparison.names[0]:
            lines.append(f"warning     {_NOT_WORTH}")
    return tuple(lines)


_NOT_WORTH = (
    "fine-tuning made it worse on the images held back: --method probe gives the better model, in less time; more images, "
    "another augmentation or a lower learning rate may change that"
)
