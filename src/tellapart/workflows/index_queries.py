"""Vectors for an index: from files, or of images by the same network as those that are in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from tellapart.backbones.registry import BACKBONES, Announce
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError, DataError, ModelError, Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.index.index import Index
from tellapart.index.vectors import Vectors
from tellapart.records import Sample
from tellapart.workflows.embed import embed
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.projecting import LearnedProjection

_HUB = ("timm/", "hf://")


@dataclass(frozen=True, slots=True)
class Making:
    """How images become vectors: options of `embed`."""

    size: int | None = None
    preprocess: str | None = None
    store: Store | None = None
    announce: Announce | None = None
    workers: int = 0
    provider: str = "cpu"
    cache_dir: str | Path | None = None
    limits: DecodeLimits = DecodeLimits()
    progress: Progress = silent
    projection: LearnedProjection | None = None

    def embedded(self, source: Classifier | str | Path, dataset: Dataset) -> Vectors:
        """Vectors of the images that could be read; raises what `embed` raises."""
        return embed(
            source,
            dataset,
            size=self.size,
            preprocess=self.preprocess,
            projection=self.projection,
            store=self.store,
            announce=self.announce,
            workers=self.workers,
            provider=self.provider,
            cache_dir=self.cache_dir,
            limits=self.limits,
            progress=self.progress,
        )


def is_vectors(path: Path) -> bool:
    """Whether a file holds vectors and not images: `.npy`, or Parquet with a column of them."""
    if path.suffix.lower() == ".npy":
        return True
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    from tellapart.index.parquet_file import COLUMNS

    try:
        schema = pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return False  # whoever reads it as data says what is wrong with it
    return any(isinstance(schema.get(name), pl.List | pl.Array) for name in COLUMNS)


def vectors_of(data: Vectors | Dataset | str | Path) -> Vectors:
    """Open a file of vectors, unless it is open."""
    if isinstance(data, Dataset):
        raise TypeError("a data set holds images")
    return data if isinstance(data, Vectors) else Vectors.read(data)


def check_fits(index: Index, vectors: Vectors, what: str) -> None:
    """Refuse vectors of another origin; their length does not matter, an index looks at directions.

    Raises:
        DataError: `foreign_vectors`.
    """
    index.space.check_same(replace(vectors.space, normalised=True), what)


def images_of(index: Index, dataset: Dataset, source: Classifier | str | Path | None, making: Making) -> Vectors:
    """Vectors of images by what the index was made with, looked for where `source` says, else where it was.

    Raises:
        SettingsError: `bad_setting` when nothing is known about it.
        DataError: `foreign_vectors` when it is another by now; ModelError, BackboneError when it cannot be found.
    """
    asked = source if source is not None else _known_source(index)
    own = replace(making, projection=_projection(index))
    own = own if sees_by_itself(asked) else replace(own, preprocess=index.space.preprocess)
    try:
        vectors = own.embedded(asked, dataset)
    except (BackboneError, ModelError) as exc:
        if source is not None:
            raise
        named = f"the index {index.path} was made with {asked}: say where that lies now"
        raise type(exc)(exc.reason, f"{exc}; {named}") from exc
    check_fits(index, vectors, f"the images, by {_called(asked)}")
    return vectors


def dataset_of(paths: Sequence[str | Path]) -> Dataset:
    """Images by their files and folders, in that order.

    Raises:
        DataError: `dataset_not_found`, `dataset_empty`.
    """
    samples: list[Sample] = []
    for path in map(Path, paths):
        if not path.exists():
            raise DataError(Reason.DATASET_NOT_FOUND, f"there is no image or folder {path}")
        if path.is_dir():
            found = Dataset.read(path)
            root = found.root or path
            samples += [replace(one, uri=str(root / one.uri)) for one in found.samples]
        else:
            samples.append(Sample(str(path)))
    return Dataset.from_samples([replace(one, labels=None) for one in samples])


def sees_by_itself(source: Classifier | str | Path) -> bool:
    """Whether this is a model, which knows how it sees images; a backbone must be told."""
    if isinstance(source, Classifier):
        return True
    if _names_backbone(source):
        return False
    return Path(source).is_dir() or Path(source).suffix.lower() == ".zip"


def _names_backbone(source: Classifier | str | Path) -> bool:
    """A name means the backbone, whatever folder is called so."""
    return isinstance(source, str) and (source in BACKBONES or source.startswith(_HUB))


def remembered(folder: Path, vectors: Vectors, source: Classifier | str | Path | None) -> dict[str, str]:
    """Where the images and the model of a new index lie, for searches to come; paths beside the index stay relative."""
    model = source.location if isinstance(source, Classifier) else source
    known = {}
    if (
        model is not None
        and str(model)
        and not _names_backbone(model)
        and (sees_by_itself(model) or Path(model).exists())
    ):
        known["model"] = _relative(Path(model), folder)
    if vectors.root is not None:
        known["root"] = _relative(vectors.root, folder)
    return known


def root_of(folder: Path, source: Mapping[str, str]) -> Path | None:
    """Where relative uris of an index start; None when nobody said."""
    return folder.resolve().parent / source["root"] if source.get("root") else None


def absolute_rows(folder: Path, vectors: Vectors, source: Mapping[str, str]) -> pl.DataFrame:
    """The rows of vectors; uris become absolute where they start elsewhere than those of the index."""
    root = root_of(folder, source)
    if vectors.root is None or (root is not None and root.resolve() == vectors.root.resolve()):
        return vectors.table
    start = vectors.root.resolve()
    uris = [None if uri is None else _placed(start, uri) for uri in vectors.table["uri"].to_list()]
    return vectors.table.with_columns(pl.Series("uri", uris, dtype=pl.String))


def _placed(start: Path, uri: str) -> str:
    return uri if "://" in uri else str(start / uri)


def _projection(index: Index) -> LearnedProjection | None:
    """The copy of the projection in the index."""
    for name in index.manifest.projection:
        return LearnedProjection.read(index.path / name)
    if index.space.projection_sha256:
        message = (
            f"the vectors of the index {index.path} went through a projection that it does not hold, so no image can be "
            "turned into one like them; build it with --projection, or search by vectors"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    return None


def _known_source(index: Index) -> str | Path:
    model = index.manifest.source.get("model")
    if model:
        return index.path.resolve().parent / model
    if index.space.known:
        return index.space.backbone
    message = (
        f"the index {index.path} was built from vectors that do not say how they were made, so no image can be turned into "
        "one like them; search by vectors"
    )
    raise SettingsError(Reason.BAD_SETTING, message)


def _called(source: Classifier | str | Path) -> str:
    return f"the model {source.card.name}" if isinstance(source, Classifier) else str(source)


def _relative(path: Path, folder: Path) -> str:
    whole = path.resolve()
    beside = folder.resolve().parent
    return whole.relative_to(beside).as_posix() if whole.is_relative_to(beside) else whole.as_posix()
