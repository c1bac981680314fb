"""A model with its backbone in int8, fitted and judged anew on the images of its own training."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.quantize import Quantized, check_float
from tellapart.backbones.quantize import quantize as quantize_backbone
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.folder import check_target
from tellapart.classifier.golden import record
from tellapart.classifier.head_file import kinds_of
from tellapart.classifier.storage import load, load_enclosures
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, ImageError, ModelError, Reason, SettingsError, TrainingError
from tellapart.evaluation.compare import Comparison, compare
from tellapart.evaluation.scored import Scored, score
from tellapart.evaluation.wording import metric_name
from tellapart.heads.anomaly import AnomalyHead
from tellapart.heads.linear import ClassWeight, LinearHead
from tellapart.image.types import DecodeLimits
from tellapart.records import Task
from tellapart.training.label_noise import label_noise
from tellapart.training.linear_probe import Probe, ProbeOptions
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.fitting import Fitting, HeldBack
from tellapart.workflows.golden import one_label_after_the_other
from tellapart.workflows.int8_result import MAX_LOSS, Int8Model, facts, in_words
from tellapart.workflows.memory import GROUPED, Memory
from tellapart.workflows.methods import maker_of
from tellapart.workflows.partition import Partition, partition
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.reference import read_labels, read_splits
from tellapart.workflows.relabelled import check_labels
from tellapart.workflows.timing import Picture, Timing, measure
from tellapart.workflows.train import Work, check_outside
from tellapart.workflows.tuned import HEAD, headed, roles_of

N_CALIBRATION = 200
_N_TIMED = 4
_SECONDS_TIMED = 1.0
_FEWEST = 0.9


_ANOMALY = (
    "an anomaly model is made int8 by training it on an int8 network, so that its memory holds what that sees: "
    "tellapart train DATA --method anomaly --backbone builtin-int8"
)


def quantize(
    model: str | Path,
    data: Dataset | str | Path,
    *,
    output: str | Path,
    max_loss: float = MAX_LOSS,
    method: str = "minmax",
    keep_float: Collection[str] = (),
    n_calibration: int = N_CALIBRATION,
    seed: int = 0,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Int8Model:
    """Write an int8 form of a model, unless it loses more than `max_loss` of accuracy or macro F1 on the held-back images.

    `data` is what the model was trained on; every image stays in the split it had. Up to `n_calibration` images of the
    training split calibrate the backbone (`method`, `keep_float`: see `backbones.quantize`). Head, calibration,
    thresholds and the score for unknown images are then fitted again, on int8 embeddings of the images that fitted the
    parent, with its aim and seed; a fine-tuned model keeps its last layer. `seed` chooses calibration images and resamples.
    Speed is that of the CPU.

    Raises:
        ModelError: `quantization_loss`, then nothing is written; `model_incomplete` without reference.parquet.
        BackboneError: `backbone_invalid` for a backbone that is int8 already or has no trained weights.
        TrainingError: `no_test_data` when no image was held back; DataError: `read_failed` when `data` is not what the
            model was trained on, `label_conflict` or `unknown_label` when its labels changed since.
        SettingsError: `bad_setting`.
    """
    _check(model, output, max_loss, n_calibration)
    if not isinstance(data, Dataset):
        check_outside(output, data)
    parent = load(model, provider=provider, limits=limits)
    check_float(parent.backbone.onnx_bytes())
    if isinstance(parent.head, AnomalyHead):
        raise SettingsError(Reason.BAD_SETTING, _ANOMALY)
    embedder = Embedder(parent.spec, parent.backbone, None if cache_dir is None else Path(cache_dir), limits, workers)
    home = _Home.of(model, parent, data if isinstance(data, Dataset) else Dataset.read(data), embedder, progress)
    pictures = home.calibration(n_calibration, seed)
    progress("calibrating", 0, 0)
    pixels = [parent.spec.apply(picture.data, picture.roi, limits) for picture in pictures]
    int8 = quantize_backbone(parent.backbone.onnx_bytes(), pixels, method=method, keep_float=keep_float)
    del pixels
    fitting = home.fitting(int8, provider, progress)
    started = time.perf_counter()
    progress("fitting the head", 0, 0)
    classifier, probe, held = home.fitted(fitting, _name(output))
    comparisons = home.compared(fitting, held, seed)
    timings = _timed(parent, int8, pictures[:_N_TIMED], progress)
    found = Int8Model(
        classifier,
        parent.card.model_id,
        int8.figures,
        comparisons,
        timings,
        max_loss,
        home.n_left_out,
        home.n_relabelled,
    )
    _refuse_loss(found)
    work = Work(home.dataset, fitting, home.memory)
    whole = work.describe(classifier, probe, held, started=started, n_golden=0, progress=progress)
    return replace(found, classifier=_with_origin(whole, found, model).save(output))


@dataclass(frozen=True, slots=True)
class _Home:
    """The parent with the images of its training, embedded in float; each stands in the split it had."""

    parent: Classifier
    dataset: Dataset
    images: EmbeddedDataset
    embedder: Embedder
    memory: Memory
    n_left_out: int
    n_relabelled: int

    @classmethod
    def of(
        cls, model: str | Path, parent: Classifier, dataset: Dataset, embedder: Embedder, progress: Progress
    ) -> _Home:
        reference = load_enclosures(model).reference
        splits, known = read_splits(reference), read_splits(reference, gone=False)
        if not known:
            raise ModelError(
                Reason.MODEL_INCOMPLETE,
                f"the model {model} has no reference.parquet that tells which images it was judged on; train it again",
            )
        images = embed_dataset(dataset.subset(dataset.labelled), embedder, progress=progress)
        ours = np.array([image_id in known for image_id in images.dataset.ids], bool)
        n_found = len(set(images.dataset.ids) & known.keys())
        if n_found < _FEWEST * len(known):
            raise DataError(
                Reason.READ_FAILED,
                f"the data holds {n_found:,} of the {len(known):,} images that the model {model} was trained and judged "
                f"with, at least {math.ceil(_FEWEST * len(known)):,} are needed to fit it again; name the data it was "
                "trained on",
            )
        images = images.subset(ours)
        images = images.with_dataset(images.dataset.with_splits([known[name] for name in images.dataset.ids]))
        n_relabelled = check_labels(model, images.dataset, read_labels(reference), parent.schema)
        return cls(parent, images.dataset, images, embedder, Memory(splits), int((~ours).sum()), n_relabelled)

    def calibration(self, n: int, seed: int) -> list[Picture]:
        """Images of the training split, one label after the other."""
        dataset = self.dataset
        rows = np.flatnonzero(np.array([split == "train" for split in dataset.splits]))
        shuffled = np.random.default_rng(seed).permutation(rows).tolist()
        pictures: list[Picture] = []
        for row in one_label_after_the_other(dataset, shuffled):
            if len(pictures) == n:
                break
            try:
                data = dataset.bytes_of(row, limits=self.embedder.limits)
            except ImageError:
                continue  # gone since it was embedded
            pictures.append(Picture(data, dataset.samples[row].roi))
        return pictures

    def fitting(self, int8: Quantized, provider: str, progress: Progress) -> Fitting:
        """Everything about the int8 head but the head."""
        embedder = replace(self.embedder, backbone=OnnxBackbone.open(int8.data, provider=provider))
        images = embed_dataset(self.dataset, embedder, progress=progress)
        if images.dataset.ids != self.dataset.ids:
            raise DataError(Reason.READ_FAILED, "images changed while the model was quantised; run it again")
        maker = maker_of(self.parent.card.head.get("fitted_by"))
        return Fitting(images, self.parent.schema, self._parted(images), self._options(), embedder, maker)

    def fitted(self, fitting: Fitting, name: str) -> tuple[Classifier, Probe, HeldBack]:
        """The int8 head and its answers. A last layer that was trained with its network stays as it is: among the embeddings
        of images that this network learned from, a new one would find itself far too sure."""
        head = self.parent.head
        if isinstance(head, LinearHead) and self.parent.card.head.get("trained") == HEAD["trained"]:
            return headed(fitting, roles_of(fitting), head.weight, head.bias, name)
        classifier, probe = fitting.fit(name)
        return classifier, probe, fitting.judge(classifier, probe)

    def _parted(self, images: EmbeddedDataset) -> Partition:
        seed = int(self.parent.card.training.get("seed", 0))
        parted = partition(images, self.parent.schema, how=GROUPED, seed=seed, cache_dir=self.embedder.cache_dir)
        return replace(parted, how=str(self.parent.card.training.get("split", GROUPED)))

    def _options(self) -> ProbeOptions:
        card = self.parent.card
        weight: ClassWeight = "balanced" if card.head.get("class_weight") == "balanced" else None
        noise = label_noise(str(card.head.get("label_noise", "keep")))
        share = float(card.head.get("unknown_share", 0.01))
        rejection = kinds_of(card)["rejection"]
        seed = int(card.training.get("seed", 0))
        return ProbeOptions(self.parent.thresholds.aim, weight, seed, noise, rejection, share)

    def compared(self, fitting: Fitting, held: HeldBack, seed: int) -> tuple[Comparison, ...]:
        """int8 against float in accuracy and macro F1, on the images that judge."""
        if not held.of_their_own:
            raise TrainingError(
                Reason.NO_TEST_DATA,
                "the model's training held back no image, so the loss by int8 cannot be measured; train it on data with "
                "enough images to hold some back",
            )
        answers = self.parent.answer(self.images.embeddings[held.rows])
        first = self._scored(fitting, held.rows, answers.probabilities, answers.decisions)
        second = self._scored(fitting, held.rows, held.probabilities, held.decisions)
        share = "subset_accuracy" if fitting.schema.task is Task.MULTILABEL else "accuracy"
        groups = fitting.groups(held.rows)
        return tuple(
            compare(first, second, metric=metric, names=("float", "int8"), groups=groups, seed=seed)
            for metric in (share, "f1_macro")
        )

    def _scored(
        self,
        fitting: Fitting,
        rows: NDArray[np.int64],
        probabilities: NDArray[np.floating[Any]],
        decisions: NDArray[np.bool_],
    ) -> Scored:
        return score(probabilities, fitting.targets(rows), fitting.schema, decisions=decisions)


def _check(model: str | Path, output: str | Path, max_loss: float, n_calibration: int) -> None:
    if not 0 <= max_loss <= 1:
        message = f"the largest loss allowed is a share from 0 to 1 (0.005 is half a point), got {max_loss:g}"
        raise SettingsError(Reason.BAD_SETTING, message)
    if n_calibration < 1:
        message = f"calibration needs at least 1 image, got n_calibration={n_calibration}"
        raise SettingsError(Reason.BAD_SETTING, message)
    if Path(output).resolve() == Path(model).resolve():
        message = f"the int8 model would replace {model}, the float model it comes from; name another output"
        raise SettingsError(Reason.BAD_SETTING, message)
    check_target(output)


def _timed(parent: Classifier, int8: Quantized, pictures: list[Picture], progress: Progress) -> tuple[Timing, Timing]:
    """Float and int8 on the CPU, whatever the parent runs on."""
    forms = [(parent.spec, OnnxBackbone.open(one)) for one in (parent.backbone.onnx_bytes(), int8.data)]
    before, after = measure(forms, pictures, limits=parent.limits, seconds=_SECONDS_TIMED, progress=progress)
    return before, after


def _refuse_loss(found: Int8Model) -> None:
    # A hair more than the limit is rounding, not loss.
    if found.loss > found.max_loss + 1e-9:
        told = "; ".join(f"{metric_name(one.metric)} {in_words(one)}" for one in found.comparisons)
        raise ModelError(
            Reason.QUANTIZATION_LOSS,
            f"in int8 the model loses {found.loss:.4f}, at most {found.max_loss:g} is allowed: {told}; nothing was written. "
            "Try another method, more calibration images, or layers kept in float (docs/quantization.md), or allow more",
        )


def _with_origin(classifier: Classifier, found: Int8Model, model: str | Path) -> Classifier:
    """The classifier with the parent's golden images, answered anew, and a card that tells where it comes from."""
    golden = {image.name: image.data for image in load_enclosures(model).golden}
    training: Mapping[str, Any] = classifier.card.training
    line = f"int8        made of {found.parent_id}: {in_words(found.comparisons[0])}"
    origin = {"parent": found.parent_id, **facts(found.figures, found.comparisons, found.timings)}
    told = [line, *(f"warning     {text}" for text in found.relabelled)]
    return classifier.with_card(
        training={**training, "summary": [*training["summary"], *told], "int8": origin}
    ).enclosing(replace(classifier.enclosures, golden=record(classifier, golden)))


def _name(output: str | Path) -> str:
    return Path(output).resolve().name.removesuffix(".zip")
