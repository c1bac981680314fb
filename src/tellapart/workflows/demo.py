"""The whole loop on generated photos, to see it work before trusting it with one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack, cast, get_args

from tellapart.classifier.classifier import Classifier
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.evaluation.evaluation import spoken
from tellapart.image.types import DecodeLimits
from tellapart.records import Prediction
from tellapart.samples import LineOptions, Variant, write_bottles
from tellapart.workflows.predict import predict
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.train import train
from tellapart.workflows.verify import verify


def demo(
    folder: Path,
    *,
    variant: str = "multiclass",
    seed: int = 0,
    cache_dir: Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Iterator[str]:
    """Generate photos, train, answer new ones, verify; yields the lines to show while it goes.

    Raises:
        DataError: `output_exists` when `folder` holds something already.
    """
    if variant not in get_args(Variant):
        raise SettingsError(Reason.BAD_SETTING, f"the variant is binary, multiclass or multilabel, got {variant!r}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} exists and is not an empty folder: choose another name or delete it"
        raise DataError(Reason.OUTPUT_EXISTS, message)
    line = _Line(cast(Variant, variant), seed, progress)
    photos, model = folder / "photos", folder / "model"
    yield f"$ tellapart data generate {photos} --variant {variant}"
    line.photograph(photos)
    yield "  a bottling line: two cameras, 100 bottles photographed four times each, some labels wrong on purpose"
    yield f"$ tellapart train {photos} -o {model}"
    classifier = train(photos, output=model, seed=seed, cache_dir=cache_dir, limits=limits, progress=progress)
    yield from (f"  {text}" for text in _told(classifier))
    leaking = train(photos, split="random", golden=0, seed=seed, cache_dir=cache_dir, limits=limits, progress=progress)
    yield f"  (a random split would have promised {_headline(leaking)}: photos of one bottle lie on both sides of it)"
    for name, remark, later in (
        ("tomorrow", "new bottles, same light", False),
        ("in-april", "weeks later, at night", True),
    ):
        yield f"$ tellapart predict {model} {folder / name}     # {remark}"
        line.photograph(folder / name, n_parts=24, frames_per_part=1, later=later, seed=seed + 1)
        yield from (f"  {text}" for text in _answers(model, folder / name, limits))
    yield f"$ tellapart model verify {model}"
    proven = verify(model, limits=limits)
    yield f"  {proven.n_files} files as saved, {proven.n_golden} golden images answered as before"
    yield ""
    yield f"look at {model / 'report.html'}"
    yield "now yours: tellapart train FOLDER     # one folder of images per class, or a CSV with file_name,label"


@dataclass(frozen=True, slots=True)
class _Line:
    """The generator with what all photographs share."""

    variant: Variant
    seed: int
    progress: Progress

    def photograph(self, folder: Path, **options: Unpack[LineOptions]) -> None:
        """Write photos; a wrong label here would only confuse."""
        chosen: LineOptions = {"variant": self.variant, "seed": self.seed, **options}
        write_bottles(folder, progress=lambda done, total: self.progress("taking photos", done, total), **chosen)


def _told(classifier: Classifier) -> list[str]:
    evaluation = classifier.evaluation
    facts = [*classifier.card.data["summary"], *classifier.card.training["summary"]]
    return [*facts, *(evaluation.summary() if evaluation is not None else ())]


def _headline(classifier: Classifier) -> str:
    evaluation = classifier.evaluation
    assert evaluation is not None  # `train` always judges
    return f"{evaluation.headline_metric} {spoken(evaluation.headline)}"


def _answers(model: Path, photos: Path, limits: DecodeLimits) -> Iterator[str]:
    outcomes = [o for o in predict(model, [photos], limits=limits).outcomes if isinstance(o, Prediction)]
    for outcome in outcomes[:: max(1, len(outcomes) // 5)][:5]:
        label, best = max(zip(outcome.labels, outcome.probabilities.tolist(), strict=True), key=lambda pair: pair[1])
        said = "unknown" if outcome.unknown else " + ".join(outcome.predicted) or "not sure"
        yield f"{outcome.uri}: {said} ({label} {best:.0%})"
    n_unknown = sum(outcome.unknown for outcome in outcomes)
    if n_unknown:
        yield f"… {len(outcomes)} images, {n_unknown} of them unlike the training images: it says so and does not guess"
    else:
        yield f"… {len(outcomes)} images, all of them like those of the training"
