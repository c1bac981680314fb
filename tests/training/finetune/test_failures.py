"""What ends a training, and what does not: full disks, numbers that run away, too little memory, too few images."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from tests.training.finetune.jobs import learned, tiny_job

torch = pytest.importorskip("torch")

from tellapart.errors import Reason, SettingsError, TrainingError  # noqa: E402
from tellapart.training.finetune import attempts, checkpoints, loop  # noqa: E402
from tellapart.training.finetune.attempts import fit  # noqa: E402
from tellapart.training.finetune.job import is_over, read_job, run_job  # noqa: E402
from tellapart.training.finetune.module import Learner  # noqa: E402


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("job", "whole"):
        tiny_job(tmp_path / name, epochs=3)
    whole, saved = run_job(tmp_path / "whole"), checkpoints.save_file
    written = []

    def full(tensors: Any, path: Path, metadata: Any) -> None:
        written.append(path)
        saved(tensors, path, metadata)
        if len(written) == 2:
            path.write_bytes(path.read_bytes()[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(TrainingError) as caught:
        run_job(tmp_path / "job")
    assert caught.value.reason is Reason.WRITE_FAILED
    assert str(caught.value) == (
        f"the checkpoint {tmp_path}/job/checkpoint.safetensors cannot be written (No space left on device); the one before "
        "it stays, so that the training can go on from there: make room on the disk and ask for the same again"
    )
    assert not [path for path in (tmp_path / "job").iterdir() if ".new-" in path.name]
    assert learned(run_job(tmp_path / "job")) == learned(whole)


def test_weights_that_run_away_at_once(tmp_path: Path) -> None:
    tiny_job(
        tmp_path,
        optimizer={"name": "sgd", "lr": 1e30, "clip_norm": 0},
        schedule={"name": "constant", "warmup_epochs": 0},
    )
    with pytest.raises(TrainingError) as caught:
        run_job(tmp_path)
    assert caught.value.reason is Reason.DIVERGED
    assert str(caught.value) == (
        "the loss became infinite or not a number in epoch 1 at step 2 of 3: the weights ran away. Train with a lower "
        "learning rate (it was 2.5e+29 there; try a tenth of the optimizer's lr)"
    )
    assert not is_over(tmp_path)


def test_weights_that_run_away_later_leave_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_job(tmp_path, epochs=5)
    plain = Learner.loss_of
    monkeypatch.setattr(
        Learner, "loss_of", lambda self, batch: plain(self, batch) * (torch.nan if self.current_epoch == 2 else 1)
    )
    result = run_job(tmp_path)
    assert (result.ended, result.stopped_early, result.epochs) == ("diverged", True, 2)
    assert result.best_epoch in (1, 2)
    assert "in epoch 3 at step 1 of 3" in result.notes[0]
    assert result.notes[0].endswith(f"The weights of epoch {result.best_epoch}, the best so far, are kept")
    assert (tmp_path / "weights.safetensors").exists()


def out_of_memory_above(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that has room for n images at once."""
    plain = Learner.loss_of

    def loss_of(self: Learner, batch: Any) -> Any:
        if len(batch.targets) > n:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, batch)

    monkeypatch.setattr(Learner, "loss_of", loss_of)


def test_too_little_memory_is_met_by_smaller_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, accumulate in (("job", 1), ("parts", 4)):
        tiny_job(tmp_path / name, accumulate=accumulate)
    out_of_memory_above(2, monkeypatch)
    result = run_job(tmp_path / "job")
    assert result.notes == (
        "the memory did not suffice for batches in 1 part(s), so they were computed in 2",
        "the memory did not suffice for batches in 2 part(s), so they were computed in 4",
    )
    assert learned(result) == learned(run_job(tmp_path / "parts"))


def test_too_little_memory_for_two_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_job(tmp_path)
    out_of_memory_above(1, monkeypatch)
    with pytest.raises(TrainingError) as caught:
        run_job(tmp_path)
    assert caught.value.reason is Reason.OUT_OF_MEMORY
    assert str(caught.value) == (
        "the memory of the GPU does not suffice to train lenet, not even with a batch of 8 in 4 part(s): smaller images "
        "(size) or a smaller network need less"
    )


@pytest.mark.parametrize(
    ("n_train", "batch_size"), [(2, 32), (5, 32), (7, 3), (4, 1)], ids=["two", "larger-batch", "uneven", "single"]
)
def test_few_images_and_odd_batches(tmp_path: Path, n_train: int, batch_size: int) -> None:
    """Batches lack classes; nothing is left out."""
    tiny_job(tmp_path, n_train=n_train, n_val=2, batch_size=batch_size, epochs=1)
    result = run_job(tmp_path)
    assert result.ended == "complete"
    assert 0 <= (result.metric or 0) <= 1


def test_without_validation_images_the_last_weights_stay(tmp_path: Path) -> None:
    tiny_job(tmp_path, n_val=0, ema=0.9)
    result = run_job(tmp_path)
    assert (result.metric, result.val_loss, result.best_epoch) == (None, None, 2)
    assert (tmp_path / "weights.safetensors").exists()


def test_one_image_for_a_network_that_normalises_over_images(tmp_path: Path) -> None:
    tiny_job(tmp_path, network="timm/resnet18", n_train=1, n_val=0)
    with pytest.raises(SettingsError) as caught:
        run_job(tmp_path)
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "timm/resnet18 normalises over the images that it sees at once, and saw a single one: a batch of 1 for 1 "
        "process(es) in 1 part(s) each. It takes at least two images for each part"
    )


def test_patience(tmp_path: Path) -> None:
    tiny_job(tmp_path, epochs=50, patience=2, optimizer={"lr": 1e-12})
    result = run_job(tmp_path)
    assert (result.ended, result.stopped_early) == ("no_gain", True)
    assert result.epochs == result.best_epoch + 2


def test_patience_begins_anew_where_more_begins_to_learn(tmp_path: Path) -> None:
    """The head alone was best in epoch 1; the phase after it is not ended by that after its own first epoch."""
    slow = {"lr": 1e-12}
    tiny_job(tmp_path, tune="head_then_all", head_epochs=4, epochs=9, patience=2, optimizer=slow)
    result = run_job(tmp_path)
    assert (result.ended, result.epochs) == ("no_gain", max(4, result.best_epoch) + 2)


def test_an_epoch_of_fewer_steps_ends_no_training_before_its_time(tmp_path: Path) -> None:
    """Ten images make 3 batches of 4; in two parts each 2 batches: two epochs of 3 steps are not three of 2."""
    tiny_job(tmp_path, n_train=10, batch_size=4, epochs=3)

    def stop(epoch: int, _metric: float) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, read_job(tmp_path), lambda *_: None, on_epoch=stop)
    attempts.Parts(2).write(tmp_path)
    assert run_job(tmp_path).epochs == 3


def test_a_full_disk_while_the_history_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    tiny_job(tmp_path)
    monkeypatch.setattr(loop, "write_history", full)
    with pytest.raises(TrainingError) as caught:
        run_job(tmp_path)
    assert caught.value.reason is Reason.WRITE_FAILED
    assert str(caught.value) == (
        f"the training in {tmp_path} cannot write its files (No space left on device); its last checkpoint stays, so that it "
        "can go on from there: make room on the disk and ask for the same again"
    )


def test_a_second_training_in_the_same_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_job(tmp_path)
    monkeypatch.setattr("tellapart.training.finetune.attempts._WAIT_S", 0.1)

    def progress(_stage: str, _done: int, _total: int) -> None:
        with pytest.raises(TrainingError) as caught:
            fit(tmp_path, read_job(tmp_path), lambda *_: None)
        assert str(caught.value) == (f"another process trains in {tmp_path} already; wait until it is done, or stop it")

    assert fit(tmp_path, read_job(tmp_path), progress).ended == "complete"


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    tiny_job(tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"no checkpoint at all")
    with pytest.raises(TrainingError) as caught:
        run_job(tmp_path)
    assert caught.value.reason is Reason.JOB_DAMAGED
    assert str(caught.value).startswith(f"the checkpoint {tmp_path}/checkpoint.safetensors is damaged (")
    assert str(caught.value).endswith("); remove it to go on from an earlier one or from the start")
