"""One pre-training from its images to the network that is kept, from its checkpoint where it has one."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.settings.pretraining import Pretraining
from tellapart.training.networks.network import Network

load_lightning()
from lightning.pytorch import LightningModule, Trainer  # noqa: E402
from lightning.pytorch.callbacks import Callback, Checkpoint  # noqa: E402

from tellapart.training.finetune.checkpoints import WHOLE, SafetensorsIO  # noqa: E402
from tellapart.training.selfsup.dino import DinoMethod  # noqa: E402
from tellapart.training.selfsup.history import Epoch  # noqa: E402
from tellapart.training.selfsup.module import Method, PretrainingModule, Watched  # noqa: E402
from tellapart.training.selfsup.monitor import check_spread  # noqa: E402
from tellapart.training.selfsup.simclr import SimClrMethod  # noqa: E402
from tellapart.training.selfsup.views import Images, ViewMaker, local_side  # noqa: E402

Progress = Callable[[str, int, int], None]
Told = Callable[[Sequence[Epoch]], None]


def fit(
    network: Network,
    images: Images,
    watched: Watched,
    options: Pretraining,
    *,
    folder: Path,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = lambda _stage, _done, _total: None,
    told: Told = lambda _history: None,
) -> tuple[Network, list[Epoch]]:
    """Train `network` on images alone; the network to keep, and what was measured before the first and after each epoch.

    A checkpoint in `folder`, written after every epoch, is continued; whether it belongs to the same training the caller
    knows. On one CPU the result is that of a training without a break. `threads` make the views ready. `told` gets the
    history after every epoch.

    Raises:
        TrainingError: `collapsed`, `diverged`, `out_of_memory`, `write_failed`, `job_damaged`.
        SettingsError: `bad_setting` where the network cannot take small views.
    """
    network.head.requires_grad_(False)
    if options.method == "dino" and options.dino.local_views:
        _check_small_views(network, options)
    method = _method(network, options, seed).train()
    spec = PreprocessSpec.parse(network.spec)
    maker = ViewMaker(spec, options, n_local=method.n_local, seed=seed)
    module = PretrainingModule(method, images, maker, watched, options, seed=seed, threads=threads)
    checkpoint = folder / WHOLE
    with _quiet(), _sentences():
        trainer = _trainer(options, [_Steps(progress), _EpochEnd(checkpoint, told)])
        trainer.fit(module, ckpt_path=str(checkpoint) if checkpoint.exists() else None)
    return method.result.eval(), module.history


def _method(network: Network, options: Pretraining, seed: int) -> Method:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if options.method == "simclr":
            return SimClrMethod(network, options)
        return DinoMethod(network, options)


def _check_small_views(network: Network, options: Pretraining) -> None:
    side = local_side(network.size_px, options.dino.local_size)
    try:
        with torch.no_grad():
            network.eval().embed(torch.zeros(1, 3, side, side))
    except (RuntimeError, AssertionError, ValueError) as exc:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"{network.name} cannot take small views of {side} px; use --set dino.local_size=1 for small views of its own "
            "size, or --set dino.local_views=0 for none",
        ) from exc


def _trainer(options: Pretraining, callbacks: list[Callback]) -> Trainer:
    on_gpu = torch.cuda.is_available()
    return Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=1,
        precision=_precision(options.precision, on_gpu=on_gpu),
        max_epochs=options.epochs,
        gradient_clip_val=options.optimizer.clip_norm or None,
        callbacks=callbacks,
        plugins=[SafetensorsIO()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _precision(asked: str, *, on_gpu: bool) -> Any:
    if asked == "auto":
        asked = "bf16" if on_gpu and torch.cuda.is_bf16_supported() else "32"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[asked]


class _Steps(Callback):
    """Tells how far the training is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, PretrainingModule)
        self._progress("pre-training", trainer.global_step, pl_module.n_steps)


class _EpochEnd(Checkpoint):
    """Keeps what there is after every epoch, unless nothing is learned any more.

    A kind of `Checkpoint`, as those are called after the module itself.
    """

    def __init__(self, path: Path, told: Told) -> None:
        self._path, self._told = path, told

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, PretrainingModule)
        self._told(pl_module.history)
        check_spread([(epoch.embeddings, epoch.projections) for epoch in pl_module.history[1:]])
        trainer.save_checkpoint(self._path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning tells of devices and gives advice on loaders that are not its own; what matters is told by the workflow."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _sentences() -> Iterator[None]:
    """What may end a training, as our own exceptions; Ctrl-C, which Lightning turns into an exit, as what it was."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as exc:
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from exc
    except (torch.OutOfMemoryError, MemoryError) as exc:
        raise _out_of_memory() from exc
    except RuntimeError as exc:
        if "can't allocate memory" in str(exc) or "out of memory" in str(exc):
            raise _out_of_memory() from exc
        raise


def _out_of_memory() -> TrainingError:
    message = "the memory does not suffice for a batch; ask for less: a smaller --batch-size or --size, or --set precision=bf16"
    return TrainingError(Reason.OUT_OF_MEMORY, message)
