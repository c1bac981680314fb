"""What checks look at, made for those that are asked: nothing costly that none of them needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.protocol import Backbone, BackboneCard, Features
from tellapart.backbones.registry import load_backbone
from tellapart.backbones.store import Store
from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.prospects import Prospects
from tellapart.data.hygiene.protocol import Evidence, Part
from tellapart.data.hygiene.second_opinion import relatives
from tellapart.data.hygiene.variants import Variants
from tellapart.errors import TrainingError
from tellapart.heads.aims import Aim
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema
from tellapart.training.linear_probe import ProbeOptions, linear_probe
from tellapart.workflows.captures import with_captures
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of, without_empty_labels
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.progress import Progress
from tellapart.workflows.prospecting import prospects
from tellapart.workflows.varying import variants

_WITHOUT_NETWORK = "decode|upright|squash(224)"


@dataclass(frozen=True, slots=True)
class Means:
    """With what images are looked at; see `workflows.check.check`."""

    backbone: str | Path
    preprocess: str | None = None
    store: Store | None = None
    provider: str = "cpu"
    seed: int = 0
    workers: int = 0
    cache_dir: Path | None = None
    limits: DecodeLimits = DecodeLimits()


@dataclass(frozen=True, slots=True)
class Gathered:
    """The evidence, with what the images were looked at (`embedder`), and why costly parts are missing."""

    evidence: Evidence
    embedder: Embedder
    n_unlabelled: int
    n_cached: int
    missing: Mapping[Part, str] = field(default_factory=dict)


def gather(dataset: Dataset, needs: frozenset[Part], means: Means, progress: Progress) -> Gathered:
    """Look at every labelled image of a data set.

    Raises:
        TrainingError: unlabelled, when not one image has a label.
        DataError: dataset_empty, when not one can be read.
    """
    schema = schema_of(dataset)
    embedder = _embedder(dataset, needs, means)
    images = embed_dataset(dataset.subset(dataset.labelled), embedder, progress=progress)
    schema, _ = without_empty_labels(schema, dataset, images)
    images = images.with_dataset(with_captures(images.dataset))
    evidence = evidence_of(images, schema)
    if "embeddings" in needs:
        evidence = replace(evidence, embeddings=images.embeddings)
    missing: dict[Part, str] = {}
    wanted = needs | {"look_alikes"} if needs & _BY_GROUPS else needs
    for part, doing, make in _COSTLY:
        if part not in wanted:
            continue
        progress(doing, 0, 0)
        try:
            evidence = replace(evidence, **{part: make(images, evidence, embedder, means.seed)})
        except TrainingError as error:
            missing[part] = str(error)
    return Gathered(evidence, embedder, int((~dataset.labelled).sum()), images.n_cached, missing)


def evidence_of(images: EmbeddedDataset, schema: LabelSchema) -> Evidence:
    """What costs nothing once the images were read."""
    return Evidence(images.dataset, schema, images.dataset.label_matrix(schema), images.statistics, images.thumbnails)


def _look_alikes(images: EmbeddedDataset, _: Evidence, embedder: Embedder, __: int) -> NDArray[np.int64]:
    return look_alikes(images, embedder.cache_dir).groups


def _held_out(images: EmbeddedDataset, evidence: Evidence, _: Embedder, seed: int) -> NDArray[np.float32]:
    """Calibrated answers for every image of a head that saw neither it nor its relatives; nan where there is none."""
    options = ProbeOptions(Aim.parse("argmax"), seed=seed)
    probe = linear_probe(images.embeddings, evidence.labels, relatives(evidence), evidence.schema, options)
    return np.where(probe.usable[:, None], probe.probabilities, np.float32(np.nan)).astype(np.float32)


def _prospects(images: EmbeddedDataset, evidence: Evidence, _: Embedder, seed: int) -> Prospects:
    return prospects(images.embeddings, evidence.labels, relatives(evidence), evidence.schema, seed=seed)


def _variants(images: EmbeddedDataset, evidence: Evidence, embedder: Embedder, seed: int) -> Variants:
    return variants(images, evidence, relatives(evidence), embedder, seed)


# In the order in which they are made: relatives are known by looks.
_COSTLY: tuple[tuple[Part, str, Callable[[EmbeddedDataset, Evidence, Embedder, int], Any]], ...] = (
    ("look_alikes", "finding near-duplicates", _look_alikes),
    ("probabilities", "fitting a head on other images of the data", _held_out),
    ("prospects", "drawing learning curves", _prospects),
    ("variants", "looking at augmented images", _variants),
)
_BY_GROUPS: frozenset[Part] = frozenset({"probabilities", "prospects", "variants"})


def _embedder(dataset: Dataset, needs: frozenset[Part], means: Means) -> Embedder:
    backbone: Backbone = _NoNetwork()
    spec = PreprocessSpec.parse(means.preprocess or _WITHOUT_NETWORK)
    if needs & (_BY_GROUPS | {"embeddings"}):
        network = load_backbone(means.backbone, provider=means.provider, store=means.store)
        backbone = network
        spec = PreprocessSpec.parse(means.preprocess) if means.preprocess else own_spec(network, dataset, means.limits)
    return Embedder(spec, backbone, means.cache_dir, means.limits, means.workers)


class _NoNetwork:
    """Stands where a backbone would, when no check asks what is on the images."""

    name, licence, embedding_dim, default_spec = "none", "Apache-2.0", 1, _WITHOUT_NETWORK
    sha256 = sha256(b"no network").hexdigest()

    @property
    def card(self) -> BackboneCard:
        """Nothing to tell."""
        return BackboneCard("none", "Apache-2.0", "tellapart", self.default_spec, 1)

    def onnx_bytes(self) -> bytes:
        """No file."""
        return b""

    def run(self, batch: NDArray[np.uint8]) -> Features:
        """Nothing is seen."""
        return Features(np.zeros((len(batch), 1), np.float32), None)
