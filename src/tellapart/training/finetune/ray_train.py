"""A job trained by Ray Train: on this machine, or on the cluster that RAY_ADDRESS names, where all see the job's folder.

    python -m tellapart.training.finetune.ray_train FOLDER PROCESSES

The one home of Ray. A worker that dies is started again with the others, and all go on from the checkpoint.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from tellapart.classifier.cores import available_cores
from tellapart.errors import TellapartError
from tellapart.extras import require
from tellapart.training.finetune.job import Progress, is_over, read_job
from tellapart.training.finetune.messages import Teller
from tellapart.training.finetune.process import end_with_input

RESTARTS = 3
"""How often Ray starts the workers again after one of them died."""

# Ray reports to its makers and starts a server of metrics unless told not to.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_enable_metrics_collection": "0",
}


def main(arguments: list[str]) -> int:
    """Train a job; 0 when its result is written, 1 for an error that was told."""
    folder, processes = Path(arguments[0]).resolve(), int(arguments[1])
    threading.Thread(target=end_with_input, daemon=True).start()
    try:
        read_job(folder)
        _train(folder, processes)
    except TellapartError as error:
        Teller(folder).failed(error)
        return 1
    return 0 if is_over(folder) else 1


def _train(folder: Path, processes: int) -> None:
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    ray = require("ray", extra="ray", feature="training through Ray")
    require("ray.train.torch", extra="ray", feature="training through Ray")
    import torch
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    here = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": max(available_cores(), processes)}
    ray.init(**here, include_dashboard=False, log_to_driver=False, logging_level="error")
    cores = max(1, available_cores() // processes)
    try:
        TorchTrainer(
            work,
            train_loop_config={"folder": str(folder), "threads": cores},
            scaling_config=ScalingConfig(
                num_workers=processes, use_gpu=torch.cuda.is_available(), resources_per_worker={"CPU": cores}
            ),
            run_config=RunConfig(
                name="ray", storage_path=str(folder), failure_config=FailureConfig(max_failures=RESTARTS)
            ),
        ).fit()
    finally:
        ray.shutdown()


def work(config: dict[str, Any]) -> None:
    """What each worker of Ray does: its part of the job in `config["folder"]`, on `config["threads"]` threads."""
    import torch

    from tellapart.backbones.torch_libraries import load_lightning

    load_lightning()
    from ray.train import get_context
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    from tellapart.training.finetune.attempts import fit
    from tellapart.training.finetune.crew import Crew

    torch.set_num_threads(config["threads"])
    folder, context = Path(config["folder"]), get_context()
    teller = Teller(folder)
    crew = Crew(
        context.get_world_rank(),
        context.get_world_size(),
        context.get_local_world_size(),
        {"strategy": RayDDPStrategy(), "plugins": [RayLightningEnvironment()], "devices": "auto"},
    )
    silent: Progress = lambda _stage, _done, _total: None  # noqa: E731
    try:
        fit(folder, read_job(folder), teller if crew.leads else silent, crew=crew)
    except TellapartError as error:
        # Told, not raised: what is wrong with the job would be wrong the next time too.
        teller.failed(error)


if __name__ == "__main__":
    from tellapart.training.finetune import ray_train

    sys.exit(ray_train.main(sys.argv[1:]))
