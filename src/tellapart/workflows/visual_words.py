"""The method `sift`: words learned from the training images, and the network that counts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.sift import LENGTH, SIZE, sampler_bytes, sift_bytes
from tellapart.errors import DataError, Reason
from tellapart.image.preprocess import PreprocessSpec
from tellapart.settings.recipe import Recipe
from tellapart.training.visual_words import learn_words
from tellapart.workflows.embedding import embed_dataset
from tellapart.workflows.fitting import Fitting
from tellapart.workflows.progress import Progress

_MOST_IMAGES = 500
"""Words of more hardly differ: each gives 75 descriptors."""


def with_words(fitting: Fitting, recipe: Recipe, progress: Progress) -> Fitting:
    """The same images through a network made of them: words of those that the head is fitted on, no other has a say.

    The images keep their split. `recipe` says the image size, where it does.

    Raises:
        SpecError: for a preprocess string that is none.
        DataError: `read_failed` when images changed meanwhile.
    """
    spec = _spec(recipe)
    rows = fitting.fitted_on
    chosen = np.sort(np.random.default_rng(fitting.options.seed).permutation(rows)[:_MOST_IMAGES])
    provider = fitting.embedder.backbone.provider if isinstance(fitting.embedder.backbone, OnnxBackbone) else "cpu"
    sampler = replace(fitting.embedder, spec=spec, backbone=OnnxBackbone.open(sampler_bytes(), provider=provider))
    dataset = fitting.images.dataset
    sampled = embed_dataset(dataset.subset(chosen), sampler, progress=progress)
    progress("learning visual words", 0, 0)
    words = learn_words(sampled.embeddings.reshape(-1, LENGTH), seed=fitting.options.seed)
    origin = f"The words are centres of {sampled.embeddings.size // LENGTH:,} descriptors of {len(sampled):,} training images."
    data = sift_bytes(words.centres, sharpness=words.sharpness, origin=origin, size=max(spec.size))
    embedder = replace(sampler, backbone=OnnxBackbone.open(data, provider=provider))
    images = embed_dataset(dataset, embedder, progress=progress)
    if images.dataset.ids != dataset.ids:
        raise DataError(Reason.READ_FAILED, "images changed while their visual words were learned; run it again")
    return replace(fitting, images=images, embedder=embedder)


def _spec(recipe: Recipe) -> PreprocessSpec:
    usual = PreprocessSpec.parse(recipe.preprocess or f"decode|upright|squash({SIZE})")
    return usual if recipe.size is None or recipe.preprocess else usual.at_size(recipe.size)
