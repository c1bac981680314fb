"""Save and load: the model folder of the design, checksummed, written in one step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.classifier.ahead import BackboneAhead
from tellapart.classifier.card import ModelCard
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.enclosures import REFERENCE, Enclosures
from tellapart.classifier.folder import CARD, ModelFiles, check_file, open_files, write_model
from tellapart.classifier.head_file import head_from_bytes, head_to_bytes, kinds_of
from tellapart.errors import ModelError, Reason, SpecError
from tellapart.heads.thresholds import Thresholds
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits

BACKBONE, HEAD = "backbone.onnx", "head.safetensors"
_Read = TypeVar("_Read")
# Between two readings of a model that is being replaced nobody replaces it this often.
_READINGS = 5


def save(classifier: Classifier, path: str | Path, *, replaces: bytes | None = None) -> Classifier:
    """Write a model folder, or one .zip; returns the classifier with its final card.

    `replaces` is the model.json of the model at `path` that this one was made from.

    Raises:
        ModelError: `output_exists`, `write_failed`, `model_changed` where another than `replaces` lies there by now. An
            older model at `path` is replaced in one step.
    """
    contents = {
        BACKBONE: classifier.backbone.onnx_bytes(),
        HEAD: head_to_bytes(classifier.head, classifier.ood),
        **classifier.enclosures.files(),
    }
    checksums = {name: sha256(data).hexdigest() for name, data in contents.items()}
    saved = replace(classifier.with_card(files=checksums), location=str(path))
    write_model(path, {CARD: saved.card.to_bytes(), **contents}, replaces=replaces)
    return saved


def load(
    path: str | Path,
    *,
    threads: int = 1,
    provider: str = "cpu",
    limits: DecodeLimits | None = None,
    ahead: BackboneAhead | None = None,
) -> Classifier:
    """Open a model folder or .zip.

    `threads` are those of one inference: 1 when workers share the cores (`predict` on many images), all cores for
    single requests. `provider` is as for `OnnxBackbone.open`. `ahead` may be opening this model's backbone already.

    Raises:
        ModelError: `model_not_found`, `model_incomplete`, `model_damaged`, `model_too_new`.
    """
    return _steadily(path, lambda again: _loaded(path, threads, provider, limits, None if again else ahead))


def _loaded(
    path: str | Path, threads: int, provider: str, limits: DecodeLimits | None, ahead: BackboneAhead | None
) -> Classifier:
    files = open_files(path)
    card = ModelCard.from_bytes(files.read(CARD), location=files.location)
    for name in (BACKBONE, HEAD):
        if name not in card.files:
            raise ModelError(
                Reason.MODEL_INCOMPLETE, f"the model {files.location} does not list its file {name}; train it again"
            )
    check_file(files, HEAD, card.files[HEAD])
    head, ood = head_from_bytes(files.read(HEAD), card.schema.task, **kinds_of(card))
    return Classifier(
        card=card,
        spec=_spec(card, files.location),
        backbone=_checked(_opened(files, threads, provider, ahead), card, files.location),
        head=head,
        thresholds=Thresholds.from_json(card.thresholds),
        ood=ood,
        limits=limits or DecodeLimits(),
        location=str(path),
    )


def read_card(path: str | Path) -> ModelCard:
    """The card alone, without opening the network.

    Raises:
        ModelError: `model_not_found`, `model_incomplete`, `model_damaged`, `model_too_new`.
    """
    files = open_files(path)
    return ModelCard.from_bytes(files.read(CARD), location=files.location)


def read_reference(path: str | Path) -> bytes:
    """reference.parquet of a saved model, b"" when it has none.

    Raises:
        ModelError: also when this file, and only this, is damaged.
    """
    return _steadily(path, lambda _: _reference(path))


def _reference(path: str | Path) -> bytes:
    files = open_files(path)
    card = ModelCard.from_bytes(files.read(CARD), location=files.location)
    if REFERENCE not in card.files:
        return b""
    check_file(files, REFERENCE, card.files[REFERENCE])
    return files.read(REFERENCE)


def load_enclosures(path: str | Path) -> Enclosures:
    """Golden set, reference, evaluation and report of a saved model, each checked against its checksum."""
    return _steadily(path, lambda _: _enclosures(path))


def _enclosures(path: str | Path) -> Enclosures:
    files = open_files(path)
    card = ModelCard.from_bytes(files.read(CARD), location=files.location)
    contents = {}
    for name, checksum in card.files.items():
        if name not in (BACKBONE, HEAD):
            check_file(files, name, checksum)
            contents[name] = files.read(name)
    return Enclosures.from_files(contents)


def check_all(path: str | Path) -> int:
    """Check every file of a model against the card; returns how many files there are.

    Raises:
        ModelError: `model_incomplete`, `model_damaged`; also for a file that the card does not know.
    """
    return _steadily(path, lambda _: _checked_files(path))


def _checked_files(path: str | Path) -> int:
    files = open_files(path)
    card = ModelCard.from_bytes(files.read(CARD), location=files.location)
    for name, checksum in card.files.items():
        check_file(files, name, checksum)
    strangers = sorted(files.names() - set(card.files) - {CARD})
    if strangers:
        raise ModelError(
            Reason.MODEL_DAMAGED,
            f"the model {files.location} holds files its card does not know: {', '.join(strangers)}; remove them",
        )
    return len(card.files) + 1


def _steadily(path: str | Path, read: Callable[[bool], _Read]) -> _Read:
    """What `read` makes of a model that another process may replace while it is read: the old one or the new one.

    A folder is replaced as a whole, but read file by file: after half of them the rest may be another model's. Then all of
    it is read again. `read` is told whether it reads again.
    """
    for turn in range(_READINGS):
        before = _mark(path)
        try:
            return read(turn > 0)
        except ModelError:
            if turn == _READINGS - 1 or _mark(path) == before:
                raise
    raise AssertionError("the last reading returns or raises")


def _mark(path: str | Path) -> tuple[int, int] | None:
    """What tells a model.json from the one that takes its place, be it of the same bytes."""
    path = Path(path)
    try:
        found = os.stat(path if path.is_file() else path / CARD)
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def _opened(files: ModelFiles, threads: int, provider: str, ahead: BackboneAhead | None) -> OnnxBackbone:
    opened = ahead.result() if ahead is not None else None
    if opened is not None:
        return opened
    path = files.path(BACKBONE)
    if path is not None and not path.is_file():
        files.read(BACKBONE)  # says that it is missing
    return OnnxBackbone.open(path or files.read(BACKBONE), threads=threads, provider=provider)


def _checked(backbone: OnnxBackbone, card: ModelCard, location: str) -> OnnxBackbone:
    # The backbone hashes its bytes anyway; a second pass over them would be felt in the time of a single image.
    if backbone.sha256 != card.files[BACKBONE]:
        raise ModelError(
            Reason.MODEL_DAMAGED,
            f"the model {location} is damaged: {BACKBONE} is not the file that was saved (its sha256 differs); "
            "copy it again",
        )
    return backbone


def _spec(card: ModelCard, location: str) -> PreprocessSpec:
    try:
        spec = PreprocessSpec.parse(card.preprocess)
    except SpecError as exc:
        raise ModelError(
            Reason.MODEL_DAMAGED, f"the model {location} is damaged: its preprocess string cannot be read: {exc}"
        ) from exc
    if spec.hash != card.preprocess_hash:
        raise ModelError(
            Reason.MODEL_TOO_NEW,
            f"the model {location} was trained with another preprocessing than this tellapart applies for "
            f"{card.preprocess!r}: use the version in model.json, or train it again",
        )
    return spec
