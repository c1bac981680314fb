"""A model whose classes are about to change: opened whole, held against others, written as its next version."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tellapart.classifier.card import ModelCard
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.enclosures import Enclosures
from tellapart.classifier.folder import CARD, clear_abandoned, open_files
from tellapart.classifier.storage import HEAD, load, load_enclosures, read_card, save
from tellapart.errors import ModelError, Reason
from tellapart.files import holding
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.image.types import DecodeLimits
from tellapart.training.class_file import CLASSES, from_bytes
from tellapart.workflows.classes.history import HISTORY, History
from tellapart.workflows.classes.rows import Rows

_OPENINGS = 5


@dataclass(frozen=True, eq=False)
class Live:
    """A model as it lies on disk: `files` are all of its files but the backbone, its model.json among them."""

    path: Path
    classifier: Classifier
    files: dict[str, bytes]

    @cached_property
    def rows(self) -> Rows:
        """The images it remembers."""
        return Rows.read(self.classifier.enclosures.reference)

    @cached_property
    def history(self) -> History:
        """Of its classes; begun here where they were never changed."""
        return history_of(self.path, self.classifier.card, self.files)

    @cached_property
    def statistics(self) -> ClassStatistics:
        """Of its classes.

        Raises:
            ModelError: `classes_fixed` for a model that has none, `model_damaged`.
        """
        self.check_dynamic()
        return from_bytes(self.files[CLASSES])

    def check_dynamic(self) -> None:
        """Raise `ModelError` (`classes_fixed`) for a model whose classes can only be renamed."""
        if CLASSES not in self.files:
            raise ModelError(
                Reason.CLASSES_FIXED,
                f"the classes of {self.path} can be renamed and nothing else, for it keeps no class statistics: train it "
                "again with `tellapart train DATA --method dynamic`",
            )

    def written(self, classifier: Classifier) -> Classifier:
        """Put `classifier` in its place, unless another model lies there by now."""
        return save(classifier, real_path(self.path), replaces=self.files[CARD])


def opened(model: str | Path, *, provider: str = "cpu", limits: DecodeLimits | None = None) -> Live:
    """Open a model with all of its files, each checked.

    Raises:
        ModelError: as `load`; `model_changed` when it is replaced again and again meanwhile.
    """
    path = real_path(model)
    for _ in range(_OPENINGS):
        card = open_files(path).read(CARD)
        classifier = load(path, provider=provider, limits=limits)
        enclosures = load_enclosures(path)
        files = {CARD: card, HEAD: open_files(path).read(HEAD), **enclosures.files()}
        if open_files(path).read(CARD) == card:
            return Live(Path(model), classifier.enclosing(enclosures), files)
    raise _again_and_again(model)


def read_whole(model: str | Path) -> tuple[ModelCard, Enclosures]:
    """The card of a model and what lies beside it, both of one version; the network is not opened.

    Raises:
        ModelError: as `opened`.
    """
    for _ in range(_OPENINGS):
        card, enclosures = read_card(model), load_enclosures(model)
        if read_card(model) == card:
            return card, enclosures
    raise _again_and_again(model)


def history_of(model: str | Path, card: ModelCard, files: Mapping[str, bytes]) -> History:
    """Of a model's classes; begun here where they were never changed."""
    if HISTORY in files:
        return History.from_bytes(files[HISTORY], location=str(model))
    return History.begun(card, n_images=int(card.data.get("used", 0)))


def _again_and_again(model: str | Path) -> ModelError:
    message = f"the model {model} is being replaced again and again; run the command again when that is over"
    return ModelError(Reason.MODEL_CHANGED, message)


@contextmanager
def alone(model: str | Path) -> Iterator[None]:
    """Nobody else changes the classes of this model within the block.

    Raises:
        ModelError: `model_in_use` while another process does, `write_failed` where nothing can be written.
    """
    path = real_path(model)
    open_files(path)  # where there is no model, this is what is to be told
    with ExitStack() as lock:
        try:
            lock.enter_context(holding(path.parent / f".{path.name}.lock"))
        except BlockingIOError as exc:
            raise ModelError(
                Reason.MODEL_IN_USE,
                f"another process is changing the classes of {model}; wait until it is done, then run the command again",
            ) from exc
        except OSError as exc:
            raise ModelError(
                Reason.WRITE_FAILED, f"the model cannot be written to {model}: {exc.strerror or exc}"
            ) from exc
        clear_abandoned(path)
        yield


def real_path(model: str | Path) -> Path:
    """Where a model lies, whatever links lead there: it is replaced, not the link."""
    return Path(os.path.realpath(model))
