"""The ways to train by name, and what each does differently from the plain probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.records import LabelSchema
from tellapart.settings.recipe import Recipe
from tellapart.training.class_file import CLASSES, to_bytes
from tellapart.training.dynamic import dynamic_probe, statistics_of
from tellapart.training.few_shot import few_shot
from tellapart.training.linear_probe import Probe, ProbeOptions
from tellapart.workflows.fitting import Fitting, HeadMaker
from tellapart.workflows.progress import Progress

Prepare = Callable[[Dataset, Recipe], Dataset]
Refine = Callable[[Fitting, Recipe, Progress], Fitting]


@dataclass(frozen=True, slots=True)
class Method:
    """How a training goes.

    `backbone` is the method's own network by name, None where the recipe names one. With `all_teach` no image is held
    back for a test. `prepare` looks at the data before an image is read. `refine` makes the network that the model gets
    out of the training images, once these are split; None where the first network is the one.
    """

    maker: Callable[[Recipe], HeadMaker]
    backbone: str | None = None
    all_teach: bool = False
    refine: Refine | None = None
    prepare: Prepare | None = None


def _logistic(recipe: Recipe) -> HeadMaker:  # noqa: ARG001  the signature of makers
    return HeadMaker()


def _few_shot(recipe: Recipe) -> HeadMaker:  # noqa: ARG001  the signature of makers
    return HeadMaker(few_shot, needs_judges=False)


def _dynamic(recipe: Recipe) -> HeadMaker:  # noqa: ARG001  the signature of makers
    return HeadMaker(dynamic_probe, needs_judges=False, enclose=_with_classes)


def _with_classes(fitting: Fitting, probe: Probe) -> Mapping[str, bytes]:  # noqa: ARG001  the signature of enclosures
    """Statistics of every image that is not held back for a test: those by which the classes change later."""
    rows = ~fitting.parted.rows("test")
    columns = fitting.labels[rows].argmax(axis=1)
    return {CLASSES: to_bytes(statistics_of(fitting.images.embeddings[rows], columns, fitting.schema))}


def _logistic_or_svm(recipe: Recipe) -> HeadMaker:
    return HeadMaker(_svm) if recipe.head == "svm" else HeadMaker()


def _svm(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    schema: LabelSchema,
    options: ProbeOptions,
) -> Probe:
    # Loads scikit-learn: only where it is asked for.
    from tellapart.training.svm import svm_probe

    return svm_probe(embeddings, labels, groups, schema, options)


def _with_words(fitting: Fitting, recipe: Recipe, progress: Progress) -> Fitting:
    # Loads what writes graphs: only where it is asked for.
    from tellapart.workflows.visual_words import with_words

    return with_words(fitting, recipe, progress)


def _anomaly(recipe: Recipe) -> HeadMaker:  # noqa: ARG001  the signature of makers
    # The real one knows what the network looks like, which `refine` makes.
    return HeadMaker(needs_judges=False)


def _from_good(fitting: Fitting, recipe: Recipe, progress: Progress) -> Fitting:
    from tellapart.workflows.anomaly import from_good

    return from_good(fitting, recipe, progress)


def _all_labelled(dataset: Dataset, recipe: Recipe) -> Dataset:
    from tellapart.workflows.anomaly_labels import all_labelled

    return all_labelled(dataset, recipe)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "probe": Method(_logistic),
        "finetune": Method(_logistic),
        "few-shot": Method(_few_shot, all_teach=True),
        "dynamic": Method(_dynamic),
        "hog": Method(_logistic_or_svm, backbone="hog"),
        "sift": Method(_logistic_or_svm, backbone="hog", refine=_with_words),
        "anomaly": Method(_anomaly, refine=_from_good, prepare=_all_labelled),
    }
)
"""By the recipe's `method`; of "finetune" this is the frozen probe that it has to beat."""


def maker_of(fitted_by: str | None) -> HeadMaker:
    """What fitted a head, by `fitted_by` on its card: so that a model is fitted again as it was."""
    found = {
        "few-shot": HeadMaker(few_shot, needs_judges=False),
        "dynamic": HeadMaker(dynamic_probe, needs_judges=False, enclose=_with_classes),
        "svm": HeadMaker(_svm),
    }
    return found.get(fitted_by or "", HeadMaker())
