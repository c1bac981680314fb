"""The method `anomaly`: labels become two sides, and the network one that tells the places of an image apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.patches import PatchNetwork, patch_network
from tellapart.image.preprocess import PreprocessSpec
from tellapart.settings.recipe import Recipe
from tellapart.training.anomaly import WAYS, AnomalyOptions, Way, anomaly_probe, held_out
from tellapart.workflows.anomaly_labels import sides, two_sided
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_again
from tellapart.workflows.fitting import Fitting, HeadMaker
from tellapart.workflows.image_size import at_patch_size
from tellapart.workflows.progress import Progress

FEWEST_TO_CHOOSE = 5
"""Bad images, of as many groups, below which they choose nothing."""
_SURE = 0.02
_TELLS = 0.6
_WHOLE = (1, 1)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Images as a network sees them, and the grid of its patches."""

    images: EmbeddedDataset
    embedder: Embedder
    grid: tuple[int, int]


def from_good(fitting: Fitting, recipe: Recipe, progress: Progress) -> Fitting:
    """The same images and splits with two labels, seen through the network of the way that suits, and its maker.

    Raises:
        BackboneError: `backbone_invalid` for a network that has no places to tell apart.
        DataError: `read_failed` when images changed meanwhile.
    """
    found = sides(fitting.images.dataset, recipe)
    whole = replace(fitting, images=fitting.images.with_dataset(two_sided(fitting.images.dataset, found)))
    whole = replace(whole, schema=found.schema)
    asked = recipe.anomaly.method
    ways: tuple[Way, ...] = WAYS if asked == "auto" else (asked,)
    seen: dict[Way, _Seen] = {way: _Seen(whole.images, whole.embedder, _WHOLE) for way in ways if way == "knn"}
    if asked != "knn":
        patches = _as_patches(whole, recipe, progress)
        seen.update({way: patches for way in ways if way != "knn"})
    wishes = recipe.anomaly
    options = {
        way: AnomalyOptions(way, wishes.false_alarms, wishes.coreset, one.grid, found.good_classes)
        for way, one in seen.items()
    }
    progress("comparing ways to tell anomalies", 0, 0)
    way, notes = (asked, ()) if asked != "auto" else _best(whole, seen, options)
    maker = HeadMaker(partial(anomaly_probe, asked=replace(options[way], notes=notes)), needs_judges=False)
    return replace(whole, images=seen[way].images, embedder=seen[way].embedder, maker=maker)


def _as_patches(fitting: Fitting, recipe: Recipe, progress: Progress) -> _Seen:
    """All images through the patches of the backbone."""
    network = fitting.embedder.backbone
    spec = fitting.embedder.spec
    if recipe.size is None and recipe.preprocess is None:
        spec = at_patch_size(spec, network)
    made: PatchNetwork = patch_network(network.onnx_bytes(), str(spec))
    provider = network.provider if isinstance(network, OnnxBackbone) else "cpu"
    embedder = replace(
        fitting.embedder,
        spec=PreprocessSpec.parse(str(spec)),
        backbone=OnnxBackbone.open(made.data, provider=provider),
    )
    images = embed_again(fitting.images.dataset, embedder, progress=progress)
    return _Seen(images, embedder, (made.rows, made.columns))


def _best(
    fitting: Fitting, seen: Mapping[Way, _Seen], options: Mapping[Way, AnomalyOptions]
) -> tuple[Way, tuple[str, ...]]:
    """The way that ranks the bad images of the training highest; patchcore where they are too few to tell, or it is as good."""
    rows = fitting.fitted_on
    groups = fitting.parted.groups[rows]
    good = fitting.labels[rows][:, fitting.schema.index(fitting.schema.positive or "")] == 0
    n_bad = int((~good).sum())
    if min(n_bad, len(np.unique(groups[~good]))) < FEWEST_TO_CHOOSE:
        if not n_bad:
            return "patchcore", ("way         patchcore; no bad images to choose by",)
        return "patchcore", (f"way         patchcore; {n_bad} bad images are too few to choose by",)
    ranks = {}
    for way, one in seen.items():
        found = held_out(one.images.embeddings[rows], good, groups, options[way], fitting.options.seed)
        ranks[way] = _auroc(found.good, found.bad)
    best = max(ranks, key=ranks.__getitem__)
    # A small lead is luck; the first one is also the one that shows where.
    way = "patchcore" if ranks["patchcore"] >= ranks[best] - _SURE else best
    lost = ranks[best] < _TELLS
    way = "patchcore" if lost else way
    told = ", ".join(f"{name} {rank:.2f}" for name, rank in ranks.items())
    line = f"way         {way}, by {n_bad} bad images of the training that no way has learned from: AUROC {told}"
    warning = "warning     no way tells the bad images of the training from good ones: it takes more good images, or other ones"
    return way, (line, warning) if lost else (line,)


def _auroc(good: np.ndarray, bad: np.ndarray) -> float:
    """The share of pairs in which the bad image scores higher; a tie counts half."""
    ordered = np.sort(good)
    below, up_to = np.searchsorted(ordered, bad, "left"), np.searchsorted(ordered, bad, "right")
    return float((below + up_to).mean() / (2 * len(good)))
