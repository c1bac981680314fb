"""The network itself learns: from split images to a model judged from its ONNX file and compared with the quick way."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.classifier.classifier import Classifier
from tellapart.evaluation.compare import Comparison, compare
from tellapart.evaluation.learning import Epochs, Learning, Rival
from tellapart.evaluation.scored import score
from tellapart.image.preprocess import PreprocessSpec
from tellapart.training.finetune.job import JobResult, run_job
from tellapart.training.linear_probe import Probe
from tellapart.training.tuned_head import Roles
from tellapart.workflows.embedding import embed_again
from tellapart.workflows.finetune_job import sheet, spec_of, write
from tellapart.workflows.finetune_story import epochs_of, facts_of, summary_of
from tellapart.workflows.fitting import Fitting, HeldBack
from tellapart.workflows.progress import Progress
from tellapart.workflows.run_folder import RunFolder
from tellapart.workflows.tuned import headed, roles_of
from tellapart.workflows.wish import Wish

Floats = NDArray[np.float32]
_MEND = "the network is trained: put them back, and --resume writes the model"
_HOW = {"pretrained": "fine-tuned", "scratch": "trained from scratch"}


@dataclass(frozen=True, slots=True)
class Tuned:
    """A trained network as a classifier with a bare card, its answers for the images that judge, and what it tells.

    `fitting` holds the images as the trained network embeds them.
    """

    fitting: Fitting
    classifier: Classifier
    probe: Probe
    held: HeldBack
    learning: Learning
    facts: dict[str, Any]
    summary: tuple[str, ...]


def finetune(quick: Fitting, wish: Wish, run: RunFolder, *, began: float, progress: Progress) -> Tuned:
    """Train the network of a recipe on the images of `quick`, the frozen network's fitting, and compare it with that.

    Images of the split `train` move the weights, those of `val` choose the epoch and calibrate, those of `test` judge
    both (see `assign_roles`). The run can be continued after a kill (`wish.resume`). `began` by `perf_counter`.

    Raises:
        TrainingError, SettingsError, BackboneError, MissingExtra: each with its reason code.
    """
    roles = roles_of(quick)
    rival, held_quick = _quick_answers(quick, roles, began, progress)
    started = time.perf_counter()
    trained = _train(run, quick, roles, wish, progress)
    fitting = _embedded_anew(quick, trained.backbone, trained.spec, progress)
    progress("fitting the head", 0, 0)
    classifier, probe, held = headed(fitting, roles, trained.weight, trained.bias, wish.name)
    comparison = _compared(quick, held_quick, held)
    # What was learned before an interruption took its time as well.
    seconds = max(time.perf_counter() - started, trained.result.seconds)
    rivals = (rival, Rival("fine-tuning", seconds, len(trained.backbone.onnx_bytes())))
    learning = Learning(trained.epochs, comparison, rivals, trained.sheet, trained.sheet_says)
    facts = facts_of(trained.result, learning)
    return Tuned(
        fitting, classifier, probe, held, learning, facts, summary_of(trained.backbone.name, trained.result, learning)
    )


@dataclass(frozen=True, slots=True)
class _Trained:
    """What comes out of the run: the canonical network with its last layer (d, k) and (k,), and the course of it."""

    backbone: OnnxBackbone
    spec: PreprocessSpec
    weight: Floats
    bias: Floats
    epochs: Epochs
    result: JobResult
    sheet: bytes
    sheet_says: str


def _quick_answers(quick: Fitting, roles: Roles, began: float, progress: Progress) -> tuple[Rival, HeldBack | None]:
    """The frozen probe on the images that judge; None where they are no images of their own."""
    progress("fitting the frozen probe", 0, 0)
    classifier, _ = quick.fit("probe")
    cached = " (embeddings from the cache)" if quick.images.n_cached else ""
    rival = Rival(f"the frozen probe{cached}", time.perf_counter() - began, len(quick.embedder.backbone.onnx_bytes()))
    if not roles.of_their_own:
        return rival, None
    rows = np.flatnonzero(roles.judges)
    answers = classifier.answer(quick.images.embeddings[rows])
    return rival, HeldBack(rows, answers.probabilities, answers.decisions, answers.ood_scores)


def _train(run: RunFolder, quick: Fitting, roles: Roles, wish: Wish, progress: Progress) -> _Trained:
    from tellapart.training.finetune.trained import trained_network
    from tellapart.training.networks.export import canonical_bytes, head_arrays

    run.begin(resume=wish.resume)
    spec = spec_of(quick, wish)
    picture, says = sheet(run, quick, roles, wish, spec)
    job = write(run.job, quick, roles, wish, spec, progress)
    wishes = wish.recipe.finetune
    if wishes.processes > 1 or wishes.engine == "ray":
        from tellapart.training.finetune.launch import launch

        result = launch(run.job, processes=wishes.processes, engine=wishes.engine, progress=progress)
    else:
        result = run_job(run.job, progress)
    progress("writing the network", 0, 0)
    network = trained_network(run.job, job)
    backbone = OnnxBackbone.open(
        canonical_bytes(network, f"{network.name}, {_HOW[wishes.start]}"), provider=wish.provider
    )
    weight, bias = head_arrays(network)
    return _Trained(backbone, spec, weight, bias, epochs_of(result), result, picture, says)


def _embedded_anew(quick: Fitting, backbone: OnnxBackbone, spec: PreprocessSpec, progress: Progress) -> Fitting:
    """The same images as the trained network sees them. Nothing is cached: no other training has this network."""
    embedder = replace(quick.embedder, spec=spec, backbone=backbone, cache_dir=None)
    images = embed_again(quick.images.dataset, embedder, progress=progress, mend=_MEND)
    return replace(quick, images=images, embedder=embedder)


def _compared(quick: Fitting, first: HeldBack | None, second: HeldBack) -> Comparison | None:
    if first is None:
        return None
    scored = [
        score(held.probabilities, quick.targets(held.rows), quick.schema, decisions=held.decisions)
        for held in (first, second)
    ]
    names = ("the frozen probe", "fine-tuning")
    return compare(*scored, names=names, groups=quick.groups(second.rows), seed=quick.options.seed)
