"""Generated demo data: a bottling line seen by two cameras, as difficult as a real one. See docs/samples.md."""

from tellapart.samples.photos import LineOptions, SampleImage, bottles, iter_bottles
from tellapart.samples.schedule import FAULTS, SHARES, BottleLine, Variant
from tellapart.samples.writing import TRUTH_COLUMNS, Layout, write_bottles

__all__ = [
    "FAULTS",
    "SHARES",
    "TRUTH_COLUMNS",
    "BottleLine",
    "Layout",
    "LineOptions",
    "SampleImage",
    "Variant",
    "bottles",
    "iter_bottles",
    "write_bottles",
]
