"""What is compared: backbones, each with its own preprocessing or with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.registry import Announce, load_backbone
from tellapart.backbones.store import Store
from tellapart.errors import Reason, SettingsError
from tellapart.image.preprocess import PreprocessSpec


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backbone as `load_backbone` takes it. `preprocess` None is what it was made for, `size_px` changes its size."""

    backbone: str
    preprocess: str | None = None
    size_px: int | None = None

    @property
    def asked(self) -> str:
        """What was asked for, in words: also for a candidate that cannot be opened."""
        size = "" if self.size_px is None else f" {self.size_px} px"
        return self.backbone + size + ("" if self.preprocess is None else f" {self.preprocess}")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A candidate that could be opened."""

    candidate: Candidate
    network: OnnxBackbone
    spec: PreprocessSpec


def candidates(
    backbones: Sequence[str | Path], *, sizes_px: Sequence[int] = (), preprocess: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Every backbone with every size and every preprocess string; with its own when neither is given. No doubles.

    Raises:
        SettingsError: `bad_setting` for a size below 1.
    """
    if any(size < 1 for size in sizes_px):
        raise SettingsError(Reason.BAD_SETTING, f"a size is a number of pixels above 0, got {min(sizes_px)}")
    found = []
    for backbone in map(str, backbones):
        found += [Candidate(backbone, size_px=size) for size in sizes_px]
        found += [Candidate(backbone, preprocess=spec) for spec in preprocess]
        if not (sizes_px or preprocess):
            found.append(Candidate(backbone))
    return tuple(dict.fromkeys(found))


class Opener:
    """Opens candidates; a network that several of them share is opened once."""

    def __init__(
        self,
        provider: str,
        store: Store | None = None,
        announce: Announce | None = None,
        own_spec: Callable[[OnnxBackbone], PreprocessSpec] = lambda network: PreprocessSpec.parse(network.default_spec),
    ) -> None:
        self._provider, self._store, self._announce = provider, store, announce
        self._own_spec = own_spec
        self._opened: dict[str, OnnxBackbone] = {}

    def __call__(self, candidate: Candidate) -> Contestant:
        """Raises:
        TellapartError: the backbone cannot be had, or the preprocess string says nothing.
        """
        network = self._opened.get(candidate.backbone)
        if network is None:
            network = self._opened[candidate.backbone] = load_backbone(
                candidate.backbone, provider=self._provider, store=self._store, announce=self._announce
            )
        spec = PreprocessSpec.parse(candidate.preprocess) if candidate.preprocess else self._own_spec(network)
        if candidate.size_px is not None:
            spec = spec.at_size(candidate.size_px)
        return Contestant(candidate, network, spec)


def names(contestants: Sequence[Contestant]) -> tuple[str, ...]:
    """A short name for each: the backbone's own, with its size or preprocess string where others share it."""
    plain = [one.network.name for one in contestants]
    sized = [f"{name} {_size(one)}" for name, one in zip(plain, contestants, strict=True)]
    whole = [f"{name} {one.spec}" for name, one in zip(plain, contestants, strict=True)]
    asked = [f"{name} ({one.candidate.asked})" for name, one in zip(whole, contestants, strict=True)]
    forms = (plain, sized, whole)
    return tuple(
        next((form[i] for form in forms if form.count(form[i]) == 1), asked[i]) for i in range(len(contestants))
    )


def _size(one: Contestant) -> str:
    height, width = one.spec.size
    return f"{width} px" if width == height else f"{width}×{height} px"
