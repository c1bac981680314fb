"""An evaluation as files: evaluation.json and report.html, with pictures of what went wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.kinds import Kinds
from tellapart.evaluation.mistakes import Case
from tellapart.evaluation.report import Background, GalleryItem, write_report
from tellapart.heads.anomaly import AnomalyHead
from tellapart.workflows.noise_facts import shown
from tellapart.workflows.pictures import pictures

# Every picture costs a decoding and an inference; these fill a screen.
_SHOWN = {"mistake": 12, "uncertain": 6, "unknown": 6, "found": 12}
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Report:
    """Bytes of evaluation.json and report.html."""

    evaluation: bytes
    html: bytes


def render(
    classifier: Classifier, evaluation: Evaluation, dataset: Dataset, *, title: str, background: Background
) -> Report:
    """Both files for an evaluation of `dataset`, whose rows are those of the evaluation."""
    html = write_report(
        evaluation,
        title=title,
        card=_shown_facts(classifier),
        gallery=_gallery(classifier, evaluation, dataset, background.kinds),
        background=background,
    )
    text = json.dumps(evaluation.to_json(), ensure_ascii=False, allow_nan=False, indent=1)
    return Report(_utf8(text), _utf8(html))


def counts_by_split(dataset: Dataset, splits: Sequence[str | None]) -> Counts:
    """split → label → number of images, for the report's table."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for split, sample in zip(splits, dataset.samples, strict=True):
        for name in sample.labels or ():
            counts[split or "all"][name] += 1
    return {split: dict(counts[split]) for split in ("train", "val", "test", "all") if split in counts}


def warnings_of(lines: Sequence[str]) -> list[str]:
    """The warnings among summary lines, without the column that names them."""
    return [line.removeprefix("warning").strip() for line in lines if line.startswith("warning")]


def _gallery(
    classifier: Classifier, evaluation: Evaluation, dataset: Dataset, kinds: Kinds | None
) -> list[GalleryItem]:
    cases = evaluation.cases
    wanted = {"mistake": cases.mistakes, "uncertain": cases.uncertain, "unknown": cases.unknown}
    wanted["found"] = () if kinds is None else kinds.found
    return [item for kind, n in _SHOWN.items() for item in _items(classifier, dataset, wanted[kind][:n], kind)]


def _items(classifier: Classifier, dataset: Dataset, cases: Sequence[Case], kind: str) -> list[GalleryItem]:
    labels = [_explained(case, classifier.labels) for case in cases]  # of an anomaly the heat is that of the strange
    taken = pictures(classifier, dataset, [case.index for case in cases], labels)
    return [
        GalleryItem(
            case.uri,
            case.actual,
            case.predicted,
            case.confidence,
            picture.image,
            picture.heatmap,
            "heat: unlike good images" if isinstance(classifier.head, AnomalyHead) else f"heat: {label}",
            kind,
        )
        for case, picture, label in zip(cases, taken, labels, strict=True)
        if picture is not None
    ]


def _explained(case: Case, labels: Sequence[str]) -> str:
    """The label whose evidence the heatmap shows: what was answered wrongly, else what is there."""
    wrong = [name for name in case.predicted if name not in case.actual]
    return (wrong or list(case.predicted) or list(case.actual) or list(labels))[0]


def _shown_facts(classifier: Classifier) -> dict[str, Any]:
    card = classifier.card
    return {
        "model": card.model_id,
        "task": card.schema.task.value,
        "preprocess": card.preprocess,
        "backbone": {key: card.backbone[key] for key in ("name", "licence", "embedding_dim", "sha256")},
        "head": dict(card.head),
        "training": {key: _shown(key, value) for key, value in card.training.items() if key != "summary"},
        "versions": dict(card.versions),
        "made": card.created_at,
    }


def _shown(key: str, value: Any) -> Any:
    return shown(value) if key == "label_noise" else value


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
