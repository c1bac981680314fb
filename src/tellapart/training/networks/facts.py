"""What is known of a network before it is built: where it comes from and how it wants its images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network by name, at a size.

    `spec` is the preprocess string at `size_px`; `own_size_px` the side it was designed for, `smallest_px` the smallest
    that it can take. `mean` and `std` are in shares of full brightness (0 to 1). `fixed` networks take `size_px` only,
    others any size. `licence` and `source` are those of the weights it starts from. `origin_sha256` is the sha256 of the
    file they come from, "" from scratch.
    """

    name: str
    licence: str
    source: str
    spec: str
    size_px: int
    own_size_px: int
    smallest_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fixed: bool = False
    origin_sha256: str = ""
