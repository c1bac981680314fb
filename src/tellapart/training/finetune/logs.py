"""What a training leaves to read: history.csv always, TensorBoard and MLflow where asked for, and Lightning's chatter never."""

from __future__ import annotations

import csv
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.errors import Reason, SettingsError
from tellapart.extras import require
from tellapart.files import replacing
from tellapart.training.finetune.job import Job

HISTORY = "history.csv"
_EXPERIMENT = "tellapart"

Rows = list[dict[str, float | str | None]]
Told = Callable[[Rows], None]
"""Receives the whole history after every epoch."""


def write_history(folder: Path, rows: Rows) -> None:
    """history.csv: a row per epoch, a column for everything that any epoch has; numbers with 6 digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(folder / HISTORY) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({name: _short(value) for name, value in row.items()} for row in rows)


def trackers(folder: Path, job: Job) -> list[Told]:
    """What the recipe wants told beside history.csv. Epochs that were told before a resumption are not told again.

    Raises:
        MissingExtra: without TensorBoard or MLflow.
        SettingsError: `bad_setting` for a tracking URI that cannot be used.
    """
    load_lightning()
    found: list[Told] = []
    if job.finetune.tensorboard:
        require("tensorboard", extra="train", feature="TensorBoard's log")
        from lightning.pytorch.loggers import TensorBoardLogger

        found.append(_Tracker(TensorBoardLogger(folder, name="tensorboard", version=""), folder / "tensorboard.told"))
    if job.finetune.mlflow:
        found.append(_Tracker(_mlflow(folder, job), folder / "mlflow.told"))
    return found


class _Tracker:
    def __init__(self, logger: Any, told: Path) -> None:
        self._logger, self._file = logger, told

    def __call__(self, rows: Rows) -> None:
        before = int(self._file.read_text()) if self._file.exists() else 0
        for row in rows[before:]:
            numbers = {name: float(value) for name, value in row.items() if isinstance(value, int | float)}
            self._logger.log_metrics(numbers, step=int(numbers["epoch"]))
        self._logger.save()
        with replacing(self._file) as temporary:
            temporary.write_text(str(len(rows)))


def _mlflow(folder: Path, job: Job) -> Any:
    """A logger of the run whose id the folder remembers, or of a new one with the recipe as its parameters."""
    # MLflow reports to its makers unless told not to, from its import on.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    require("mlflow", extra="mlflow", feature="tracking by MLflow")
    from lightning.pytorch.loggers import MLFlowLogger

    remembered = folder / "mlflow.run"
    run_id = remembered.read_text(encoding="utf-8") if remembered.exists() else None
    try:
        logger = MLFlowLogger(_EXPERIMENT, tracking_uri=job.finetune.mlflow, run_id=run_id)
        if run_id is None:
            logger.log_hyperparams(dict(_flat(job.model_dump(mode="json"))))
            with replacing(remembered) as temporary:
                temporary.write_text(str(logger.run_id), encoding="utf-8")
    except Exception as exc:  # MLflow's stores raise whatever their databases and servers do
        message = f"MLflow cannot track to {job.finetune.mlflow!r}: {str(exc).splitlines()[0]}"
        raise SettingsError(Reason.BAD_SETTING, message) from exc
    return logger


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict):
            yield from _flat(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning's tips, summaries and warnings unsaid: what a person should know, the training says itself."""
    names = ("lightning", "lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in (*names, "torch.distributed", "mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(lightning|torch|mlflow|tensorboard)(\.|$)")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _short(value: float | str | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
