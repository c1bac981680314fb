"""Frozen value objects that every room shares."""

from tellapart.records.labels import Label, LabelSchema, Task, guess_positive
from tellapart.records.prediction import Prediction
from tellapart.records.roi import Roi
from tellapart.records.sample import Refusal, Sample

__all__ = ["Label", "LabelSchema", "Prediction", "Refusal", "Roi", "Sample", "Task", "guess_positive"]
