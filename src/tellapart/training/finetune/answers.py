"""What a trained network answers for the images that it is validated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.errors import Reason, TrainingError
from tellapart.records import Task
from tellapart.training.finetune.crew import Crew
from tellapart.training.finetune.job import read_job
from tellapart.training.finetune.materials import Materials
from tellapart.training.finetune.trained import trained_network


def validation_answers(folder: Path) -> NDArray[np.float32]:
    """Probabilities float32 (n_val, k) by the best weights of a job that is over, in the order of its images.

    They are not calibrated: the likeliest class and the order of images are right, how sure they are is not.

    Raises:
        TrainingError: `job_damaged` without validation images, and as `trained_network`.
    """
    job = read_job(folder)
    images = Materials(folder, job, Crew(), 1).validation
    if images is None:
        raise TrainingError(Reason.JOB_DAMAGED, f"the job in {folder} has no images to validate on")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = trained_network(folder, job).to(device)
    with torch.inference_mode():
        logits = [network(network.normalise(batch.pixels.to(device))).float().cpu() for batch in images]
    whole = torch.cat(logits)
    probabilities = whole.sigmoid() if job.task is Task.MULTILABEL else whole.softmax(dim=1)
    answers: NDArray[np.float32] = probabilities.numpy().astype(np.float32)
    return answers
