"""A whole pre-training: it learns, is the same twice, goes on after a break, and ends where nothing is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.builders import class_picture  # noqa: E402

from tellapart.backbones.torch_libraries import load_lightning  # noqa: E402
from tellapart.errors import Reason, SettingsError, TrainingError  # noqa: E402
from tellapart.image.types import RgbImage  # noqa: E402
from tellapart.settings.pretraining import Dino, Pretraining  # noqa: E402

load_lightning()

from tests.training.selfsup.networks import tiny_network  # noqa: E402

from tellapart.training.networks.network import Network  # noqa: E402
from tellapart.training.selfsup.fit import fit  # noqa: E402
from tellapart.training.selfsup.history import Epoch  # noqa: E402
from tellapart.training.selfsup.module import Watched  # noqa: E402

IMAGES = [RgbImage(class_picture(row % 3, row, side=24), (24, 24)) for row in range(30)]
WATCHED = Watched(np.arange(30), np.arange(30) % 3, np.arange(30))
DINO = Dino(prototypes=16, bottleneck=8, local_views=2)


def options(method: str = "simclr", **more: object) -> Pretraining:
    return Pretraining.model_validate({"method": method, "epochs": 3, "batch_size": 10, "dino": DINO, **more})


def weights(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_equal(first: Network, second: Network) -> None:
    other = weights(second)
    assert [name for name, value in weights(first).items() if not torch.equal(value, other[name])] == []


@pytest.mark.parametrize("method", ["simclr", "dino"])
def test_two_runs_are_the_same_and_leave_the_start(method: str, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, history = fit(tiny_network(), IMAGES, WATCHED, options(method), folder=tmp_path, seed=1)
    second, again = fit(tiny_network(), IMAGES, WATCHED, options(method), folder=tmp_path / "again", seed=1, threads=3)
    assert_equal(first, second)
    assert [epoch.loss for epoch in history] == [epoch.loss for epoch in again]
    assert [epoch.number for epoch in history] == [0, 1, 2, 3]
    start = weights(tiny_network())
    assert not torch.equal(first.state_dict()["body.stem.0.weight"], start["body.stem.0.weight"])
    assert torch.equal(first.state_dict()["head.weight"], start["head.weight"])


class Stopped(Exception):
    """Like a power cut, after an epoch."""


@pytest.mark.parametrize("method", ["simclr", "dino"])
def test_after_a_break_it_ends_as_without(method: str, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, history = fit(tiny_network(), IMAGES, WATCHED, options(method), folder=tmp_path / "whole", seed=1)

    def progress(_stage: str, done: int, total: int) -> None:
        if done == 2 * total // 3 - 1:  # within the second epoch
            raise Stopped

    with pytest.raises(Stopped):
        fit(tiny_network(), IMAGES, WATCHED, options(method), folder=tmp_path, seed=1, progress=progress)
    resumed, again = fit(tiny_network(seed=5), IMAGES, WATCHED, options(method), folder=tmp_path, seed=1)
    assert_equal(whole, resumed)
    assert [(epoch.number, epoch.loss, epoch.embeddings) for epoch in history] == [
        (epoch.number, epoch.loss, epoch.embeddings) for epoch in again
    ]


def test_the_history_is_told_after_every_epoch(tmp_path: Path) -> None:
    told: list[int] = []
    steps: list[tuple[int, int]] = []
    _, history = fit(
        tiny_network(),
        IMAGES,
        WATCHED,
        options(),
        folder=tmp_path,
        told=lambda epochs: told.append(len(epochs)),
        progress=lambda _stage, done, total: steps.append((done, total)),
    )
    assert told == [2, 3, 4]
    assert steps == [(step, 9) for step in range(1, 10)]
    assert all(0 <= (epoch.neighbours or 0) <= 1 for epoch in history)
    assert history[0].loss is None
    assert [Epoch.from_json(epoch.to_json()) for epoch in history] == history


def test_views_of_one_image_are_found(tmp_path: Path) -> None:
    """The loss falls below that of guessing among 2n - 1."""
    _, history = fit(tiny_network(), IMAGES, WATCHED, options(epochs=8, start="scratch"), folder=tmp_path)
    losses = [epoch.loss or 0.0 for epoch in history[1:]]
    assert losses[-1] < losses[0] < np.log(19) + 0.5


def test_images_that_are_all_alike_end_in_a_collapse(tmp_path: Path) -> None:
    grey = [RgbImage(np.full((24, 24, 3), 90, np.uint8), (24, 24)) for _ in range(30)]
    watched = Watched(np.arange(30), None, np.arange(30))
    with pytest.raises(TrainingError) as caught:
        fit(tiny_network(), grey, watched, options(), folder=tmp_path)
    assert caught.value.reason is Reason.COLLAPSED


def test_a_loss_that_is_no_number_ends_with_a_sentence(tmp_path: Path) -> None:
    network = tiny_network()
    with torch.no_grad():
        network.body.stem[0].weight.fill_(float("inf"))  # type: ignore[index]
    with pytest.raises(TrainingError) as caught:
        fit(network, IMAGES, WATCHED, options(), folder=tmp_path)
    assert caught.value.reason is Reason.DIVERGED
    assert str(caught.value) == (
        "the loss became infinite or no number in epoch 1; begin anew with a lower learning rate (--set optimizer.lr=1e-4), or "
        "with --set precision=32"
    )


def test_a_network_that_takes_no_small_views_says_so(tmp_path: Path) -> None:
    network = tiny_network()
    network.body.forward = _only_16  # type: ignore[method-assign]
    with pytest.raises(SettingsError) as caught:
        fit(network, IMAGES, WATCHED, options("dino"), folder=tmp_path)
    assert str(caught.value) == (
        "tiny cannot take small views of 8 px; use --set dino.local_size=1 for small views of its own size, or "
        "--set dino.local_views=0 for none"
    )


def _only_16(pixels: torch.Tensor) -> tuple[torch.Tensor, None]:
    raise RuntimeError(f"16 px only, got {pixels.shape[2]}")


def test_ctrl_c_is_what_it_was(tmp_path: Path) -> None:
    def interrupt(_stage: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    import signal

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_network(), IMAGES, WATCHED, options(), folder=tmp_path, progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
