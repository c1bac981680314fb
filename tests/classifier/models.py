"""Models for tests, trained once per process on a few generated images with the tiny backbone."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.builders import write_folders
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.storage import load
from tellapart.workflows.train import train

CLASSES = {"blue": 10, "green": 10, "red": 10}


@functools.cache
def workbench() -> Path:
    """A folder that lives as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="tellapart-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def backbone_file(spec: str = "decode|upright|fit(32)") -> Path:
    """The tiny backbone as a file, as `--backbone` takes it."""
    path = workbench() / f"tiny-{abs(hash(spec)):x}.onnx"
    path.write_bytes(tiny_backbone_bytes(spec=spec))
    return path


@functools.cache
def tiny_backbone() -> OnnxBackbone:
    """The tiny backbone, opened once."""
    return OnnxBackbone.open(tiny_backbone_bytes())


@functools.cache
def photos() -> Path:
    """Class folders with `CLASSES`; never written to by a test."""
    return write_folders(workbench() / "photos", CLASSES)


@functools.cache
def model_folder() -> Path:
    """A model of the photos, saved as a folder; never written to by a test."""
    quick_train(photos(), output=workbench() / "colours")
    return workbench() / "colours"


@functools.cache
def model() -> Classifier:
    """The same model, loaded."""
    return load(model_folder())


def own_copy(folder: Path) -> Path:
    """The model folder again, below a test's own folder, to be damaged at will."""
    return Path(shutil.copytree(model_folder(), folder / "colours"))


def quick_train(data: Any, **options: Any) -> Classifier:
    """`train` with the tiny backbone and few golden images."""
    return train(data, **{"backbone": backbone_file(), "golden": 3, "workers": 2, **options})
