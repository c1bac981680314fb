"""Dynamic models for tests, trained once per process on generated images with the tiny backbone."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import quick_train, workbench

COLOURS = {"blue": 12, "green": 12, "red": 12}


@functools.cache
def photos() -> Path:
    """Class folders of `COLOURS`; never written to by a test."""
    return write_folders(workbench() / "dynamic-photos", COLOURS)


@functools.cache
def _trained() -> Path:
    quick_train(photos(), output=workbench() / "dynamic", method="dynamic")
    return workbench() / "dynamic"


@functools.cache
def _trained_of_two() -> Path:
    data = write_folders(workbench() / "two-photos", {"bad": 12, "good": 12})
    quick_train(data, output=workbench() / "two", method="dynamic")
    return workbench() / "two"


def dynamic_model(folder: Path, name: str = "colours") -> Path:
    """A dynamic model of blue, green and red below a test's own folder."""
    return Path(shutil.copytree(_trained(), folder / name))


def model_of_two(folder: Path) -> Path:
    """A dynamic binary model of bad (class picture 0) and good (1)."""
    return Path(shutil.copytree(_trained_of_two(), folder / "two"))


def more_images(root: Path, classes: Mapping[str, tuple[int, int]], *, first: int = 100) -> Path:
    """`root/<name>/*`: of each name so many pictures of a class index, which no model of these tests has seen."""
    for name, (index, count) in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            data = png_bytes(class_picture(index, first + number))
            (root / name / f"{number:04d}.png").write_bytes(data)
    return root
