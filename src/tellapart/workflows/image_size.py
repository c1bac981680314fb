"""At what size a backbone sees a data set's images: as somebody said, else what suits both."""

from __future__ import annotations

from statistics import median

from tellapart.backbones.protocol import Backbone
from tellapart.data.containers import read_bytes
from tellapart.data.dataset import Dataset
from tellapart.errors import TellapartError
from tellapart.image.decode import dimensions
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.records import Sample
from tellapart.settings.recipe import Recipe

_LOOKED_AT = 24
_LARGEST_ZOOM = 3.0
_STEP_PX = 16


def spec_for(recipe: Recipe, network: Backbone, dataset: Dataset, limits: DecodeLimits) -> PreprocessSpec:
    """How the frozen network of a recipe sees the images.

    Raises:
        SpecError: as `PreprocessSpec.parse` and `at_size`.
    """
    if recipe.preprocess is not None:
        return PreprocessSpec.parse(recipe.preprocess)
    # Of fine-tuning the size is that of the network that learns; the frozen one is judged at its best.
    if recipe.size is not None and recipe.method != "finetune":
        return PreprocessSpec.parse(network.default_spec).at_size(recipe.size)
    return own_spec(network, dataset, limits)


def own_spec(backbone: Backbone, dataset: Dataset, limits: DecodeLimits) -> PreprocessSpec:
    """The preprocessing a backbone was made for; smaller where it may be and the images are small.

    Pixels that are not there cannot be seen: an image is enlarged about three times at most (its longer side, the median of a
    few images), where the backbone's card names a `smallest_px` below its usual size. Files that cannot be read do not count.
    """
    spec = PreprocessSpec.parse(backbone.default_spec)
    smallest, usual = backbone.card.smallest_px, max(spec.size)
    if smallest is None or smallest >= usual:
        return spec
    step = max(1, len(dataset) // _LOOKED_AT)
    sides = [side for sample in dataset.samples[::step] if (side := _longer_side(sample, dataset, limits)) is not None]
    if not sides:
        return spec
    wanted = -(-median(sides) * _LARGEST_ZOOM // _STEP_PX) * _STEP_PX
    return spec if wanted >= usual else spec.at_size(max(smallest, int(wanted)))


def at_patch_size(spec: PreprocessSpec, backbone: Backbone) -> PreprocessSpec:
    """Larger where the network takes it: half as many pixels again a side, so that small defects fill a patch of their own."""
    takes_any = backbone.card.smallest_px is not None
    return spec.at_size(-(-3 * max(spec.size) // (2 * _STEP_PX)) * _STEP_PX) if takes_any else spec


def _longer_side(sample: Sample, dataset: Dataset, limits: DecodeLimits) -> float | None:
    """In pixels, of the image or of the sample's region in it."""
    try:
        width, height = dimensions(read_bytes(sample.uri, root=dataset.root, limits=limits), limits)
    except TellapartError:
        return None
    if sample.roi is None:
        return max(width, height)
    x0, y0, x1, y1 = sample.roi.box
    return max(width * (x1 - x0), height * (y1 - y0))
