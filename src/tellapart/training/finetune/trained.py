"""The network that a job left behind."""

from __future__ import annotations

from pathlib import Path

from tellapart.backbones.store import Store
from tellapart.training.finetune.job import Job
from tellapart.training.networks.build import build_network
from tellapart.training.networks.network import Network
from tellapart.training.networks.tuning import choose_trainable
from tellapart.training.networks.weights import load_weights


def trained_network(folder: Path, job: Job) -> Network:
    """The job's network with its best weights, in evaluation mode.

    Raises:
        ModelError: `model_not_found`, `model_damaged` where the weights are missing or not this network's.
        BackboneError, SettingsError, MissingExtra: as `build_network`.
    """
    network = build_network(
        job.network,
        n_classes=job.n_classes,
        size=job.size,
        start=job.finetune.start,
        store=None if job.store is None else Store(job.store),
        seed=job.seed,
    )
    if job.finetune.tune == "lora":
        choose_trainable(network, job.finetune)  # its adapters are among the weights
    load_weights(network, folder / "weights.safetensors")
    network.eval()
    return network
