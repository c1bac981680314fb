"""timm networks as bodies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tellapart.backbones.torch_timm import feature_map_of
from tellapart.training.networks.network import Body


class TimmBody(Body):
    """A timm network without its classifier.

    The embedding is what the network's own classifier would read. Where that is not the mean of its last map (a class
    token, a hidden layer after pooling), the map's mean follows it, so that heatmaps can be drawn. A normalisation that
    timm puts after the pooling comes before it here, place by place: then the mean is the embedding.
    """

    def __init__(self, network: nn.Module, size_px: int) -> None:
        super().__init__()
        self.network = network
        self._norm, self.only_mean = "", False
        self.only_mean, self.map_start = self._look(size_px)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map (n, 3, h, w) to the embedding (n, d) and the last map (n, c, h', w'), None where there are no places."""
        network: Any = self.network
        features = network.forward_features(x)
        feature_map = feature_map_of(network, features)
        if feature_map is None:
            return network.forward_head(features, pre_logits=True).flatten(1), None
        if self._norm:
            feature_map = _normed(network.get_submodule(self._norm), feature_map)
        mean = feature_map.mean((2, 3))
        if self.only_mean:
            return mean, feature_map
        summary = network.forward_head(features, pre_logits=True).flatten(1)
        return torch.cat([summary, mean], 1), feature_map

    def _look(self, size_px: int) -> tuple[bool, int]:
        """Whether the map's mean is all that the classifier reads, and the column at which the mean begins."""
        network: Any = self.network
        was_training = network.training
        pixels = torch.linspace(-2, 2, 3 * size_px * size_px).reshape(1, 3, size_px, size_px)
        with torch.no_grad():
            features = network.eval().forward_features(pixels)
            summary = network.forward_head(features, pre_logits=True).flatten(1)
            feature_map = feature_map_of(network, features)
            network.train(was_training)
            if feature_map is None:
                return False, 0
            self._norm = _norm_after_pooling(network, feature_map.shape[1])
            mean = feature_map.mean((2, 3), keepdim=True)
            mean = (_normed(network.get_submodule(self._norm), mean) if self._norm else mean).flatten(1)
        alike = mean.shape == summary.shape and bool((mean - summary).abs().max() <= 1e-4 * summary.abs().max())
        return alike, 0 if alike else summary.shape[1]

    def stage_names(self) -> list[list[str]]:
        """timm's own coarse groups; one of nothing but normalisations belongs to the one before."""
        parameters = dict(self.network.named_parameters())
        stages: list[list[str]] = []
        for names in _groups(self.network):
            if stages and all(parameters[name].ndim < 2 for name in names):
                stages[-1] += names
            else:
                stages.append(list(names))
        return [[f"network.{name}" for name in names] for names in stages]

    def undecayed(self) -> set[str]:
        """Names of parameters that timm lets no weight decay act on."""
        network: Any = self.network
        names = network.no_weight_decay() if hasattr(network, "no_weight_decay") else set()
        return {f"network.{name}" for name in names}


def _groups(network: Any) -> list[list[str]]:
    """Names of parameters as timm groups them; for the few families that it does not group, by module."""
    from timm.models import group_parameters

    if hasattr(network, "group_matcher"):
        return [list(names) for names in group_parameters(network, network.group_matcher(coarse=True)).values()]
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, _ in network.named_parameters():
        parts = name.split(".")
        is_list = isinstance(getattr(network, parts[0]), nn.Sequential | nn.ModuleList)
        groups.setdefault(tuple(parts[: 2 if is_list else 1]), []).append(name)
    return list(groups.values())


def _norm_after_pooling(network: Any, width: int) -> str:
    """Where a normalisation of `width` channels between pooling and classifier lies in the network, "" without one."""
    for name in ("fc_norm", "head.norm"):
        try:
            found = network.get_submodule(name)
        except AttributeError:
            continue
        if not isinstance(found, nn.Identity) and {one.numel() for one in found.parameters()} == {width}:
            return name
    return ""


def _normed(norm: nn.Module, feature_map: Tensor) -> Tensor:
    """The normalisation at each place of a map (n, c, h, w), whatever order of axes it expects."""
    result: Tensor
    if type(norm).__name__.endswith("2d") or isinstance(norm, nn.GroupNorm):
        result = norm(feature_map)
    else:  # LayerNorm and its kin, over the last axis
        result = norm(feature_map.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return result
