"""Golden images: a few inputs with the answers they gave, replayed to prove that nothing has changed since."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason

if TYPE_CHECKING:
    from tellapart.classifier.classifier import Classifier

INDEX = "golden/golden.json"
# Another CPU runs other kernels, and float32 sums in another order differ by about 1e-6 in a probability.
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class GoldenImage:
    """An encoded image with its answer: `probabilities` float (k,) in column order."""

    name: str
    data: bytes
    probabilities: NDArray[np.floating[Any]]
    ood_score: float


@dataclass(frozen=True, slots=True)
class Replay:
    """Outcome of a replay: number of images and the largest difference of any probability or OOD score."""

    n_images: int
    max_difference: float


def record(classifier: Classifier, images: Mapping[str, bytes]) -> tuple[GoldenImage, ...]:
    """Answer encoded images through the model's own path; names become file names below golden/."""
    golden = []
    for name, data in images.items():
        probabilities, ood_score = _answer(classifier, data)
        golden.append(GoldenImage(name, data, probabilities, ood_score))
    return tuple(golden)


def replay(classifier: Classifier, golden: Sequence[GoldenImage], *, tolerance: float = TOLERANCE) -> Replay:
    """Answer the golden images again.

    Raises:
        ModelError: `golden_mismatch` when an answer differs by more than `tolerance`, `model_incomplete` without images.
    """
    if not golden:
        raise ModelError(
            Reason.MODEL_INCOMPLETE,
            f"the model {classifier.card.name} has no golden images, so it cannot be verified; train it with golden images",
        )
    worst, worst_name = 0.0, ""
    for image in golden:
        probabilities, ood_score = _answer(classifier, image.data)
        # The score has no upper end: from 1 on, where it says "unknown", its relative difference counts.
        strangeness = abs(ood_score - image.ood_score) / max(1.0, image.ood_score)
        difference = max(float(np.abs(probabilities - image.probabilities).max()), strangeness)
        if difference >= worst:
            worst, worst_name = difference, image.name
    if not worst <= tolerance:
        raise ModelError(
            Reason.GOLDEN_MISMATCH,
            f"the model {classifier.card.name} no longer answers as it did: golden image {worst_name} differs by "
            f"{worst:.2g}, at most {tolerance:g} is allowed; compare the versions in model.json with those installed",
        )
    return Replay(len(golden), worst)


def to_files(golden: Sequence[GoldenImage]) -> dict[str, bytes]:
    """The files of the golden set, relative to the model folder."""
    index = [
        {"file": g.name, "probabilities": [float(p) for p in g.probabilities], "ood_score": g.ood_score} for g in golden
    ]
    files = {f"golden/{g.name}": g.data for g in golden}
    return {**files, INDEX: json.dumps({"images": index}, indent=1).encode() + b"\n"}


def from_files(files: Mapping[str, bytes]) -> tuple[GoldenImage, ...]:
    """Inverse of `to_files`.

    Raises:
        ModelError: `model_damaged` for an index that does not fit the files, or names one outside of golden/.
    """
    try:
        return tuple(_golden_image(entry, files) for entry in json.loads(files[INDEX])["images"])
    except (ValueError, KeyError, TypeError) as exc:
        raise ModelError(
            Reason.MODEL_DAMAGED, f"the golden images of this model cannot be read ({exc!r}); copy the model again"
        ) from exc


def owns(name: str) -> bool:
    """Whether a file of a model folder belongs to the golden set."""
    return name.startswith("golden/")


def _golden_image(entry: Mapping[str, Any], files: Mapping[str, bytes]) -> GoldenImage:
    name = entry["file"]
    # The name becomes a path when the model is written again.
    if set(name) & set("/\\\0") or name in (".", ".."):
        raise ValueError(f"{name!r} is no plain file name")
    return GoldenImage(
        name, files[f"golden/{name}"], np.array(entry["probabilities"], np.float64), float(entry["ood_score"])
    )


def _answer(classifier: Classifier, data: bytes) -> tuple[NDArray[np.floating[Any]], float]:
    pixels = classifier.spec.apply(data, None, classifier.limits)
    answers = classifier.answer(classifier.backbone.run(pixels[None]).embedding)
    return answers.probabilities[0], float(answers.ood_scores[0])
