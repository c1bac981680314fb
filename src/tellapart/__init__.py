"""tellapart tells images apart: from a folder of labelled images to a classifier you can trust.

::

    import tellapart as ta

    model = ta.train("parts/")
    model.save("parts-model")
    ta.load("parts-model").predict("photo.jpg")

Everything public is listed in `__all__` and loaded when it is first used, so that `import tellapart` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tellapart.classifier.classifier import Classifier
    from tellapart.classifier.storage import load
    from tellapart.data.dataset import Dataset
    from tellapart.errors import (
        BackboneError,
        DataError,
        ImageError,
        MissingExtra,
        ModelError,
        Reason,
        SettingsError,
        SpecError,
        TellapartError,
        TrainingError,
    )
    from tellapart.evaluation.evaluation import Evaluation
    from tellapart.image.preprocess import PreprocessSpec
    from tellapart.image.types import DecodeLimits, RgbImage
    from tellapart.index.vectors import Vectors
    from tellapart.records import Label, LabelSchema, Prediction, Refusal, Roi, Sample, Task
    from tellapart.settings.recipe import Recipe
    from tellapart.workflows.check import check
    from tellapart.workflows.classes.add import add_classes
    from tellapart.workflows.classes.listing import class_history, list_classes
    from tellapart.workflows.classes.merge import merge_classes
    from tellapart.workflows.classes.rename import rename_class
    from tellapart.workflows.classes.retire import retire_class
    from tellapart.workflows.classes.split import split_class
    from tellapart.workflows.classes.translate import translate_predictions
    from tellapart.workflows.classes.undo import undo_change
    from tellapart.workflows.cluster import cluster
    from tellapart.workflows.embed import embed
    from tellapart.workflows.evaluate import evaluate
    from tellapart.workflows.replay import replay
    from tellapart.workflows.suggest import suggest
    from tellapart.workflows.train import train
    from tellapart.workflows.watch.watch import watch
    from tellapart.workflows.why import why

_HOME = {
    "BackboneError": "tellapart.errors",
    "Classifier": "tellapart.classifier.classifier",
    "DataError": "tellapart.errors",
    "Dataset": "tellapart.data.dataset",
    "DecodeLimits": "tellapart.image.types",
    "Evaluation": "tellapart.evaluation.evaluation",
    "ImageError": "tellapart.errors",
    "Label": "tellapart.records",
    "LabelSchema": "tellapart.records",
    "MissingExtra": "tellapart.errors",
    "ModelError": "tellapart.errors",
    "Prediction": "tellapart.records",
    "PreprocessSpec": "tellapart.image.preprocess",
    "Reason": "tellapart.errors",
    "Recipe": "tellapart.settings.recipe",
    "Refusal": "tellapart.records",
    "RgbImage": "tellapart.image.types",
    "Roi": "tellapart.records",
    "Sample": "tellapart.records",
    "SettingsError": "tellapart.errors",
    "SpecError": "tellapart.errors",
    "Task": "tellapart.records",
    "TellapartError": "tellapart.errors",
    "TrainingError": "tellapart.errors",
    "Vectors": "tellapart.index.vectors",
    "add_classes": "tellapart.workflows.classes.add",
    "check": "tellapart.workflows.check",
    "class_history": "tellapart.workflows.classes.listing",
    "cluster": "tellapart.workflows.cluster",
    "embed": "tellapart.workflows.embed",
    "evaluate": "tellapart.workflows.evaluate",
    "list_classes": "tellapart.workflows.classes.listing",
    "load": "tellapart.classifier.storage",
    "merge_classes": "tellapart.workflows.classes.merge",
    "rename_class": "tellapart.workflows.classes.rename",
    "replay": "tellapart.workflows.replay",
    "retire_class": "tellapart.workflows.classes.retire",
    "split_class": "tellapart.workflows.classes.split",
    "suggest": "tellapart.workflows.suggest",
    "train": "tellapart.workflows.train",
    "translate_predictions": "tellapart.workflows.classes.translate",
    "undo_change": "tellapart.workflows.classes.undo",
    "watch": "tellapart.workflows.watch.watch",
    "why": "tellapart.workflows.why",
}

__all__ = [
    "BackboneError",
    "Classifier",
    "DataError",
    "Dataset",
    "DecodeLimits",
    "Evaluation",
    "ImageError",
    "Label",
    "LabelSchema",
    "MissingExtra",
    "ModelError",
    "Prediction",
    "PreprocessSpec",
    "Reason",
    "Recipe",
    "Refusal",
    "RgbImage",
    "Roi",
    "Sample",
    "SettingsError",
    "SpecError",
    "Task",
    "TellapartError",
    "TrainingError",
    "Vectors",
    "add_classes",
    "check",
    "class_history",
    "cluster",
    "embed",
    "evaluate",
    "list_classes",
    "load",
    "merge_classes",
    "rename_class",
    "replay",
    "retire_class",
    "split_class",
    "suggest",
    "train",
    "translate_predictions",
    "undo_change",
    "watch",
    "why",
]


def __getattr__(name: str) -> Any:
    # The submodules `train` and `evaluate` live elsewhere, so no name here is shadowed by a module of the package.
    if name not in _HOME:
        raise AttributeError(f"module 'tellapart' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
