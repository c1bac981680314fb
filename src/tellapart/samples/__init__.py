"""Generated demo data: a bottling line seen by two cameras, as difficult as a real one. See docs/samples.md."""

from tellapart.samples.line import LineVideo, LineVideoOptions
from tellapart.samples.line_frames import LineFrame, line_frames
from tellapart.samples.line_plan import LineSequence, Passage, plan
from tellapart.samples.line_writing import EPISODE_COLUMNS, FRAME_COLUMNS, write_line
from tellapart.samples.photos import LineOptions, SampleImage, bottles, iter_bottles
from tellapart.samples.schedule import FAULTS, SHARES, BottleLine, Variant
from tellapart.samples.writing import TRUTH_COLUMNS, Layout, write_bottles

__all__ = [
    "EPISODE_COLUMNS",
    "FAULTS",
    "FRAME_COLUMNS",
    "SHARES",
    "TRUTH_COLUMNS",
    "BottleLine",
    "Layout",
    "LineFrame",
    "LineOptions",
    "LineSequence",
    "LineVideo",
    "LineVideoOptions",
    "Passage",
    "SampleImage",
    "Variant",
    "bottles",
    "iter_bottles",
    "line_frames",
    "plan",
    "write_bottles",
    "write_line",
]
