"""A trial of a search: a recipe is trained on the images that teach, and answers for those that validate."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.errors import Reason, TrainingError
from tellapart.settings.recipe import Recipe
from tellapart.training.finetune.job import JobResult, OnEpoch, run_job
from tellapart.training.tuned_head import Roles
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.fitting import Fitting
from tellapart.workflows.image_size import spec_for
from tellapart.workflows.methods import METHODS
from tellapart.workflows.progress import Progress
from tellapart.workflows.wish import Wish, frozen_backbone


@dataclass(frozen=True, slots=True)
class Outcome:
    """Probabilities float32 (m, k) for the validation images, bytes of the network, and the side of the image that it sees."""

    answers: NDArray[np.float32]
    n_bytes: int
    size_px: int


@dataclass(frozen=True, slots=True)
class Trials:
    """Trials on the images of `quick`, whose network is that of `wish.recipe`; what they share lies in `folder`."""

    quick: Fitting
    wish: Wish
    roles: Roles
    folder: Path

    def run(self, number: int, recipe: Recipe, on_epoch: OnEpoch, progress: Progress) -> Outcome:
        """Train by `recipe`.

        A training of the network goes on where an earlier process left it; `on_epoch` may end it by an exception.

        Raises:
            As the trainings do.
        """
        fitting = self.fitting(recipe, progress)
        if recipe.method == "finetune":
            return self._trained(number, fitting, recipe, on_epoch, progress)
        return self._headed(fitting, progress)

    def fitting(self, recipe: Recipe, progress: Progress) -> Fitting:
        """The images as the frozen network of `recipe` sees them, parted as they were; the head is still to be fitted.

        Raises:
            TrainingError: `too_few_images` when not all of them can be read as the recipe wants them.
        """
        method, quick = METHODS[recipe.method], self.quick
        options = replace(
            quick.options,
            class_weight=None if recipe.class_weight == "none" else recipe.class_weight,
            label_noise=recipe.label_noise,
        )
        embedder = self._embedder(recipe, method.backbone)
        images = quick.images
        if embedder != quick.embedder:
            images = embed_dataset(quick.images.dataset, embedder, progress=progress)
            if images.dataset.ids != quick.images.dataset.ids:
                lost = len(quick.images) - len(images)
                message = (
                    f"{lost} images cannot be read at this size, so the trial would not be judged on the same ones"
                )
                raise TrainingError(Reason.TOO_FEW_IMAGES, message)
        return replace(quick, images=images, embedder=embedder, options=options, maker=method.maker(recipe))

    def tidy(self, number: int) -> None:
        """A trial that is over leaves nothing of its training."""
        shutil.rmtree(self._job(number), ignore_errors=True)

    def _embedder(self, recipe: Recipe, own: str | None) -> Embedder:
        quick, base = self.quick.embedder, self.wish.recipe
        name = own or frozen_backbone(recipe)
        if name == (METHODS[base.method].backbone or frozen_backbone(base)):
            backbone = quick.backbone
            if (recipe.preprocess, _frozen_size(recipe)) == (base.preprocess, _frozen_size(base)):
                return quick
        else:
            backbone = load_backbone(name, provider=self.wish.provider, store=self.wish.store)
        return replace(
            quick, backbone=backbone, spec=spec_for(recipe, backbone, self.quick.images.dataset, quick.limits)
        )

    def _headed(self, fitting: Fitting, progress: Progress) -> Outcome:
        progress("fitting the head", 0, 0)
        learns = np.flatnonzero(self.roles.learns)
        embeddings, groups = fitting.images.embeddings, fitting.parted.groups
        probe = fitting.maker.fit(
            embeddings[learns], fitting.labels[learns], groups[learns], fitting.schema, fitting.options
        )
        answers = probe.head.probabilities(embeddings[self.roles.validates])
        return Outcome(answers, len(fitting.embedder.backbone.onnx_bytes()), max(fitting.embedder.spec.size))

    def _trained(self, number: int, fitting: Fitting, recipe: Recipe, on_epoch: OnEpoch, progress: Progress) -> Outcome:
        from tellapart.training.finetune.answers import validation_answers
        from tellapart.training.finetune.copied_job import copy_job
        from tellapart.workflows.finetune_job import spec_of, write

        wish = replace(self.wish, recipe=recipe)
        spec = spec_of(fitting, wish)
        images = self._images(recipe, str(spec))
        if not (images / "job.json").exists():
            write(images, fitting, self.roles, wish, spec, progress)
        folder = self._job(number)
        copy_job(images, folder, recipe.finetune)
        result = _run(folder, recipe, on_epoch, progress)
        answers = validation_answers(folder)
        if len(answers) != int(self.roles.validates.sum()):
            message = (
                "some of the validation images cannot be read any more, so the trial was not judged on all of them"
            )
            raise TrainingError(Reason.TOO_FEW_IMAGES, message)
        return Outcome(answers, 4 * result.parameters, max(spec.size))

    def _images(self, recipe: Recipe, spec: str) -> Path:
        """The images that all trainings with this network and size share."""
        finetune = recipe.finetune
        key = "|".join([recipe.backbone, spec, finetune.start, finetune.head_start])
        return self.folder / "images" / hashlib.sha256(key.encode()).hexdigest()[:16]

    def _job(self, number: int) -> Path:
        return self.folder / "trials" / str(number)


def _run(folder: Path, recipe: Recipe, on_epoch: OnEpoch, progress: Progress) -> JobResult:
    """In this process where one is enough; others cannot be given up early."""
    wishes = recipe.finetune
    if wishes.processes == 1 and wishes.engine == "ddp":
        return run_job(folder, progress, on_epoch=on_epoch)
    from tellapart.training.finetune.launch import launch

    return launch(folder, processes=wishes.processes, engine=wishes.engine, progress=progress)


def _frozen_size(recipe: Recipe) -> int | None:
    """Of fine-tuning the size is that of the network that learns."""
    return None if recipe.method == "finetune" else recipe.size
