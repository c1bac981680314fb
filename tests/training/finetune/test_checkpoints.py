"""Checkpoints as one safetensors file: what goes in comes out, with its types and the way its memory lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tellapart.errors import Reason, TrainingError  # noqa: E402
from tellapart.training.finetune.checkpoints import (  # noqa: E402
    PLACE,
    WHOLE,
    WITHIN,
    SafetensorsIO,
    latest,
    read_checkpoint,
)


def saved(folder: Path, name: str = WHOLE, steps: int = 0, **content: Any) -> dict[str, Any]:
    """What comes out of a checkpoint with this content."""
    SafetensorsIO().save_checkpoint({PLACE: {"steps": steps}, **content}, folder / name)
    return read_checkpoint(folder / name)


def test_types_and_keys_come_back(tmp_path: Path) -> None:
    content = {
        "state": {0: {"step": torch.tensor(3.0)}, 1: {}}, "betas": (0.9, 0.999), "none": None, "flags": [True, 2, 2.5, "x"],
        "infinite": float("inf"), "counts": np.int64(4),
    }  # fmt: skip
    found = saved(tmp_path, **content)
    assert found["state"][0]["step"].item() == 3.0
    assert (found["betas"], found["none"], found["flags"]) == ((0.9, 0.999), None, [True, 2, 2.5, "x"])
    assert (found["infinite"], found["counts"], list(found["state"])) == (float("inf"), 4, [0, 1])


def test_memory_lies_as_it_did(tmp_path: Path) -> None:
    last = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    found = saved(tmp_path, last=last, turned=torch.arange(6).reshape(2, 3).T, half=torch.rand(3).bfloat16())
    assert torch.equal(found["last"], last)
    assert found["last"].stride() == last.stride()
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["half"].dtype == torch.bfloat16


def test_shared_memory_is_written_twice(tmp_path: Path) -> None:
    whole = torch.arange(8.0)
    found = saved(tmp_path, a=whole, b=whole, part=whole[2:4])
    assert torch.equal(found["a"], found["b"])
    assert found["part"].tolist() == [2.0, 3.0]


def test_the_one_further_along_is_the_latest(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    saved(tmp_path, WHOLE, 30)
    saved(tmp_path, WITHIN, 35)
    assert latest(tmp_path) == tmp_path / WITHIN
    saved(tmp_path, WHOLE, 40)
    assert latest(tmp_path) == tmp_path / WHOLE
    (tmp_path / WHOLE).write_bytes(b"damaged")
    assert latest(tmp_path) == tmp_path / WITHIN


def test_what_is_no_plain_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^a checkpoint cannot hold /callbacks/0, object$"):
        saved(tmp_path, callbacks=[object()])
    assert not list(tmp_path.iterdir())


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(TrainingError, match=r"is damaged \(") as caught:
        read_checkpoint(tmp_path / "a.safetensors")
    assert caught.value.reason is Reason.JOB_DAMAGED
