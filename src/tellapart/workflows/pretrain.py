"""From images without labels to a backbone of the user's own: read, train, prove, write."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.backbones.registry import load_backbone
from tellapart.backbones.store import Store
from tellapart.classifier.cores import available_cores
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason, SettingsError, TrainingError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.records import Task
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.pretrain_images import Collected, again, collect, kept_images
from tellapart.workflows.pretrain_result import Pretrained
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.run_folder import RunFolder

if TYPE_CHECKING:
    from tellapart.settings.pretraining import Pretraining
    from tellapart.training.networks.network import Network
    from tellapart.training.selfsup.history import Epoch
    from tellapart.training.selfsup.module import Watched

FEW = 50
"""Below so many images nobody should expect anything."""
_LEAST = 8
_WATCHED = 512
_METHODS = {"simclr": "SimCLR", "dino": "DINO"}


def pretrain(
    data: Dataset | str | Path,
    *,
    output: str | Path,
    options: Pretraining | Mapping[str, Any] | None = None,
    store: Store | None = None,
    resume: bool = False,
    restart: bool = False,
    seed: int = 0,
    workers: int = 0,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
    announce: Callable[[str], None] = lambda _line: None,
) -> Pretrained:
    """Train a backbone on images alone and write it to `output` (.onnx), its weights beside it (.safetensors).

    Labels are not learned from; where every image has one, they tell after each epoch how many images have neighbours of
    their own kind. What a run keeps lies in `<output>.run`: after a kill `resume` goes on from the last whole
    epoch, `restart` throws an unfinished run away. `store` is where added backbones are kept. `announce` gets sentences as
    they come up.

    Raises:
        DataError, TrainingError, SettingsError, BackboneError, MissingExtra: each with its reason code.
    """
    from tellapart.settings.pretraining import Pretraining

    chosen = options if isinstance(options, Pretraining) else Pretraining.model_validate(options or {})
    target = checked_output(output)
    run = RunFolder(target.with_name(f"{target.name}.run"))
    run.check(resume=resume, restart=restart)
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    work = _Work(dataset, chosen, target, run, store, seed, workers or available_cores(), limits, progress, announce)
    with run.alone():
        return work.done(resume=resume)


def checked_output(output: str | Path) -> Path:
    """The path of the backbone to write.

    Raises:
        SettingsError: `bad_setting` where its name does not end in .onnx.
        DataError: `write_failed` where its folder is missing.
    """
    path = Path(output)
    if path.suffix != ".onnx":
        message = f"a backbone is written to a file whose name ends in .onnx, got {str(path)!r}"
        raise SettingsError(Reason.BAD_SETTING, message)
    if not path.parent.is_dir():
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: there is no folder {path.parent}")
    return path


@dataclass(frozen=True, slots=True)
class _Work:
    dataset: Dataset
    options: Pretraining
    output: Path
    run: RunFolder
    store: Store | None
    seed: int
    workers: int
    limits: DecodeLimits
    progress: Progress
    announce: Callable[[str], None]

    def done(self, *, resume: bool) -> Pretrained:
        started = time.monotonic()
        network = self._network()
        self._say_if_unwritable(network)
        images = self._images(PreprocessSpec.parse(network.spec), resume=resume)
        kept, history = self._fit(network, images)
        named = self._write(kept, images)
        self.run.finish()
        return Pretrained(
            output=self.output,
            source=named.source,
            licence=named.licence,
            preprocess=named.spec,
            n_images=len(images.rows),
            refusals=(*self.dataset.refusals, *images.refusals),
            fingerprint=images.fingerprint,
            history=tuple(history),
            seconds=round(time.monotonic() - started, 1),
        )

    def _network(self) -> Network:
        from tellapart.training.networks.build import build_network

        wanted = self.options
        size = wanted.size
        if size is None and wanted.backbone == "builtin":
            size = max(own_spec(load_backbone("builtin"), self.dataset, self.limits).size)
        return build_network(
            wanted.backbone,
            n_classes=2,
            size=size,
            start=wanted.start,
            store=self.store,
            seed=self.seed,
            announce=self.announce,
        )

    def _say_if_unwritable(self, network: Network) -> None:
        """Before the hours are spent: whether a network can be written does not depend on what it learned."""
        from tellapart.training.networks.export import canonical_bytes

        canonical_bytes(network, self.output.stem)

    def _images(self, spec: PreprocessSpec, *, resume: bool) -> Collected:
        asked = {**self.options.model_dump(mode="json"), "seed": self.seed, "spec": str(spec)}
        found = again(self.dataset, self.run.job, asked) if resume else None
        if found is None:
            self.run.begin(resume=False)
            found = collect(self.dataset, spec, self.run.job, asked, self.limits, self.workers, self.progress)
        self._check_number(len(found.rows))
        return found

    def _check_number(self, n: int) -> None:
        if n < _LEAST:
            self.run.finish()
            with contextlib.suppress(OSError):  # what else lies there is not ours
                self.run.path.rmdir()
            raise TrainingError(
                Reason.TOO_FEW_IMAGES,
                f"{n} images are too few to tell them apart from each other; {_LEAST} are the least",
            )
        if n < FEW:
            self.announce(
                f"{n} images are very few: a pre-training on fewer than {FEW} will hardly help; a thousand or more is "
                "what it is for"
            )

    def _fit(self, network: Network, images: Collected) -> tuple[Network, list[Epoch]]:
        from tellapart.training.selfsup.fit import fit

        try:
            return fit(
                network,
                kept_images(self.run.job),
                watched(self.dataset.subset(list(images.rows)), self.seed),
                self.options,
                folder=self.run.job,
                seed=self.seed,
                threads=self.workers,
                progress=self.progress,
                told=self._keep,
            )
        except TrainingError as exc:
            if exc.reason in (Reason.COLLAPSED, Reason.DIVERGED):
                self.run.finish()  # nothing to go on with; the curves stay
            raise

    def _keep(self, history: Any) -> None:
        from tellapart.training.selfsup.curves import curves
        from tellapart.training.selfsup.history import as_csv

        self.run.keep("history.csv", as_csv(history).encode())
        self.run.keep("curves.svg", curves(history).encode())

    def _write(self, network: Network, images: Collected) -> Network:
        from tellapart.training.networks.continued import save_continued
        from tellapart.training.networks.export import canonical_bytes

        self.progress("writing the backbone", 0, 0)
        facts, wanted = network.facts, self.options
        begun = f"fresh weights of {facts.name}" if wanted.start == "scratch" else f"{facts.name} ({facts.source})"
        source = f"pre-trained by {_METHODS[wanted.method]} on {len(images.rows):,} images, starting from {begun}"
        network.facts = replace(facts, source=source, origin_sha256="")
        notes = f"{wanted.epochs} epochs; images by sha256 {images.fingerprint}; seed {self.seed}"
        save_continued(network, self.output, canonical_bytes(network, self.output.stem, notes=notes))
        return network


def watched(dataset: Dataset, seed: int) -> Watched:
    """Up to 512 images, drawn once: labelled ones where the folder holds one label of two or more for each of them."""
    from tellapart.training.selfsup.module import Watched

    schema = dataset.schema
    telling = schema is not None and schema.task is not Task.MULTILABEL and len(schema.names) > 1
    known = np.flatnonzero(dataset.labelled) if telling else np.arange(len(dataset))
    if len(known) < 2:
        telling, known = False, np.arange(len(dataset))
    rows = np.sort(np.random.default_rng(seed).permutation(known)[:_WATCHED])
    shown = dataset.subset(rows)
    labels = [(sample.labels or ("",))[0] for sample in shown.samples]
    classes = np.unique(labels, return_inverse=True)[1].astype(np.int64) if telling else None
    names = [f"{row}" if group is None else f"group {group}" for row, group in zip(rows, shown.groups, strict=True)]
    groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return Watched(rows.astype(np.int64), classes, groups)
