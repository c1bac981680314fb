"""One fused ONNX file, proven on the golden images to answer as the model does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.backbones.onnx import run_file
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.fused import fused_onnx
from tellapart.classifier.golden import GoldenImage
from tellapart.classifier.storage import load, load_enclosures
from tellapart.errors import ModelError, Reason
from tellapart.files import replacing
from tellapart.image.types import DecodeLimits

TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Exported:
    """Where the file lies, its size, how many golden images proved it and the largest difference of a probability."""

    path: Path
    n_bytes: int
    n_golden: int
    max_difference: float


def export(model: str | Path, output: str | Path, *, limits: DecodeLimits | None = None) -> Exported:
    """Write the fused file, if it answers the golden images as the model does (to 1e-5).

    Raises:
        ModelError: `export_mismatch`, then nothing is written; `model_incomplete` without golden images to prove it on.
    """
    path = Path(output)
    classifier = load(model, limits=limits)
    golden = load_enclosures(model).golden
    if not golden:
        raise ModelError(
            Reason.MODEL_INCOMPLETE,
            f"the model {model} has no golden images, so an export of it cannot be proven; train it with golden images",
        )
    data = fused_onnx(classifier)
    difference = max_difference(classifier, data, golden)
    if not difference <= TOLERANCE:
        raise ModelError(
            Reason.EXPORT_MISMATCH,
            f"the fused file answers differently: {difference:.2g} in a probability, at most {TOLERANCE:g} is allowed; "
            "nothing was written",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as exc:
        raise ModelError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc
    return Exported(path, len(data), len(golden), difference)


def max_difference(classifier: Classifier, fused: bytes, golden: tuple[GoldenImage, ...]) -> float:
    """Largest difference of any probability or OOD score between the fused file and the model's own path."""
    pixels = np.stack([classifier.spec.apply(image.data, None, classifier.limits) for image in golden])
    own = classifier.answer(classifier.backbone.run(pixels).embedding)
    probabilities, scores = run_file(fused, pixels, ["probabilities", "ood_score"])
    relative = np.abs(scores - own.ood_scores) / np.maximum(1, own.ood_scores)
    return float(max(np.abs(probabilities - own.probabilities).max(), relative.max()))
