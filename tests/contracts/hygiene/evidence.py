"""Data sets made in memory for the contract of checks: no file is read, every fact is as given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.protocol import Evidence
from tellapart.image.quality import FIELDS
from tellapart.records import Sample
from tellapart.workflows.fitting import schema_of

_TYPICAL = {"brightness": 0.5, "contrast": 0.2, "sharpness": 0.01, "saturation": 0.3, "width_px": 640, "height_px": 480}
_SIDE_PX = 64


def samples(n: int, names: Sequence[str] = ("bad", "good"), **facts: Any) -> list[Sample]:
    """n images with ids of their own, the labels in turn; `facts` are further fields of every sample."""
    return [
        Sample(uri=f"{names[i % len(names)]}/{i:05}.png", id=f"{i:064x}", labels=(names[i % len(names)],), **facts)
        for i in range(n)
    ]


def evidence(chosen: Sequence[Sample], *, seed: int = 0, task: str | None = None, **parts: Any) -> Evidence:
    """Evidence on samples: ordinary statistics and unrelated thumbnails unless `parts` say otherwise."""
    dataset = Dataset.from_samples(chosen, **({} if task is None else {"task": task}))
    schema = schema_of(dataset)
    rng = np.random.default_rng(seed)
    typical = np.array([_TYPICAL[name] for name in FIELDS], np.float32)
    spread = np.where(typical >= 1, 0, typical * 0.15).astype(np.float32)
    facts: dict[str, Any] = {
        "statistics": typical + spread * rng.normal(size=(len(dataset), len(FIELDS))).astype(np.float32),
        "thumbnails": rng.integers(0, 256, (len(dataset), _SIDE_PX, _SIDE_PX), np.uint8),
    }
    return Evidence(dataset, schema, dataset.label_matrix(schema), **{**facts, **parts})
