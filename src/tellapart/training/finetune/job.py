"""A training of a network as a folder, which any process can take up and which survives every end of a process.

job.json              what is to be trained; written last: a folder without it is incomplete
pixels.bin, .npy      the decoded images, first those to learn from, then those to validate on
targets.npy           float32 (n, k), in the same order
head.npz              optional: weight (d, k) and bias (k,) that the head starts from
teacher.npy           float32 (n_train, k), with distillation: the logits of the teacher
checkpoint*           where the training is; see `checkpoints`
weights.safetensors   the best weights so far
history.csv           a row per epoch
result.json           written last: the training is over

`python -m tellapart.training.finetune.job FOLDER` trains it in a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tellapart.training.finetune.collecting import write_job
from tellapart.training.finetune.job_files import (
    HEAD,
    Ended,
    Job,
    JobResult,
    Labelled,
    OnEpoch,
    Progress,
    is_over,
    read_job,
    read_result,
    write_result,
)

__all__ = [
    "HEAD",
    "Ended",
    "Job",
    "JobResult",
    "Labelled",
    "OnEpoch",
    "Progress",
    "is_over",
    "read_job",
    "read_result",
    "run_job",
    "write_job",
    "write_result",
]


def run_job(
    folder: Path,
    progress: Progress = lambda _stage, _done, _total: None,
    *,
    on_epoch: OnEpoch | None = None,
) -> JobResult:
    """Train a job in this process, from its checkpoint where it has one, and return how it went.

    Raises:
        TrainingError: `job_damaged`, `diverged` (before the first epoch was over), `out_of_memory`, `write_failed`.
        MissingExtra: without torch, timm or Lightning.
    """
    job = read_job(folder)
    finished = read_result(folder)
    if finished is not None:
        return finished
    from tellapart.training.finetune.attempts import fit

    return fit(folder, job, progress, on_epoch=on_epoch)


if __name__ == "__main__":
    from tellapart.training.finetune.process import main

    sys.exit(main(sys.argv[1:]))
