"""Numbers one can trust: metrics with intervals, curves, slices, comparison, heatmaps and the report."""

from tellapart.evaluation.compare import Comparison, McNemar, compare
from tellapart.evaluation.evaluation import ClassMetrics, Evaluation, evaluate, spoken
from tellapart.evaluation.heatmaps import class_activation, overlay
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.report import Background, GalleryItem, write_report
from tellapart.evaluation.scored import Scored, score

__all__ = [
    "Background",
    "ClassMetrics",
    "Comparison",
    "Estimate",
    "Evaluation",
    "GalleryItem",
    "McNemar",
    "Scored",
    "class_activation",
    "compare",
    "evaluate",
    "overlay",
    "score",
    "spoken",
    "write_report",
]
