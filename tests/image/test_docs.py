"""The pages on images say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.sniff import FORMATS
from tellapart.image.spec_text import _READERS
from tellapart.image.types import DecodeLimits

DOCS = Path(__file__).parents[2] / "docs"
PREPROCESSING = (DOCS / "preprocessing.md").read_text(encoding="utf-8")
IMAGES = (DOCS / "images.md").read_text(encoding="utf-8")


def test_every_step_has_a_row() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PREPROCESSING, re.MULTILINE) == list(_READERS)


def test_every_written_spec_is_canonical() -> None:
    written = re.findall(r"^    (decode\S+)$", PREPROCESSING, re.MULTILINE)
    assert len(written) >= 6
    assert [str(PreprocessSpec.parse(text)) for text in written] == written


def test_every_format_has_a_row() -> None:
    assert re.findall(r"^\| ([A-Z]\w+) \|", IMAGES, re.MULTILINE) == list(FORMATS)


def test_the_ceilings_are_the_defaults() -> None:
    assert re.findall(r"^\| `(max_\w+)` \|", IMAGES, re.MULTILINE) == list(DecodeLimits.__dataclass_fields__)
    assert DecodeLimits() == DecodeLimits(256 * 2**20, 250_000_000, 10_000)
