"""What makes vectors of images: the network of a model, or a backbone by its name or file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tellapart.backbones.named import parse_name
from tellapart.backbones.protocol import Backbone
from tellapart.backbones.registry import BACKBONES, Announce, load_backbone
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.storage import load
from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError, Reason, SettingsError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.index.space import Space
from tellapart.workflows.image_size import own_spec


@dataclass(frozen=True, slots=True)
class Source:
    """A network and how it sees images."""

    backbone: Backbone
    spec: PreprocessSpec

    def space(self, *, normalised: bool) -> Space:
        """The space of its vectors, before any projection."""
        network = self.backbone
        return Space(
            network.name, network.sha256, str(self.spec), self.spec.hash, "", normalised, network.embedding_dim
        )


def open_source(
    source: Classifier | str | Path,
    dataset: Dataset,
    *,
    size: int | None = None,
    preprocess: str | None = None,
    otherwise: str | None = None,
    store: Store | None = None,
    announce: Announce | None = None,
    provider: str = "cpu",
    limits: DecodeLimits = DecodeLimits(),
) -> Source:
    """A model (folder or .zip) sees images as it was trained to; a backbone, named as for `load_backbone`, as asked, else by
    the preprocess string `otherwise`, else as suits it and the data set. A registered name means the backbone, `./name` a
    folder of that name.

    Raises:
        SettingsError: `bad_setting` for a size or preprocessing beside a model, or both beside a backbone.
        BackboneError: `backbone_unknown` and others; ModelError, SpecError.
    """
    if size is not None and preprocess is not None:
        raise SettingsError(Reason.BAD_SETTING, "size is part of preprocess: name one of them")
    if isinstance(source, Classifier) or _is_model(source):
        model = source if isinstance(source, Classifier) else load(source, provider=provider, limits=limits)
        return _of_model(model, source, size=size, preprocess=preprocess)
    if isinstance(source, str) and not _names_backbone(source):
        raise BackboneError(Reason.BACKBONE_UNKNOWN, _neither(source))
    network = load_backbone(source, provider=provider, store=store, announce=announce)
    if size is not None:
        return Source(network, PreprocessSpec.parse(network.default_spec).at_size(size))
    if (wanted := preprocess or otherwise) is not None:
        return Source(network, PreprocessSpec.parse(wanted))
    return Source(network, own_spec(network, dataset, limits))


def _of_model(
    model: Classifier, source: Classifier | str | Path, *, size: int | None, preprocess: str | None
) -> Source:
    named = model.card.name if isinstance(source, Classifier) else source
    if model.card.head.get("kind") == "anomaly":
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the model {named} looks for anomalies: its vectors describe the patches of an image, not the image; name a "
            "classifier or a backbone",
        )
    if size is None and preprocess is None:
        return Source(model.backbone, model.spec)
    given = "preprocess" if size is None else "size"
    raise SettingsError(
        Reason.BAD_SETTING,
        f"the model {named} sees images by {str(model.spec)!r}, as it was trained to; leave out {given}, or name a backbone",
    )


def _is_model(source: str | Path) -> bool:
    if isinstance(source, str) and (source in BACKBONES or source.startswith(("timm/", "hf://"))):
        return False
    path = Path(source)
    return path.is_dir() or path.suffix.lower() == ".zip"


def _names_backbone(source: str) -> bool:
    named = source in BACKBONES or parse_name(source) is not None
    return named or Path(source).suffix in (".onnx", ".safetensors")


def _neither(source: str) -> str:
    import difflib

    near = difflib.get_close_matches(source, BACKBONES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return (
        f"{source!r} is neither a model nor a backbone{hint} (a model is a folder or .zip that `train` wrote; backbones are "
        f"{', '.join(sorted(BACKBONES))}; by name timm/… or hf://…; or the path of a file that ends in .onnx or .safetensors)"
    )
