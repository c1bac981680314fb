"""Heads: from embeddings to calibrated probabilities, answers and an out-of-distribution score. Arrays only."""

from tellapart.heads.aims import Aim, CostTable
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.linear import LinearHead, fit_linear
from tellapart.heads.ood import OodDetector
from tellapart.heads.protocol import Head, HeadKind, head_kind, heads, register_head
from tellapart.heads.selection import Selection, select_regularisation
from tellapart.heads.thresholds import Thresholds, apply_thresholds, decide, fit_thresholds

__all__ = [
    "Aim",
    "Calibration",
    "CostTable",
    "Head",
    "HeadKind",
    "LinearHead",
    "OodDetector",
    "Selection",
    "Thresholds",
    "apply_thresholds",
    "decide",
    "fit_calibration",
    "fit_linear",
    "fit_thresholds",
    "head_kind",
    "heads",
    "register_head",
    "select_regularisation",
]
