"""Weights in a safetensors file: exactly back, or a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")

from tellapart.errors import ModelError, Reason  # noqa: E402
from tellapart.training.networks.build import build_network  # noqa: E402
from tellapart.training.networks.network import Network  # noqa: E402
from tellapart.training.networks.weights import load_weights, save_weights  # noqa: E402


def net(seed: int = 0, n_classes: int = 2, name: str = "builtin") -> Network:
    return build_network(name, n_classes=n_classes, size=32, start="scratch", seed=seed)


def test_weights_and_statistics_come_back(tmp_path: Path) -> None:
    first, second = net(0), net(1)
    first.train()(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))  # statistics move
    save_weights(first, tmp_path / "w.safetensors")
    load_weights(second, tmp_path / "w.safetensors")
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(net(), path)
    with pytest.raises(ModelError) as caught:
        load_weights(net(n_classes=3), path)
    assert caught.value.reason is Reason.MODEL_DAMAGED
    assert str(caught.value) == (
        f"the weights in {path} belong to another network than builtin: head.weight is 2×2048 instead of 3×2048; "
        "head.bias is 2 instead of 3"
    )
    with pytest.raises(ModelError) as caught:
        load_weights(net(name="lenet"), path)
    assert str(caught.value).startswith(
        f"the weights in {path} belong to another network than lenet: body.convolutions.0.weight is missing; "
    )
    assert str(caught.value).endswith(" more")


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelError, match="there are no weights at ") as caught:
        load_weights(net(), path)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    path.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="is no safetensors file, or is cut short: "):
        load_weights(net(), path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the weights of builtin could not be written to ") as caught:
        save_weights(net(), tmp_path / "missing" / "w.safetensors")
    assert caught.value.reason is Reason.WRITE_FAILED
